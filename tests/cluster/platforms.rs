//! The five platforms applied to a real API server with the webhook in front: what runs there is created with its
//! defaults in, and applying it all again changes nothing. What must be denied, by the program as users have it, is in
//! `webhook/cli/tests/in_cluster`.

use portreeve_tests::api_server::Run;
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::injected::lacking;
use portreeve_tests::platform::{in_order, named, state};
use serde_json::{Value, json};

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn all_that_runs_on_the_platforms_is_created_with_its_defaults_in() {
    let Some(scene) = Scene::start(Controllers::Absent).await else { return };
    let mut workloads = 0;
    for (platform, object, answer) in scene.apply_all().await {
        let (created, _) = answer.done().unwrap_or_else(|refusal| panic!("{}: {refusal}", named(object)));
        if let Some(expected) = platform.expectation(object) {
            assert_eq!(lacking(&expected.injected, &created), [""; 0], "{}", named(object));
            workloads += 1;
        }
    }
    let admitted = scene.platforms.iter().flat_map(|platform| &platform.expected).filter(|one| one.reason.is_none());
    assert_eq!(workloads, admitted.count());
    println!("{workloads} workloads of {} platforms", scene.platforms.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_it_all_a_second_time_changes_nothing() {
    let Some(scene) = Scene::start(Controllers::Absent).await else { return };
    let mut first = Vec::new();
    for (_, _, answer) in scene.apply_all().await {
        first.push(answer.done().unwrap().0);
    }
    for ((_, object, answer), before) in scene.apply_all().await.into_iter().zip(&first) {
        let (after, _) = answer.done().unwrap_or_else(|refusal| panic!("{}: {refusal}", named(object)));
        assert_eq!(state(&after), state(before), "{}", named(object));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_applying_it_all_a_second_time_with_kubectl() {
    let Some(scene) = Scene::start(Controllers::Absent).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.json");
    let objects: Vec<&Value> = in_order(&scene.platforms).into_iter().flat_map(|platform| &platform.objects).collect();
    std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()).unwrap();
    let apply = || scene.cluster.kubectl.run(&format!("apply -f {}", file.display())).unwrap();
    apply();
    let mut first = Vec::new();
    for object in &objects {
        first.push(scene.cluster.api.get(object).await.unwrap().done().unwrap().0);
    }
    apply();
    for (object, before) in objects.into_iter().zip(&first) {
        let (after, _) = scene.cluster.api.get(object).await.unwrap().done().unwrap();
        assert_eq!(state(&after), state(before), "{}", named(object));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_corrected_and_refused_like_any_and_leaves_no_record() {
    let Some(scene) = Scene::start(Controllers::Absent).await else { return };
    let book = scene.webhook.folder.path().join("book");
    let records = || portreeve_ledger::read(&book).unwrap().count();
    let before = records();
    let platform = &scene.platforms[0];
    let expected = platform.expected.iter().find(|expected| !expected.injected.is_empty()).unwrap();
    let object = platform.objects.iter().find(|object| named(object) == expected.named()).unwrap();
    let (created, _) = scene.cluster.api.create(object, Run::Dry).await.unwrap().done().unwrap();
    assert_eq!(lacking(&expected.injected, &created), [""; 0]);
    scene.cluster.api.create(&platform.denied[0], Run::Dry).await.unwrap().refused().unwrap();
    assert_eq!(records(), before);
    scene.cluster.api.create(object, Run::Real).await.unwrap().done().unwrap();
    assert!(records() > before);
}
