//! Replicas come and go, and policies change, while pods come in: nobody is turned away who should not be, and every decision
//! is in a book.

use crate::scene::{Scene, wants_label};
use crate::users::Users;

const NAMES: [&str; 3] = ["one", "two", "three"];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_replicas_and_policies_change() {
    let Some(scene) = Scene::start().await else { return };
    let mut replicas = Vec::new();
    for name in NAMES {
        replicas.push(scene.replica(name).await);
    }
    scene.registered().await;
    let users = Users::begin(&scene).await;

    // A rolling update.
    for _ in NAMES {
        let old = replicas.remove(0);
        scene.front.remove(old.webhook);
        let new = old.restart().await;
        scene.front.add(new.webhook);
        replicas.push(new);
    }
    // Another policy, which finds nothing.
    scene.apply(&wants_label("again", "team")).await;
    for replica in &replicas {
        replica.has_in_force(3).await;
    }
    // The leader is lost, and comes back.
    let leads = scene.kubectl.run("get lease portreeve -n portreeve -o jsonpath={.spec.holderIdentity}").unwrap();
    let lost = replicas.remove(NAMES.iter().position(|name| *name == leads).unwrap());
    users.may_lose();
    scene.front.remove(lost.webhook);
    let back = lost.again(|_| {}).await;
    scene.front.add(back.webhook);
    replicas.push(back);

    let served = users.end().await;
    let mut records = Vec::new();
    for replica in replicas {
        records.extend(replica.book().await);
    }
    served.assert_recorded(&records);
}
