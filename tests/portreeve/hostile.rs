//! Hostile policies behind the gate: the request is answered in time with the failure mode's answer, the other policies
//! do their work, other requests go on. How each is stopped is tested with the engine.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use portreeve_admission::decision::Answer;
use portreeve_admission::response::RefusalKind;
use portreeve_server::deadline::Deadlines;
use portreeve_server::set::read_folder;
use portreeve_server::way::Gate;
use portreeve_tests::gate::{Setting, mutate, validate};
use portreeve_tests::places;
use portreeve_tests::review::{create, update};
use portreeve_tests::server::{Speaks, Wire, until};
use serde_json::{Value, json};

/// The component of hostile policies, built once.
pub(crate) fn component() -> PathBuf {
    static COMPONENT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guests");
        let bytes = portreeve_component::build(&places::checkout().join("tests/guests/hostile"), &target).unwrap();
        let path = target.join("hostile.wasm");
        std::fs::write(&path, bytes).unwrap();
        path
    };
    COMPONENT.get_or_init(build).clone()
}

/// The catalogue's `drop`, and the hostile policy doing this in the namespace `shop`.
pub(crate) fn policies(deed: &str, failure_policy: &str) -> String {
    format!(
        "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: drop}}\n\
         spec: {{module: {{builtin: drop-capabilities}}}}\n---\n\
         apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: guest}}\n\
         spec:\n  module: {{file: {:?}, policy: hostile}}\n  settings: {{do: {deed}}}\n  failurePolicy: {failure_policy}\n  \
         timeout: 200ms\n  match: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: shop}}}}}}\n",
        component()
    )
}

fn gate(deed: &str, failure_policy: &str) -> Gate {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policies.yaml"), policies(deed, failure_policy)).unwrap();
    Setting::default().sources(read_folder(folder.path()).unwrap()).gate().unwrap()
}

/// The hostile component wants to see Deployments alone.
pub(crate) fn deployment(namespace: &str) -> Value {
    create(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "team/web:1"}]}}},
    }))
}

