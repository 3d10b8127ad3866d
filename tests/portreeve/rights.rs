//! Who may set break-glass and write exceptions is answered at once, whatever else of a change can be looked at and
//! however long that takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use portreeve_admission::policy::Policy;
use portreeve_admission::response::RefusalKind;
use portreeve_admission::review::decode;
use portreeve_server::manifest::read_stream;
use portreeve_server::proposal::Doctor;
use portreeve_server::serve::{Origin, Outside, Told};
use portreeve_server::set::{Outline, Sources, WrittenBy};
use portreeve_tests::review::{create, update};
use portreeve_tests::server::{Speaks, Wire};
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use crate::proposals::{PLENTY, Scene, by, exception, own_policy, policy, set};

/// The set, with denials dropped until then.
fn switched(until: &str) -> Value {
    let mut set = set("platform", "2024-01-01T00:00:00Z");
    set["metadata"]["annotations"] =
        json!({"portreeve.dev/break-glass-until": until, "portreeve.dev/break-glass-reason": "fire"});
    set
}

fn in_two_hours() -> String {
    (Timestamp::now() + SignedDuration::from_hours(2)).to_string()
}

#[test]
fn while_nobody_knows_who_may_write_exceptions_nobody_may_and_all_else_is_taken_with_a_warning() {
    let proposals = Scene::of(&[]).proposals(None, None);
    let review = |object: &Value| decode(create(object).to_string().as_bytes()).unwrap();
    let refusal = proposals.at_once(&review(&exception("shop"))).unwrap().refusal.unwrap();
    assert_eq!(refusal.kind, RefusalKind::InternalError);
    assert!(refusal.message.contains("does not know who may write exceptions"), "{refusal:?}");
    let asked = review(&policy(json!({})));
    assert_eq!(proposals.at_once(&asked), None);
    let answer = proposals.answer(&asked, Instant::now() + PLENTY);
    assert!(answer.refusal.is_none(), "{answer:?}");
    assert!(answer.warnings[0].contains("its status will say what is wrong"), "{answer:?}");
}

#[test]
fn break_glass_alone_waits_for_no_look_at_the_set() {
    let proposals = Scene::of(&[]).proposals(None, Some("firemen"));
    let before = set("platform", "2024-01-01T00:00:00Z");
    let asked = |set: &Value, group: &str| {
        let review = by(update(set, &before), "ada", &[group]);
        let answer = proposals.at_once(&decode(review.to_string().as_bytes()).unwrap())?;
        Some(answer.refusal.map(|refusal| refusal.message).unwrap_or_default())
    };
    assert_eq!(asked(&switched(&in_two_hours()), "firemen").as_deref(), Some(""));
    assert!(asked(&switched(&in_two_hours()), "devs").unwrap().contains("only the group \"firemen\" may set"));
    assert!(asked(&switched("tomorrow"), "firemen").unwrap().contains("it should be a time"));
    let mut milder = switched(&in_two_hours());
    milder["spec"] = json!({"failurePolicy": "Ignore"});
    assert_eq!(asked(&milder, "firemen"), None);
    assert!(asked(&milder, "devs").unwrap().contains("only the group"));
}

#[test]
fn whoever_may_change_the_set_takes_break_glass_back_and_may_leave_the_reason() {
    let proposals = Scene::of(&[]).proposals(None, Some("firemen"));
    let open = switched(&in_two_hours());
    let without = |taken: &[&str]| {
        let mut set = open.clone();
        let annotations = set["metadata"]["annotations"].as_object_mut().unwrap();
        taken.iter().for_each(|key| drop(annotations.remove(*key)));
        set
    };
    let answered = |now: &Value, before: &Value| {
        let review = by(update(now, before), "ada", &["devs"]);
        let answer = proposals.at_once(&decode(review.to_string().as_bytes()).unwrap()).unwrap();
        answer.refusal.map(|refusal| refusal.message)
    };
    let (until, reason) = ("portreeve.dev/break-glass-until", "portreeve.dev/break-glass-reason");
    assert_eq!(answered(&without(&[until]), &open), None);
    assert_eq!(answered(&without(&[until, reason]), &open), None);
    let begun = answered(&without(&[until]), &without(&[until, reason])).unwrap();
    assert!(begun.contains("say until when"), "{begun}");
}

