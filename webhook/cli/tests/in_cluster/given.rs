//! Certificates that somebody else makes and gives us as files, as a controller in the cluster does: configured as the
//! chart does it, mounted as the kubelet does it. Another CA comes with another certificate, at one replica sooner than
//! at the other, and nobody is turned away. The token is ours all the same, and renewed by us.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, Existing, RotationPolicy, ServerNames};
use portreeve_tests::server::until;
use serde_json::{Value, json};

use crate::replica::Replica;
use crate::rotation::{rotate_in, told};
use crate::scene::{Scene, deployment, wants_label};
use crate::users::Users;

/// How long a new certificate waits, in seconds. The old CA stays for three times as long.
const OVERLAP: u64 = 10;

/// A Secret: a CA, and a certificate that it signed.
pub(crate) struct Secret(CertificateFolder);

impl Secret {
    /// A new one under a name.
    pub(crate) fn make(at: &Path, name: &str) -> Self {
        let folder = CertificateFolder::new(at.join(name));
        let policy = RotationPolicy::new(ServerNames::parse(["localhost", "127.0.0.1"]).unwrap());
        folder.create(Timestamp::now(), &policy, Existing::Keep).unwrap();
        Self(folder)
    }

    fn authority(&self) -> String {
        fs::read_to_string(self.0.bundle()).unwrap()
    }
}

/// What a replica has mounted of it.
pub(crate) struct Mount(PathBuf);

impl Mount {
    pub(crate) fn of(secret: &Secret, at: &Path, name: &str) -> Self {
        let mount = Self(at.join(name));
        fs::create_dir(&mount.0).unwrap();
        mount.hold(secret);
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(file), mount.0.join(file)).unwrap();
        }
        mount
    }

    /// Has all files replaced at once.
    fn hold(&self, secret: &Secret) {
        let version = self.0.join(format!("..{}", secret.0.path().file_name().unwrap().display()));
        fs::create_dir(&version).unwrap();
        let files =
            [("tls.crt", secret.0.leaf_certificate()), ("tls.key", secret.0.leaf_key()), ("ca.crt", secret.0.bundle())];
        for (name, from) in files {
            fs::copy(from, version.join(name)).unwrap();
            fs::set_permissions(version.join(name), Permissions::from_mode(0o600)).unwrap();
        }
        symlink(&version, self.0.join("..new")).unwrap();
        fs::rename(self.0.join("..new"), self.0.join("..data")).unwrap();
    }

    /// With a token that is given as well.
    fn configure(&self, tokens: &CertificateFolder, config: &mut Value) {
        self.configure_certificate(config);
        config["callers"] = json!({"tokenFolder": tokens.path()});
        config["kubernetes"]["registration"]["overlapSeconds"] = json!(OVERLAP);
    }

    /// With a token of ours in a Secret of this name, renewed as soon as may be.
    fn configure_with_tokens_in(&self, secret: &str, config: &mut Value) {
        self.configure_certificate(config);
        config["callers"] = json!({"tokenFolder": "tokens"});
        config["kubernetes"]["tokenSecret"] = json!(secret);
        config["kubernetes"]["rotation"] = json!({"overlapSeconds": 60});
    }

    /// The certificate alone.
    pub(crate) fn configure_certificate(&self, config: &mut Value) {
        config["tls"] = json!({"certificate": self.0.join("tls.crt"), "key": self.0.join("tls.key")});
        let kubernetes = config["kubernetes"].as_object_mut().unwrap();
        kubernetes.remove("certificateSecret");
        kubernetes["registration"]["caFile"] = json!(self.0.join("ca.crt"));
    }
}

/// How often a replica took up another certificate.
fn taken_up(replica: &Replica) -> usize {
    replica.log().matches("the serving certificate was loaded again").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_turned_away_while_files_of_another_ca_come_to_one_replica_after_the_other() {
    let Some(scene) = Scene::start().await else { return };
    let at = scene.folder();
    let first = Secret::make(at, "first");
    let mounts = ["mount-one", "mount-two"].map(|name| Mount::of(&first, at, name));
    let replicas = [
        scene.replica_with("one", |config| mounts[0].configure(&first.0, config)).await,
        scene.replica_with("two", |config| mounts[1].configure(&first.0, config)).await,
    ];
    scene.registered().await;
    assert_eq!(told(&scene).bundle.trim(), first.authority().trim());
    let users = Users::begin(&scene, &replicas).await;

    let mut before = first;
    // The leader has its files first, then the other one.
    for (renewals, (name, order)) in [("second", [0, 1]), ("third", [1, 0])].into_iter().enumerate() {
        let next = Secret::make(at, name);
        mounts[order[0]].hold(&next);
        tokio::time::sleep(Duration::from_secs(OVERLAP / 2)).await;
        mounts[order[1]].hold(&next);
        until("both CAs are trusted", async || told(&scene).cas() == 2).await.unwrap();
        let bundle = told(&scene).bundle;
        assert!(bundle.contains(before.authority().trim()) && bundle.contains(next.authority().trim()));
        let taken = async || replicas.iter().all(|replica| taken_up(replica) == renewals + 1);
        until("both serve what they were given", taken).await.unwrap();
        until("the old CA is trusted no more", async || told(&scene).cas() == 1).await.unwrap();
        assert_eq!(told(&scene).bundle.trim(), next.authority().trim());
        users.go_on().await;
        before = next;
    }

    everybody_was_served(users, replicas).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_turned_away_while_we_renew_the_token_beside_a_given_certificate() {
    let Some(scene) = Scene::start().await else { return };
    let secret = Secret::make(scene.folder(), "given");
    let mount = Mount::of(&secret, scene.folder(), "mount");
    let replica = |name| scene.replica_with(name, |config| mount.configure_with_tokens_in("tokens", config));
    let replicas = [replica("one").await, replica("two").await];
    scene.registered().await;
    let first = told(&scene);
    assert_eq!(first.bundle.trim(), secret.authority().trim());
    let users = Users::begin(&scene, &replicas).await;

    rotate_in("tokens", &scene, &[]);
    until("another token is registered", async || told(&scene).path != first.path).await.unwrap();
    assert_eq!(told(&scene).bundle, first.bundle);
    users.go_on().await;

    everybody_was_served(users, replicas).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_leader_knows_of_no_secret_of_tokens_serves_all_the_same() {
    let Some(scene) = Scene::start().await else { return };
    let secret = Secret::make(scene.folder(), "given");
    let mount = Mount::of(&secret, scene.folder(), "mount");
    let before = scene.replica_with("before", |config| mount.configure(&secret.0, config)).await;
    scene.registered().await;
    let first = told(&scene);
    let after = scene.replica_with("after", |config| mount.configure_with_tokens_in("tokens", config)).await;
    scene.front.remove(before.webhook);
    assert!(before.stop().await);
    until("its token is registered", async || told(&scene).path != first.path).await.unwrap();
    scene.put_in_force(&wants_label("team", "team")).await;
    let denied = scene.denial(&deployment("web")).await;
    assert!(denied.contains("denied the request"), "{denied}");
    assert!(after.stop().await);
}

/// Ends it all: each user was answered, and each answer is in a book.
async fn everybody_was_served(users: Users, replicas: [Replica; 2]) {
    let served = users.end().await;
    let mut records = Vec::new();
    for replica in replicas {
        records.extend(replica.book().await);
    }
    served.assert_recorded(&records);
}
