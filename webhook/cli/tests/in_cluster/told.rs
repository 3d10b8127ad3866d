//! What owners of workloads are told beside the answer: events of what was denied.

use portreeve_tests::api_server::{Answer, Run};
use portreeve_tests::server::until;

use crate::scene::{Scene, deployment, wants_label};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_tells_what_was_denied_and_none_of_a_dry_run() {
    let Some(scene) = Scene::start().await else { return };
    let _replica = scene.replica("one").await;
    scene.registered().await;
    scene.put_in_force(&wants_label("team", "team")).await;
    assert!(scene.refusal(&deployment("dry")).await.is_some());
    let answer = scene.api.create(&deployment("web"), Run::Real).await.unwrap();
    assert!(matches!(answer, Answer::Refused(_)));
    let events = || scene.kubectl.run("get events.events.k8s.io -n shop -o wide").unwrap();
    until("an event tells of it", async || events().contains("web")).await.unwrap();
    assert!(!events().contains("dry"), "{}", events());
}