/// Looks at each set for as long as somebody holds this.
struct Stuck(Arc<Mutex<()>>);

impl Doctor for Stuck {
    fn faults(&self, _: &Outline) -> Vec<String> {
        drop(self.0.blocking_lock());
        Vec::new()
    }

    fn idle(&self, _: &Policy) -> Vec<usize> {
        Vec::new()
    }
}

/// A server that knows of these resources, and looks at each change for so long; and whoever told it.
async fn looking(stored: &[Value], doctor: Stuck) -> (Wire, watch::Sender<Option<Arc<Sources>>>) {
    let mut sources = Sources { written_by: WrittenBy::Namespaces, ..Sources::default() };
    for object in stored {
        let manifests = read_stream("cluster", &object.to_string()).unwrap();
        manifests.iter().for_each(|manifest| sources.add(manifest).unwrap());
    }
    let (tell, sources) = watch::channel(Some(Arc::new(sources)));
    let origin = Origin::Told(Told { sources, became: watch::channel(None).0 });
    let outside = Outside { origin, doctor: Some(Arc::new(doctor)), ..Outside::default() };
    let kubernetes = json!({"namespace": "portreeve", "breakGlassGroup": "firemen"});
    (Wire::start_with(&[], json!({"ledger": null, "kubernetes": kubernetes}), outside).await.unwrap(), tell)
}

/// What is answered to a change by an API server that waits for so many seconds.
async fn answered_within(waits: u32, wire: &Wire, review: Value) -> Value {
    let client = wire.client(Speaks::Http1).unwrap();
    let url = wire.url(&format!("{}?timeout={waits}s", wire.path("resources")));
    let call = client.post(url).header("content-type", "application/json").body(review.to_string());
    let answer = call.timeout(Duration::from_secs(20)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap()["response"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_looks_at_the_set_come_to_no_end_rights_are_told_and_all_else_is_admitted_in_time() {
    let hold = Arc::new(Mutex::new(()));
    let before = set("platform", "2024-01-01T00:00:00Z");
    let stored = [policy(json!({"groups": ["owners"]})), before.clone()];
    let (wire, _tell) = looking(&stored, Stuck(Arc::clone(&hold))).await;
    let held = hold.lock().await;
    let begun = Instant::now();
    let look = |waits, name: &str| answered_within(waits, &wire, create(&own_policy(name, "2026-01-01T00:00:00Z")));
    let looked_at = join_all((0..6).map(|number| look(2, &format!("own-{number}"))));
    let switch = answered_within(2, &wire, by(update(&switched(&in_two_hours()), &before), "ada", &["firemen"]));
    let refused = answered_within(2, &wire, by(create(&exception("shop")), "bob", &["devs"]));
    let (looked_at, switch, refused) = tokio::join!(looked_at, switch, refused);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    for answer in looked_at {
        assert_eq!(answer["allowed"], true, "{answer}");
        assert!(answer["warnings"][0].as_str().unwrap().contains("its status will say"), "{answer}");
    }
    assert_eq!((&switch["allowed"], &switch["warnings"]), (&json!(true), &Value::Null), "{switch}");
    assert!(refused["status"]["message"].as_str().unwrap().contains("members of \"owners\""), "{refused}");
    drop(held);
    assert_eq!(look(20, "own").await["warnings"], Value::Null);
    let (_, metrics) = wire.operations("/metrics").await.unwrap();
    for (answer, count) in [("allowed", 8), ("denied", 1)] {
        let line = format!(r#"portreeve_requests_total{{call="Resources",answer="{answer}",dry_run="no"}} {count}"#);
        assert!(metrics.contains(&line), "{metrics}");
    }
}
