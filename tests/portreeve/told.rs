//! A server that is told of its policies, as a cluster tells, in place of a folder: what is told comes into force, what is
//! wrong changes nothing, and whoever told hears what became of it.

use std::sync::Arc;

use portreeve_server::manifest::read_stream;
use portreeve_server::serve::{Became, Origin, Outside, Told};
use portreeve_server::set::{PolicySet, Sources, platform};
use portreeve_tests::gate::Fault;
use portreeve_tests::server::{Wire, until};
use serde_json::json;
use tokio::sync::watch;

const SECCOMP: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: sealed}\n\
    spec: {module: {builtin: seccomp}}\n";

fn sources(yaml: &str) -> Arc<Sources> {
    let mut sources = Sources::default();
    for manifest in read_stream("cluster", yaml).unwrap() {
        sources.add(&manifest).unwrap();
    }
    Arc::new(sources)
}

/// Whoever tells.
struct Teller {
    sources: watch::Sender<Option<Arc<Sources>>>,
    became: watch::Receiver<Option<Became>>,
}

impl Teller {
    /// One who knows this much, and the end of the line that a server takes.
    fn new(known: Option<Arc<Sources>>) -> (Self, Outside) {
        let ((sources, to_server), (became, from_server)) = (watch::channel(known), watch::channel(None));
        let origin = Origin::Told(Told { sources: to_server, became });
        (Self { sources, became: from_server }, Outside { origin, ..Outside::default() })
    }

    /// What became of these sources: the set's digest, or every problem.
    async fn heard(&mut self, of: &Arc<Sources>) -> Result<String, String> {
        let is_of = |became: &Option<Became>| became.as_ref().is_some_and(|it| Arc::ptr_eq(&it.sources, of));
        let became = self.became.wait_for(is_of).await.unwrap().clone().unwrap();
        became.made.map(|set| set.digest().to_owned()).map_err(|error| error.to_string())
    }

    /// The set that stays in place of what was refused last.
    fn stays(&self) -> Option<Arc<PolicySet>> {
        self.became.borrow().as_ref()?.made.as_ref().err()?.stays.clone()
    }
}

async fn start(outside: Outside) -> Result<Wire, Fault> {
    Wire::start_with(&[], json!({"ledger": null}), outside).await
}

fn in_force(wire: &Wire) -> Vec<String> {
    wire.running.parts.gate.set.load().policies().iter().map(|policy| policy.id.clone()).collect()
}

#[tokio::test]
async fn what_is_told_comes_into_force_and_the_teller_hears_of_it() {
    let (first, second) = (sources(SECCOMP), sources(&SECCOMP.replace("sealed", "still-sealed")));
    let (mut teller, outside) = Teller::new(Some(Arc::clone(&first)));
    let wire = start(outside).await.unwrap();
    assert_eq!(in_force(&wire), ["sealed"]);
    assert!(teller.heard(&first).await.is_ok());
    teller.sources.send_replace(Some(Arc::clone(&second)));
    let digest = teller.heard(&second).await.unwrap();
    assert_eq!((in_force(&wire), wire.running.parts.gate.set.load().digest()), (vec!["still-sealed".into()], &*digest));
}

#[tokio::test]
async fn what_is_wrong_is_heard_and_changes_nothing() {
    let (mut teller, outside) = Teller::new(Some(sources(SECCOMP)));
    let wire = start(outside).await.unwrap();
    let wrong = sources(&SECCOMP.replace("seccomp}", "secomp}"));
    teller.sources.send_replace(Some(Arc::clone(&wrong)));
    let problems = teller.heard(&wrong).await.unwrap_err();
    assert!(problems.contains("secomp"), "{problems}");
    assert_eq!(in_force(&wire), ["sealed"]);
    until("it is shown", async || wire.operations("/readyz?verbose").await.unwrap().1.contains("secomp"))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_wrong_is_heard_with_the_set_that_stays() {
    let (mut teller, outside) = Teller::new(Some(sources(SECCOMP)));
    let wire = start(outside).await.unwrap();
    let wrong = sources(&SECCOMP.replace("seccomp}", "secomp}"));
    teller.sources.send_replace(Some(Arc::clone(&wrong)));
    teller.heard(&wrong).await.unwrap_err();
    let stays = teller.stays().unwrap();
    assert_eq!(stays.digest(), wire.running.parts.gate.set.load().digest());
    assert!(stays.written("ClusterPolicy/sealed").is_some() && stays.written("ClusterPolicy/other").is_none());
}

#[tokio::test]
async fn a_start_that_fails_for_what_was_told_is_heard_of() {
    let wrong = sources(&SECCOMP.replace("seccomp}", "secomp}"));
    let (mut teller, outside) = Teller::new(Some(Arc::clone(&wrong)));
    assert!(start(outside).await.is_err());
    let problems = teller.heard(&wrong).await.unwrap_err();
    assert!(problems.contains("secomp") && teller.stays().is_none(), "{problems}");
}

#[tokio::test]
async fn where_no_policy_is_told_of_the_platform_profile_is_in_force() {
    let (_teller, outside) = Teller::new(Some(Arc::default()));
    assert_eq!(in_force(&start(outside).await.unwrap()).len(), platform().len());
}

#[tokio::test]
async fn a_first_start_waits_for_nobody_who_does_not_know_the_policies() {
    let (_teller, outside) = Teller::new(None);
    let error = start(outside).await.err().expect("it started");
    assert!(error.to_string().contains("was not reached yet"), "{error}");
}
