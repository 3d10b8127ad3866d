//! A server that is told of its policies, as a cluster tells, in place of a folder: what is told comes into force, what
//! is wrong changes no policy, and whoever told hears what became of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portreeve_ledger::verify_naming;
use portreeve_server::manifest::read_stream;
use portreeve_server::serve::{Became, Origin, Outside, Told};
use portreeve_server::set::{LastGood, PolicySet, Sources, WrittenBy, platform};
use portreeve_server::way::named;
use portreeve_supply::loopback::{Fault as Trouble, LoopbackRegistry};
use portreeve_tests::gate::Fault;
use portreeve_tests::review::create;
use portreeve_tests::server::{Speaks, Wire, until};
use serde_json::{Value, json};
use tokio::sync::watch;

const SECCOMP: &str = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: sealed}\n\
    spec: {module: {builtin: seccomp}}\n";

fn sources(yaml: &str) -> Arc<Sources> {
    let mut sources = Sources { written_by: WrittenBy::Namespaces, ..Sources::default() };
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
    Wire::start_with(&[], json!({"ledger": null, "kubernetes": cluster()}), outside).await
}

/// A cluster where somebody may break the glass.
fn cluster() -> Value {
    json!({"breakGlassGroup": "rescuers"})
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

const SET: &str = "---\napiVersion: portreeve.dev/v1alpha1\nkind: PolicySet\nmetadata: {name: ours}\nspec: {}\n";

const EXCEPTION: &str = "---\napiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\n\
    metadata: {name: old, namespace: shop}\n\
    spec: {policy: sealed, owner: team, ticket: T-1, reason: old, expires: '2999-01-01T00:00:00Z'}\n";

const BROKEN: &str = "---\napiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: broken}\n\
    spec: {module: {builtin: secomp}}\n";

/// The PolicySet with these annotations.
fn annotated(annotations: &str) -> String {
    SET.replace("{name: ours}", &format!("{{name: ours, annotations: {{{annotations}}}}}"))
}

/// The PolicySet with the switch on.
fn switched_on() -> String {
    annotated("portreeve.dev/break-glass-until: '2999-01-01T00:00:00Z', portreeve.dev/break-glass-reason: fire")
}

async fn keeping(outside: Outside, state: &Path) -> Wire {
    let more = json!({"ledger": null, "state": {"folder": state}, "kubernetes": cluster()});
    Wire::start_with(&[], more, outside).await.unwrap()
}

fn set(wire: &Wire) -> Arc<PolicySet> {
    wire.running.parts.gate.set.load_full()
}

/// The digest of the set that a restart would find.
fn kept(wire: &Wire, state: &Path) -> String {
    LastGood::in_folder(state).load(&wire.running.parts.loader).unwrap().unwrap().digest().to_owned()
}

#[tokio::test]
async fn exceptions_and_the_switch_are_taken_up_while_a_policy_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (mut teller, outside) = Teller::new(Some(sources(&[SECCOMP, SET, EXCEPTION].concat())));
    let wire = keeping(outside, &state).await;
    let before = set(&wire).digest().to_owned();

    let opened = sources(&[SECCOMP, &switched_on(), BROKEN].concat());
    teller.sources.send_replace(Some(Arc::clone(&opened)));
    teller.heard(&opened).await.unwrap_err();
    let open = set(&wire);
    assert_eq!((in_force(&wire), open.exceptions().len()), (vec!["sealed".to_owned()], 0));
    assert!(open.break_glass().is_some() && open.digest() != before);
    assert_eq!((teller.stays().unwrap().digest(), &*kept(&wire, &state)), (open.digest(), open.digest()));
    let says = async |path: &str, line: &str| wire.operations(path).await.unwrap().1.contains(line);
    until("it is counted", async || says("/metrics", "portreeve_break_glass 1").await).await.unwrap();
    assert!(says("/metrics", "portreeve_policies_refused 1").await);
    assert!(says("/readyz?verbose", &format!("[!] policies: kept {}: ", open.digest())).await);
    assert!(says("/readyz?verbose", "[!] denials: denials are dropped until 2999-01-01T00:00:00Z: fire").await);

    let closed = sources(&[SECCOMP, SET, EXCEPTION, BROKEN].concat());
    teller.sources.send_replace(Some(Arc::clone(&closed)));
    teller.heard(&closed).await.unwrap_err();
    assert_eq!((set(&wire).digest(), set(&wire).exceptions().len()), (&*before, 1));
    assert!(set(&wire).break_glass().is_none());
}

#[tokio::test]
async fn a_switch_that_nobody_may_set_is_left_out_and_told() {
    for switch in [switched_on(), annotated("portreeve.dev/break-glass-until: soon")] {
        let told = sources(&[SECCOMP, &switch].concat());
        let (mut teller, outside) = Teller::new(Some(Arc::clone(&told)));
        let wire = Wire::start_with(&[], json!({"ledger": null}), outside).await.unwrap();
        assert!(teller.heard(&told).await.is_ok());
        assert_eq!((set(&wire).break_glass(), in_force(&wire)), (None, vec!["sealed".to_owned()]));
        let readiness = wire.operations("/readyz?verbose").await.unwrap().1;
        let words = "(PolicySet/ours): metadata.annotations: portreeve.dev/break-glass-until is not heeded";
        assert!(readiness.contains("[+] denials: count") && readiness.contains(words), "{readiness}");
    }
}

