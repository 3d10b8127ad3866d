//! One trace, from the user who asks the API server to the policy that judges what he sent.

use portreeve_tests::api_server::{Answer, Run};
use portreeve_tests::collector::Collector;
use serde_json::json;

use crate::scene::{Scene, deployment, wants_label};

/// A trace that the user began.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_a_user_began_goes_through_the_api_server_to_the_policies() {
    let Some(scene) = Scene::start().await else { return };
    let collector = Collector::start().await.unwrap();
    let traces = json!({"endpoint": collector.endpoint(), "sampleRatio": 0});
    let replica = scene.replica_with("one", |config| config["traces"] = traces).await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    let user = scene.api.in_trace(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
    assert!(matches!(user.create(&deployment("web"), Run::Real).await.unwrap(), Answer::Refused(_)));
    // What others ask meanwhile is in no trace of anybody.
    assert!(scene.refusal(&deployment("other")).await.is_some());
    assert!(replica.stop().await);

    let spans = collector.seen();
    assert!(!spans.is_empty() && spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    let call = spans.iter().find(|span| span.name == "validate").unwrap();
    assert_eq!(call.says["portreeve.answer"], "denied");
    assert!(
        call.serves && !call.parent.is_empty() && call.parent != SPAN,
        "the API server's own span lies between: {call:?}"
    );
    assert!(spans.iter().any(|span| span.name == "evaluate" && span.parent == call.id), "{spans:#?}");
}
