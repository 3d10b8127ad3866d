//! A gate that asks a cluster what stands around an object, in place of policy files: a namespace that is known, one
//! that nobody can tell of, one that is told of too late, and facts. Who asks an API server is not tested here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_admission::case::Fact;
use portreeve_admission::response::{RefusalKind, Response};
use portreeve_ledger::{Ledger, Options};
use portreeve_server::around::{Around, Cluster};
use portreeve_server::deadline::Deadlines;
use portreeve_server::set::{KnownFrom, Listed, Namespace};
use portreeve_server::way::Gate;
use portreeve_tests::gate::{Setting, admit, validate};
use portreeve_tests::review::create;
use serde_json::{Value, json};

use crate::book::bodies;

/// Denies pods that may run as root, in namespaces of the tier `gold` alone.
const IN_GOLD: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: escalation}\nspec:\n  \
    module: {builtin: privilege-escalation}\n  mutate: false\n  match: {namespaceSelector: {matchLabels: {tier: gold}}}\n";

const EVERYWHERE: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: escalation}\nspec:\n  \
    module: {builtin: privilege-escalation}\n  mutate: false\n";

const NETWORK: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: network-policy}\nspec:\n  \
    module: {builtin: network-policy}\n  facts: [network-policies]\n";

/// A cluster that knows one thing.
enum Town {
    /// Every namespace has this tier.
    OfTier(&'static str),
    /// No namespace was ever heard of.
    Unheard,
    /// It never answers.
    Silent,
}

impl Cluster for Town {
    fn namespace<'a>(&'a self, name: &'a str, _: Instant) -> BoxFuture<'a, Result<Namespace, String>> {
        match self {
            Self::OfTier(tier) => {
                let labels = [("tier".to_owned(), (*tier).to_owned())].into();
                let namespace = Namespace { labels, known_from: KnownFrom::Cluster, ..Namespace::default() };
                std::future::ready(Ok(namespace.named(name))).boxed()
            }
            Self::Unheard => std::future::ready(Err(format!("there is no namespace {name}"))).boxed(),
            Self::Silent => std::future::pending().boxed(),
        }
    }

    fn fact(&self, kind: Listed, namespace: &str) -> Fact {
        assert_eq!((kind, namespace), (Listed::NetworkPolicy, "shop"));
        Ok("[]".into())
    }
}

fn gate(policies: &str, town: Town) -> Gate {
    let gate = Setting::default().with(policies).unwrap().gate().unwrap();
    Gate { around: Around::Cluster(Arc::new(town)), ..gate }
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
    })
}

async fn judged(gate: &Gate) -> Response {
    admit(gate, &create(&pod())).await.unwrap().1
}

fn refused(response: Response) -> (RefusalKind, String) {
    let refusal = response.refusal.expect("it was admitted");
    (refusal.kind, refusal.message)
}

#[tokio::test]
async fn policies_are_chosen_by_the_labels_that_the_cluster_tells() {
    let (kind, message) = refused(judged(&gate(IN_GOLD, Town::OfTier("gold"))).await);
    assert_eq!(kind, RefusalKind::Forbidden, "{message}");
    assert_eq!(judged(&gate(IN_GOLD, Town::OfTier("tin"))).await.refusal, None);
}

#[tokio::test]
async fn a_policy_for_some_namespaces_fails_where_the_namespace_is_not_known() {
    let (kind, message) = refused(judged(&gate(IN_GOLD, Town::Unheard)).await);
    assert_eq!(kind, RefusalKind::InternalError);
    assert!(message.contains("there is no namespace shop"), "{message}");
}

#[tokio::test]
async fn a_policy_for_all_namespaces_judges_where_the_namespace_is_not_known() {
    assert_eq!(refused(judged(&gate(EVERYWHERE, Town::Unheard)).await).0, RefusalKind::Forbidden);
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_holds_up_no_answer() {
    let deadlines =
        Deadlines { judged: Instant::now() + Duration::from_millis(500), ..portreeve_tests::gate::plenty() };
    let review = create(&pod()).to_string();
    let answered = gate(IN_GOLD, Town::Silent).validate(review.as_bytes(), deadlines).await.unwrap();
    let (_, message) = refused(answered.response);
    assert!(message.contains("did not tell in time"), "{message}");
}

#[tokio::test]
async fn facts_are_what_the_cluster_tells() {
    let (kind, message) = refused(judged(&gate(NETWORK, Town::OfTier("gold"))).await);
    assert_eq!(kind, RefusalKind::Forbidden);
    assert!(message.contains("the namespace \"shop\" has no NetworkPolicy"), "{message}");
}

#[tokio::test]
async fn a_record_says_what_the_cluster_told_of_the_namespace_or_why_it_did_not() {
    for (town, field, says) in
        [(Town::OfTier("gold"), "knownFrom", "cluster"), (Town::Unheard, "missing", "there is no namespace shop")]
    {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().join("book");
        let ledger = Ledger::open(&book, Options::new("test/one".parse().unwrap())).unwrap();
        let gate = Setting::default().with(EVERYWHERE).unwrap().ledger(Arc::new(ledger)).gate().unwrap();
        let gate = Gate { around: Around::Cluster(Arc::new(town)), ..gate };
        validate(&gate, &create(&pod())).await.unwrap();
        assert_eq!(bodies(&book)[0]["namespace"][field], says);
    }
}