#[tokio::test]
async fn a_reason_that_is_left_when_the_end_is_taken_back_drops_nothing_and_refuses_nothing() {
    let told = sources(&[SECCOMP, &annotated("portreeve.dev/break-glass-reason: fire")].concat());
    let (mut teller, outside) = Teller::new(Some(Arc::clone(&told)));
    let wire = Wire::start_with(&[], json!({"ledger": null, "kubernetes": cluster()}), outside).await.unwrap();
    assert!(teller.heard(&told).await.is_ok());
    assert_eq!((set(&wire).break_glass(), in_force(&wire)), (None, vec!["sealed".to_owned()]));
}

#[tokio::test]
async fn who_writes_policy_files_sets_the_switch_in_them() {
    let files = [SECCOMP, &switched_on()].concat();
    let wire = Wire::start(&[("policies.yaml", &files)], json!({"ledger": null})).await.unwrap();
    assert!(set(&wire).break_glass().is_some());
}

#[tokio::test]
async fn what_a_namespace_got_wrong_is_counted_and_shown_beside_what_is_in_force() {
    let wrong = SECCOMP.replace("ClusterPolicy", "Policy").replace("{name: sealed}", "{name: own, namespace: shop}");
    let wrong = wrong.replace("seccomp}", "seccomp}, settings: {profiles: 1}");
    let stray = EXCEPTION.replace("policy: sealed", "policy: gone");
    let (mut teller, outside) = Teller::new(Some(sources(SECCOMP)));
    let wire = start(outside).await.unwrap();
    let says = async |path: &str, words: &str| wire.operations(path).await.unwrap().1.contains(words);
    assert!(says("/metrics", "portreeve_resources_left_out 0\n").await);
    let now = sources(&[SECCOMP, "---\n", &wrong, &stray].concat());
    teller.sources.send_replace(Some(Arc::clone(&now)));
    teller.heard(&now).await.unwrap();
    assert!(says("/metrics", "portreeve_resources_left_out 2\n").await);
    let line =
        format!("[+] policies: 1 policies in force, set {}; resources left out: 2, such as ", set(&wire).digest());
    until("it is shown", async || says("/readyz?verbose", &line).await).await.unwrap();
}

/// A server with the set of these sources, and a registry that takes three seconds to give it a module: less than it is
/// waited for, and longer than exceptions and the switch wait.
async fn beside_a_slow_registry(first: &Arc<Sources>) -> (LoopbackRegistry, Teller, Wire) {
    let registry = LoopbackRegistry::start([]).await.unwrap();
    registry.fault([Trouble::Slow(Duration::from_millis(1500))]);
    let (mut teller, outside) = Teller::new(Some(Arc::clone(first)));
    let registries = json!({"registries": [{"host": registry.host().as_str(), "insecure": true}]});
    let more = json!({"ledger": null, "kubernetes": cluster(), "registries": registries});
    let wire = Wire::start_with(&[], more, outside).await.unwrap();
    teller.heard(first).await.unwrap();
    (registry, teller, wire)
}

