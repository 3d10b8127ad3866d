//! Certificate, CA and path token are renewed while pods come in, as `portreeve cluster rotate` asks for it: old and
//! new are good for as long as anybody may hold the old, nobody is turned away, and every decision is in a book.

use std::process::{Command, Output};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portreeve_tests::server::until;
use serde_json::json;

use crate::scene::Scene;
use crate::users::Users;

/// What the API server was told: the CAs that it trusts, and the path that it calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// As PEM.
    pub(crate) bundle: String,
    /// Its last part, which is the token.
    pub(crate) path: String,
}

impl Told {
    /// How many CAs it trusts.
    pub(crate) fn cas(&self) -> usize {
        self.bundle.matches("BEGIN CERTIFICATE").count()
    }
}

/// What it was told last.
pub(crate) fn told(scene: &Scene) -> Told {
    let of = |field: &str| {
        let path = format!("jsonpath={{.webhooks[?(@.name==\"validate.portreeve.dev\")].clientConfig.{field}}}");
        scene.kubectl.run(&format!("get validatingwebhookconfiguration portreeve -o {path}")).unwrap()
    };
    let url = of("url");
    Told {
        bundle: String::from_utf8(STANDARD.decode(of("caBundle")).unwrap()).unwrap(),
        path: url.rsplit('/').next().unwrap().to_owned(),
    }
}

/// The serving certificate that the replicas share.
fn certificate(scene: &Scene) -> String {
    scene.kubectl.run("get secret portreeve -n portreeve -o jsonpath={.data.tls\\.crt}").unwrap()
}

/// Asks for a renewal of the certificate that replicas share.
pub(crate) fn rotate(scene: &Scene, more: &[&str]) {
    rotate_in("portreeve", scene, more);
}

/// Asks for a renewal of what is in a Secret.
pub(crate) fn rotate_in(secret: &str, scene: &Scene, more: &[&str]) {
    // Times of certificates are whole seconds: what was made in the second of the request is not from before it.
    std::thread::sleep(Duration::from_secs(1));
    let output = asked(scene, &[&["--secret", secret], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn asked(scene: &Scene, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.args(["cluster", "rotate", "--namespace", "portreeve", "--kubeconfig"]).arg(scene.kubeconfig());
    command.args(more).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_turned_away_while_certificate_ca_and_token_are_renewed() {
    let Some(scene) = Scene::start().await else { return };
    // As short as may be, so that a CA takes over while we watch.
    let soon = json!({"overlapSeconds": 60});
    let rotating = |name| scene.replica_with(name, |config| config["kubernetes"]["rotation"] = soon.clone());
    let replicas = [rotating("one").await, rotating("two").await];
    scene.registered().await;
    let nobodys = asked(&scene, &["--secret", "portreve"]);
    assert_eq!(nobodys.status.code(), Some(1));
    let words = String::from_utf8_lossy(&nobodys.stderr);
    assert!(words.contains("there is no Secret \"portreve\" in the namespace \"portreeve\""), "{words}");

    let (first, first_certificate) = (told(&scene), certificate(&scene));
    let users = Users::begin(&scene, &replicas).await;

    rotate(&scene, &[]);
    until("there is a new certificate", async || certificate(&scene) != first_certificate).await.unwrap();
    rotate(&scene, &["--authority"]);
    until("both CAs are trusted", async || told(&scene).cas() == 2).await.unwrap();
    assert!(told(&scene).bundle.contains(first.bundle.trim()));
    let by_the_old_ca = certificate(&scene);
    until("the new CA signs", async || certificate(&scene) != by_the_old_ca).await.unwrap();
    until("another token is registered", async || told(&scene).path != first.path).await.unwrap();

    let served = users.end().await;
    let mut records = Vec::new();
    for replica in replicas {
        records.extend(replica.book().await);
    }
    served.assert_recorded(&records);
}
