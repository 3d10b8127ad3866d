//! Replicas come and go, and policies change, while pods come in: nobody is turned away who should not be, and every
//! decision is in a book.

use portreeve_tests::server::until;

use crate::replica::Replica;
use crate::scene::{Scene, wants_label};
use crate::users::{IN_FORCE, Users};

const NAMES: [&str; 3] = ["one", "two", "three"];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_replicas_and_policies_change() {
    let Some(mut scene) = Scene::start().await else { return };
    let mut replicas = Vec::new();
    for name in NAMES {
        replicas.push(scene.replica(name).await);
    }
    scene.registered().await;
    let users = Users::begin(&scene, &replicas).await;

    // A rolling update.
    for _ in NAMES {
        let old = replicas.remove(0);
        scene.front.remove(old.webhook);
        let new = old.restart().await;
        scene.front.add(new.webhook);
        replicas.push(new);
        users.go_on().await;
    }
    // Another policy, which finds nothing.
    scene.apply(&wants_label("again", "team")).await;
    for replica in &replicas {
        replica.has_in_force(IN_FORCE + 1).await;
    }
    users.go_on().await;
    if scene.is_own() {
        the_api_server_goes_and_comes_back(&mut scene, &users, &replicas).await;
    }
    // The leader is lost, another leads, and the lost one comes back.
    let leads = || scene.kubectl.run("get lease portreeve -n portreeve -o jsonpath={.spec.holderIdentity}").unwrap();
    let led = leads();
    let lost = replicas.remove(NAMES.iter().position(|name| *name == led).unwrap());
    users.may_lose();
    scene.front.remove(lost.webhook);
    let volume = lost.kill();
    until("another leads", async || leads() != led).await.unwrap();
    let back = volume.again(|_| {}).await;
    scene.front.add(back.webhook);
    replicas.push(back);
    users.go_on().await;

    let served = users.end().await;
    let mut records = Vec::new();
    for replica in replicas {
        records.extend(replica.book().await);
    }
    served.assert_recorded(&records);
}

/// Whoever asks it meanwhile hears nothing, and nothing else.
async fn the_api_server_goes_and_comes_back(scene: &mut Scene, users: &Users, replicas: &[Replica]) {
    users.api_server_is_away(true);
    scene.restart_api_server().await;
    users.api_server_is_away(false);
    users.go_on().await;
    scene.apply(&wants_label("once-more", "team")).await;
    for replica in replicas {
        replica.has_in_force(IN_FORCE + 2).await;
    }
    renewed(scene).await;
    put_back(scene).await;
    users.go_on().await;
}

/// Waits until the leader renews the lease.
async fn renewed(scene: &Scene) {
    let renewed = || scene.kubectl.run("get lease portreeve -n portreeve -o jsonpath={.spec.renewTime}").unwrap();
    let before = renewed();
    until("the lease is renewed", async || renewed() != before).await.unwrap();
}

/// Changes what is registered, and waits until the leader has put it back.
async fn put_back(scene: &Scene) {
    let registration = "validatingwebhookconfiguration portreeve";
    let waits =
        || scene.kubectl.run(&format!("get {registration} -o jsonpath={{.webhooks[0].timeoutSeconds}}")).unwrap();
    let before = waits();
    let change = r#"[{"op":"replace","path":"/webhooks/0/timeoutSeconds","value":29}]"#;
    scene.kubectl.run(&format!("patch {registration} --type=json -p={change}")).unwrap();
    until("the registration is put back", async || waits() == before).await.unwrap();
}