/// A policy out of that registry, by a name that nothing there has been asked for by.
fn slow(registry: &LoopbackRegistry, name: &str) -> String {
    let digest = registry.module("policies/catalogue", name, portreeve_builtin::CATALOGUE.to_vec());
    let named = format!("{}/policies/catalogue:{name}@{digest}", registry.host());
    format!(
        "---\napiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{module: {{oci: {named:?}, policy: drop-capabilities}}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_does_not_wait_for_a_registry_and_is_not_turned_back_by_what_had_to() {
    let first = sources(&[SECCOMP, SET].concat());
    let (registry, mut teller, wire) = beside_a_slow_registry(&first).await;
    let [slow, slower] = ["slow", "slower"].map(|name| slow(&registry, name));
    let second = sources(&[SECCOMP, SET, &slow].concat());
    teller.sources.send_replace(Some(Arc::clone(&second)));
    until("the registry is waited for", async || !registry.asked().is_empty()).await.unwrap();
    // Its own module keeps it from taking the place of what waits.
    teller.sources.send_replace(Some(sources(&[SECCOMP, &switched_on(), &slow, &slower].concat())));
    let mut sets = wire.running.parts.sets.subscribe();
    let line = sets.wait_for(|set| set.break_glass().is_some()).await.unwrap().digest().to_owned();
    let heard = teller.became.borrow().clone().unwrap();
    assert!(Arc::ptr_eq(&heard.sources, &first), "it waited for the registry");
    assert_eq!(in_force(&wire), ["sealed"]);
    let line = format!("[+] policies: 1 policies in force, set {line}");
    let shows = async || wire.operations("/readyz?verbose").await.unwrap().1.contains(&line);
    until("it is shown which set that is", shows).await.unwrap();
    teller.heard(&second).await.unwrap();
    assert_eq!(in_force(&wire), ["sealed", "slow"]);
    assert!(set(&wire).break_glass().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_was_waited_for_brings_no_exceptions_back_where_it_can_not_have_the_newer_ones() {
    let one_hand = |yaml: &[&str]| {
        Arc::new(Sources { written_by: WrittenBy::OneHand, ..Sources::clone(&sources(&yaml.concat())) })
    };
    let (registry, mut teller, wire) = beside_a_slow_registry(&one_hand(&[SECCOMP, EXCEPTION])).await;
    let [slow, slower] = ["slow", "slower"].map(|name| slow(&registry, name));
    let strict = SECCOMP.replace("seccomp}", "seccomp}, exceptions: {namespaces: [shop]}");
    let second = one_hand(&[&strict, EXCEPTION, &slow]);
    teller.sources.send_replace(Some(Arc::clone(&second)));
    until("the registry is waited for", async || !registry.asked().is_empty()).await.unwrap();
    let newer = EXCEPTION.replace("name: old, namespace: shop", "name: newer, namespace: bank");
    teller.sources.send_replace(Some(one_hand(&[SECCOMP, &newer, &slow, &slower])));
    let is_newer = |set: &Arc<PolicySet>| set.exceptions().iter().all(|exception| exception.namespace() == "bank");
    wire.running.parts.sets.subscribe().wait_for(is_newer).await.unwrap();
    let problems = teller.heard(&second).await.unwrap_err();
    assert!(problems.contains("bank"), "{problems}");
    assert!(in_force(&wire) == ["sealed"] && is_newer(&set(&wire)) && is_newer(&teller.stays().unwrap()));
}

#[tokio::test]
async fn the_rest_of_a_set_waits_and_a_switch_that_can_not_be_read_changes_nothing() {
    let (mut teller, outside) = Teller::new(Some(sources(&[SECCOMP, &switched_on()].concat())));
    let wire = start(outside).await.unwrap();
    let before = set(&wire);
    let wrong = annotated("portreeve.dev/break-glass-until: soon").replace("spec: {}", "spec: {profile: platform}");
    let wrong = sources(&[SECCOMP, &wrong].concat());
    teller.sources.send_replace(Some(Arc::clone(&wrong)));
    teller.heard(&wrong).await.unwrap_err();
    assert_eq!((set(&wire).digest(), in_force(&wire)), (before.digest(), vec!["sealed".to_owned()]));

    let off = SET.replace("spec: {}", "spec: {profile: platform}");
    let off = sources(&[SECCOMP, &off, BROKEN].concat());
    teller.sources.send_replace(Some(Arc::clone(&off)));
    teller.heard(&off).await.unwrap_err();
    assert_eq!((set(&wire).break_glass(), in_force(&wire)), (None, vec!["sealed".to_owned()]));
}

#[tokio::test]
async fn a_restart_takes_back_an_exception_though_a_policy_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (_teller, outside) = Teller::new(Some(sources(&[SECCOMP, EXCEPTION].concat())));
    let wire = keeping(outside, &state).await;
    assert_eq!(set(&wire).exceptions().len(), 1);
    drop(wire);
    let (_teller, outside) = Teller::new(Some(sources(&[SECCOMP, BROKEN].concat())));
    let wire = keeping(outside, &state).await;
    assert_eq!((in_force(&wire), set(&wire).exceptions().len()), (vec!["sealed".to_owned()], 0));
    assert_eq!(kept(&wire, &state), set(&wire).digest());
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

#[tokio::test]
async fn the_switch_does_not_wait_for_a_book_and_no_record_is_made_before_the_book_has_the_set() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    let (mut teller, outside) = Teller::new(Some(sources(&[SECCOMP, SET].concat())));
    let more = json!({"ledger": {"folder": book, "withoutRecord": "answer"}, "kubernetes": cluster()});
    let wire = Wire::start_with(&[], more, outside).await.unwrap();
    let (blobs, aside) = (book.join("blobs"), book.join("aside"));
    std::fs::rename(&blobs, &aside).unwrap();
    std::fs::write(&blobs, "in the way").unwrap();

    let opened = sources(&[SECCOMP, &switched_on()].concat());
    teller.sources.send_replace(Some(Arc::clone(&opened)));
    teller.heard(&opened).await.unwrap();
    assert!(set(&wire).break_glass().is_some());
    let review = create(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
    }));
    let client = wire.client(Speaks::Http1).unwrap();
    let record = async || {
        let answer = wire.call(&client, "validate", review.to_string()).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        answer["response"]["auditAnnotations"]["record"].as_str().map(str::to_owned)
    };
    assert_eq!(record().await, None);
    std::fs::remove_file(&blobs).unwrap();
    std::fs::rename(&aside, &blobs).unwrap();
    assert!(record().await.is_some());
    wire.running.stop().await.unwrap();
    let report = verify_naming(&book, None, named).unwrap();
    assert_eq!(report.records(), 1);
}