/// One of each way to misbehave; that all of them are contained is the engine's to prove.
const DEEDS: [&str; 8] = ["loop", "trap", "recurse", "flood", "enormous", "not-utf8", "bad-pointer", "edit-elsewhere"];

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_policy_refuses_as_a_failure_and_the_answer_is_in_time() {
    for deed in DEEDS {
        let gate = gate(deed, "Fail");
        let begun = Instant::now();
        let told = mutate(&gate, &deployment("shop")).await.unwrap();
        let refusal = told.response.refusal.unwrap_or_else(|| panic!("{deed} is admitted: {:?}", told.object));
        assert!(begun.elapsed() < Duration::from_secs(10), "{deed}");
        assert_eq!(refusal.kind, RefusalKind::InternalError, "{deed}");
        assert!(refusal.message.contains("- guest failed:"), "{deed}: {}", refusal.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_policy_that_may_be_ignored_leaves_the_work_of_the_others() {
    for deed in DEEDS {
        let gate = gate(deed, "Ignore");
        let told = mutate(&gate, &deployment("shop")).await.unwrap();
        let dropped = told.object.pointer("/spec/template/spec/containers/0/securityContext/capabilities/drop");
        assert_eq!(dropped, Some(&json!(["ALL"])), "{deed}: {:?}", told.response);
        assert!(told.response.warnings.iter().any(|line| line.contains("guest failed and was let pass")), "{deed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_halfway_takes_its_edits_with_it() {
    let told = mutate(&gate("edit-and-give-up", "Ignore"), &deployment("shop")).await.unwrap();
    assert_eq!(told.object.pointer("/spec/template/metadata"), None);
    let dropped = told.object.pointer("/spec/template/spec/containers/0/securityContext/capabilities/drop");
    assert_eq!(dropped, Some(&json!(["ALL"])));
    assert!(told.response.warnings.iter().any(|line| line.contains("guest failed and was let pass")));
    assert!(!told.response.warnings.iter().any(|line| line.contains("was here")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_never_comes_of_a_failure() {
    let answered = validate(&gate("trap", "Ignore"), &deployment("shop")).await.unwrap();
    let refusal = answered.refusal.unwrap();
    assert!(refusal.message.contains("drop/") && !refusal.message.contains("guest/"), "{}", refusal.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_past_its_deadline_is_still_answered() {
    let gate = gate("loop", "Fail");
    let now = Instant::now();
    let deadlines = Deadlines { judged: now, recorded: now + Duration::from_secs(5) };
    let answered = gate.validate(deployment("shop").to_string().as_bytes(), deadlines).await.unwrap();
    assert_eq!(answered.answer, Answer::Failed);
}

/// As [`gate`], with more time for the guest.
fn patient(deed: &str, timeout: &str) -> Gate {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policies.yaml"), policies(deed, "Fail").replace("200ms", timeout)).unwrap();
    Setting::default().sources(read_folder(folder.path()).unwrap()).gate().unwrap()
}

/// Four could burn at once if a module from outside had no share of its own, and four is all that there is.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_meet_it_are_answered_while_a_guest_burns_its_time() {
    let burns = Duration::from_secs(4);
    let gate = Arc::new(patient("loop", "4s"));
    assert_eq!(gate.runner.turns(), 4);
    let burn = |gate: Arc<Gate>| async move {
        let refusal = mutate(&gate, &deployment("shop")).await.unwrap().response.refusal;
        refusal.is_some()
    };
    let burning: Vec<_> = (0..4).map(|_| tokio::spawn(burn(Arc::clone(&gate)))).collect();
    until("it burns", async || gate.runner.running() >= 2).await.unwrap();
    for _ in 0..20 {
        let begun = Instant::now();
        assert!(mutate(&gate, &deployment("quiet")).await.unwrap().response.patch.is_some());
        assert!(begun.elapsed() < burns / 2, "it waited for the guest: {:?}", begun.elapsed());
    }
    assert_eq!(gate.runner.running(), 2, "what burns keeps its share, and no more");
    assert!(!burning.iter().any(tokio::task::JoinHandle::is_finished), "nothing burned meanwhile");
    for burning in burning {
        assert!(burning.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_all_the_time_there_is_leaves_the_others_theirs_to_compare_an_update() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policies.yaml"), policies("loop", "Ignore").replace("200ms", "8s")).unwrap();
    let gate = Setting::default().sources(read_folder(folder.path()).unwrap()).gate().unwrap();
    let old = deployment("shop")["request"]["object"].take();
    let mut new = old.clone();
    new["spec"]["template"]["spec"]["containers"][0]["image"] = json!("team/web:2");
    let judged = Instant::now() + Duration::from_secs(3);
    let deadlines = Deadlines { judged, recorded: judged + Duration::from_secs(5) };
    let answered = gate.validate(update(&new, &old).to_string().as_bytes(), deadlines).await.unwrap();
    assert_eq!(answered.answer, Answer::Allowed, "its fault was there before: {:?}", answered.response);
}

/// A call with the time that the API server says it waits, and how long it took.
async fn within(wire: &Wire, timeout: &str) -> (Value, Duration) {
    let client = wire.client(Speaks::Http1).unwrap();
    let url = wire.url(&format!("{}?timeout={timeout}", wire.path("mutate")));
    let begun = Instant::now();
    let call = client.post(url).header("content-type", "application/json").body(deployment("shop").to_string());
    let text = call.send().await.unwrap().text().await.unwrap();
    (serde_json::from_str(&text).unwrap(), begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_that_a_caller_waits_bounds_a_policy_that_would_take_longer() {
    for (failure_policy, refused) in [("Fail", true), ("Ignore", false)] {
        let policies = policies("loop", failure_policy).replace("200ms", "8s");
        let wire = Wire::start(&[("policies.yaml", &policies)], json!({})).await.unwrap();
        let (review, took) = within(&wire, "2s").await;
        // Without that word it would be given three seconds and a half.
        assert!(took < Duration::from_secs(2), "{failure_policy}: {took:?}");
        let response = &review["response"];
        assert_eq!(response["status"]["code"] == 500, refused, "{review}");
        assert_eq!(response["patchType"] == "JSONPatch", !refused, "the other policy's work: {review}");
        assert!(review.to_string().contains("it was stopped at its deadline"), "{review}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_caller_hung_up_is_counted_as_it_was_decided() {
    let policies = policies("loop", "Fail").replace("200ms", "2s");
    let wire = Wire::start(&[("policies.yaml", &policies)], json!({})).await.unwrap();
    let client = wire.client(Speaks::Http1).unwrap();
    let call = wire.call(&client, "validate", deployment("shop").to_string()).timeout(Duration::from_millis(300));
    assert!(call.send().await.unwrap_err().is_timeout());
    let line = "portreeve_requests_total{call=\"Validate\",answer=\"denied\",dry_run=\"no\"} 1";
    until("it is counted", async || wire.operations("/metrics").await.unwrap().1.contains(line)).await.unwrap();
}
