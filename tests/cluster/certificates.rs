//! Our own CA, or the token alone, in a Secret of a real API server: made once, renewed by whoever leads, served by
//! every replica.

use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{
    CertificateFolder, Existing, FolderContents, PathTokens, Renewal, RotationPolicy, ServerNames, ServingCertificate,
};
use portreeve_cluster::certificates::{CertificateSecret, CertificateSecretError};
use portreeve_cluster::rotation::{Renewable, RotationRequests};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::server::until;
use serde_json::json;
use tokio::sync::watch;

use crate::cluster::Cluster;

const NAMESPACE: &str = "certificates";
const SECRET: &str = "portreeve-tests";

const DAY: Duration = Duration::from_secs(86_400);

async fn scene() -> Option<(Cluster, CertificateSecret)> {
    let cluster = Cluster::start(Controllers::Absent).await?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    cluster.make_namespace(&namespace).await;
    let secret = CertificateSecret::new(cluster.api.client(), NAMESPACE, SECRET);
    Some((cluster, secret))
}

fn policy() -> RotationPolicy {
    RotationPolicy::new(ServerNames::parse(["portreeve.portreeve.svc"]).unwrap())
}

#[tokio::test]
async fn the_first_renewal_makes_it_and_the_next_does_nothing() {
    let Some((_cluster, secret)) = scene().await else { return };
    let now = Timestamp::now();
    let made = secret.renew(now, &policy()).await.unwrap();
    assert!(!made.done.is_empty() && made.next > now);
    let again = secret.renew(now, &policy()).await.unwrap();
    assert_eq!((again.done, again.contents), (Vec::new(), made.contents.clone()));
    assert_eq!(secret.to_serve(&policy()).await.unwrap(), made.contents.to_serve(&policy()));
}

#[tokio::test]
async fn old_and_new_ca_are_trusted_while_one_takes_over_from_the_other() {
    let Some((_cluster, secret)) = scene().await else { return };
    let now = Timestamp::now();
    let cas = |contents: &FolderContents| {
        let bundle = String::from_utf8(contents.bundle().unwrap().to_vec()).unwrap();
        bundle.matches("BEGIN CERTIFICATE").count()
    };
    assert_eq!(cas(&secret.renew(now, &policy()).await.unwrap().contents), 1);
    let two_thirds = now + 245 * DAY;
    let announced = secret.renew(two_thirds, &policy()).await.unwrap().contents;
    assert_eq!(cas(&announced), 2);
    let promoted = secret.renew(two_thirds + DAY * 2, &policy()).await.unwrap().contents;
    assert_eq!((cas(&promoted), promoted.bundle()), (2, announced.bundle()));
    assert_ne!(promoted.to_serve(&policy()), announced.to_serve(&policy()));
}

#[tokio::test]
async fn every_replica_serves_with_what_the_leader_made() {
    let Some((cluster, secret)) = scene().await else { return };
    let scratch = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(scratch.path().join("served"));
    let (tell, told) = watch::channel(FolderContents::default());
    let following = tokio::spawn({
        let (secret, folder) = (secret.clone(), folder.clone());
        async move { secret.follow(&folder, &policy(), tell).await }
    });
    let made = secret.renew(Timestamp::now(), &policy()).await.unwrap().contents;
    until("the replica has it", async || *told.borrow() == made.clone().to_serve(&policy())).await.unwrap();
    assert!(ServingCertificate::load(&folder.leaf_certificate(), &folder.leaf_key()).is_ok());
    let tokens = PathTokens::load(&folder, Timestamp::now()).unwrap();
    assert_eq!(Some(tokens.current()), made.token());
    assert!(!folder.path().join("ca.key").exists());

    cluster.kubectl.run(&format!("delete secret -n {NAMESPACE} {SECRET}")).unwrap();
    let remade = secret.renew(Timestamp::now(), &policy()).await.unwrap().contents;
    until("the replica has the new one", async || *told.borrow() == remade.clone().to_serve(&policy())).await.unwrap();
    drop(told);
    following.await.unwrap();
}

#[tokio::test]
async fn whoever_leads_keeps_it_there() {
    let Some((cluster, secret)) = scene().await else { return };
    let kept = tokio::spawn({
        let secret = secret.clone();
        let requests = RotationRequests::about(cluster.api.client(), NAMESPACE, SECRET);
        async move { secret.keep_renewed(&policy(), &requests).await }
    });
    let is_made = async || secret.to_serve(&policy()).await.is_ok_and(|contents| !contents.is_empty());
    until("it is made", is_made).await.unwrap();
    kept.abort();
}

#[tokio::test]
async fn whoever_waits_makes_what_nobody_made_and_renews_nothing() {
    let Some((_cluster, secret)) = scene().await else { return };
    let (now, of_tokens) = (Timestamp::now(), RotationPolicy::of_tokens());
    let (one, other) = tokio::join!(secret.make(now, &of_tokens), secret.make(now, &of_tokens));
    one.and(other).unwrap();
    let made = secret.to_serve(&of_tokens).await.unwrap();
    assert!(made.serves(&of_tokens));
    secret.make(now + 60 * DAY, &of_tokens).await.unwrap();
    assert_eq!(secret.to_serve(&of_tokens).await.unwrap(), made);
}

#[tokio::test]
async fn what_is_damaged_is_left_alone_and_told() {
    let Some((cluster, secret)) = scene().await else { return };
    let command =
        format!("create secret generic -n {NAMESPACE} {SECRET} --from-literal=ca.crt=nonsense --from-literal=ca.key=k");
    cluster.kubectl.run(&command).unwrap();
    let error = secret.renew(Timestamp::now(), &policy()).await.unwrap_err();
    assert!(matches!(error, CertificateSecretError::Unusable { .. }), "{error:?}");
}

#[tokio::test]
async fn whoever_leads_renews_once_what_somebody_asks_for() {
    let Some((cluster, secret)) = scene().await else { return };
    let requests = RotationRequests::about(cluster.api.client(), NAMESPACE, SECRET);
    let made = secret.renew(Timestamp::now() - DAY, &policy()).await.unwrap().contents.to_serve(&policy());
    let kept = tokio::spawn({
        let (secret, requests) = (secret.clone(), requests.clone());
        async move { secret.keep_renewed(&policy(), &requests).await }
    });
    requests.ask(Renewable::Certificate, Timestamp::now()).await.unwrap();
    let holds = async || secret.to_serve(&policy()).await.unwrap();
    until("it is renewed", async || holds().await != made).await.unwrap();
    let renewed = holds().await;
    assert_eq!(renewed.bundle(), made.bundle());
    requests.ask(Renewable::Authority, Timestamp::now()).await.unwrap();
    until("a new CA is trusted too", async || holds().await.bundle() != made.bundle()).await.unwrap();
    kept.abort();
}

#[tokio::test]
async fn tokens_alone_are_made_followed_and_renewed_once_when_somebody_asks() {
    let Some((cluster, secret)) = scene().await else { return };
    let scratch = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(scratch.path().join("tokens"));
    let (tell, told) = watch::channel(FolderContents::default());
    let following = tokio::spawn({
        let (secret, folder) = (secret.clone(), folder.clone());
        async move { secret.follow(&folder, &RotationPolicy::of_tokens(), tell).await }
    });
    let requests = RotationRequests::about(cluster.api.client(), NAMESPACE, SECRET);
    let made = secret.renew(Timestamp::now() - DAY, &RotationPolicy::of_tokens()).await.unwrap().contents;
    assert_eq!(made.files().map(|(name, _)| name).collect::<Vec<_>>(), ["token", "tokens"]);
    until("the replica has it", async || *told.borrow() == made).await.unwrap();
    assert_eq!(Some(PathTokens::load(&folder, Timestamp::now()).unwrap().current()), made.token());

    let kept = tokio::spawn({
        let (secret, requests) = (secret.clone(), requests.clone());
        async move { secret.keep_renewed(&RotationPolicy::of_tokens(), &requests).await }
    });
    requests.ask(Renewable::Certificate, Timestamp::now()).await.unwrap();
    until("another is announced to the replica", async || *told.borrow() != made).await.unwrap();
    assert_eq!(told.borrow().token(), made.token());
    let in_a_day = PathTokens::load(&folder, Timestamp::now() + DAY * 2).unwrap();
    assert_ne!(Some(in_a_day.current()), made.token());
    kept.abort();
    drop(told);
    following.await.unwrap();
}

#[tokio::test]
async fn tokens_that_somebody_made_by_hand_are_gone_on_with() {
    let Some((cluster, secret)) = scene().await else { return };
    let scratch = tempfile::tempdir().unwrap();
    let folder = CertificateFolder::new(scratch.path().join("made"));
    folder.create(Timestamp::now() - DAY, &policy(), Existing::Keep).unwrap();
    let (token, tokens) = (folder.token(), folder.tokens());
    let files = format!("--from-file={} --from-file={}", token.display(), tokens.display());
    cluster.kubectl.run(&format!("create secret generic -n {NAMESPACE} {SECRET} {files}")).unwrap();
    let now = Timestamp::now();
    let untouched = secret.renew(now, &RotationPolicy::of_tokens()).await.unwrap();
    assert_eq!(untouched.done, []);
    assert_eq!(untouched.contents.token(), folder.contents().unwrap().token());
    let renewed = secret.renew(now + 60 * DAY, &RotationPolicy::of_tokens()).await.unwrap();
    assert_eq!(renewed.done, [Renewal::TokenAnnounced]);
    assert_eq!(renewed.contents.token(), untouched.contents.token());
}

#[tokio::test]
async fn a_copy_that_can_not_be_kept_is_tried_again() {
    let Some((_cluster, secret)) = scene().await else { return };
    let scratch = tempfile::tempdir().unwrap();
    // A file where the folder belongs.
    let path = scratch.path().join("served");
    std::fs::write(&path, "").unwrap();
    let folder = CertificateFolder::new(&path);
    let (tell, mut told) = watch::channel(FolderContents::default());
    let made = secret.renew(Timestamp::now(), &policy()).await.unwrap().contents.to_serve(&policy());
    let following = tokio::spawn({
        let (secret, folder) = (secret.clone(), folder.clone());
        async move { secret.follow(&folder, &policy(), tell).await }
    });
    let soon = tokio::time::timeout(Duration::from_secs(3), told.changed());
    assert!(soon.await.is_err(), "it was told of what is not kept");
    std::fs::remove_file(&path).unwrap();
    told.wait_for(|contents| *contents == made).await.unwrap();
    assert_eq!(folder.contents().unwrap(), made);
    drop(told);
    following.await.unwrap();
}

#[tokio::test]
async fn what_is_emptied_is_made_anew() {
    let Some((cluster, secret)) = scene().await else { return };
    let first = secret.renew(Timestamp::now(), &policy()).await.unwrap().contents;
    let empty = r#"[{"op":"remove","path":"/data"}]"#;
    cluster.kubectl.run(&format!("patch secret -n {NAMESPACE} {SECRET} --type=json -p {empty}")).unwrap();
    let second = secret.renew(Timestamp::now(), &policy()).await.unwrap().contents;
    assert_ne!(first.bundle(), second.bundle());
}
