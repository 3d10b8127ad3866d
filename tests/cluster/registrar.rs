//! The registration at a real API server: written once, put back when somebody changes it, taken away.

use portreeve_cluster::registrar::{Configuration, Registrar, RegistrarError, Removal};
use portreeve_cluster::registration::Configurations;
use portreeve_tests::api_server::Run;
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::server::until;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::unanswered::{NAME, configurations, of_templates};

/// The configuration of this kind, by its name alone.
fn named(kind: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": format!("{kind}WebhookConfiguration"),
        "metadata": {"name": NAME},
    })
}

/// It as it stands; null if it does not.
async fn stored(cluster: &Cluster, kind: &str) -> Value {
    cluster.api.get(&named(kind)).await.unwrap().done().map_or(Value::Null, |(object, _)| object)
}

async fn path(cluster: &Cluster, kind: &str) -> String {
    let stored = stored(cluster, kind).await;
    stored.pointer("/webhooks/0/clientConfig/url").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What is wanted, kept in the cluster by a task of its own until this is dropped.
struct Kept {
    wanted: watch::Sender<Configurations>,
}

impl Kept {
    fn start(registrar: &Registrar, configurations: Configurations) -> Self {
        let (wanted, told) = watch::channel(configurations);
        let registrar = registrar.clone();
        tokio::spawn(async move { registrar.keep(told).await });
        Self { wanted }
    }
}

#[tokio::test]
async fn what_is_written_is_there_and_written_again_changes_nothing() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let registrar = Registrar::new(cluster.api.client());
    let wanted = configurations(&cluster, &[of_templates()], "token").await;
    let first = registrar.write(&wanted).await.unwrap();
    assert_eq!(path(&cluster, "Mutating").await, "https://127.0.0.1:1/mutate/token");
    assert_eq!(path(&cluster, "Validating").await, "https://127.0.0.1:1/validate/token");
    assert_eq!(registrar.write(&wanted).await.unwrap(), first);
    registrar.remove(NAME).await.unwrap();
}

#[tokio::test]
async fn what_somebody_changes_is_put_back_and_what_we_change_is_written() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let registrar = Registrar::new(cluster.api.client());
    let kept = Kept::start(&registrar, configurations(&cluster, &[of_templates()], "first").await);
    until("it is written", async || path(&cluster, "Mutating").await.ends_with("/first")).await.unwrap();

    let mut opened = stored(&cluster, "Validating").await;
    opened["webhooks"][0]["failurePolicy"] = json!("Ignore");
    opened["webhooks"][0]["rules"] = json!([]);
    cluster.api.merge(&opened, &json!({"webhooks": opened["webhooks"]})).await.unwrap().done().unwrap();
    let mended = async || {
        let entry = stored(&cluster, "Validating").await["webhooks"][0].clone();
        entry["failurePolicy"] == "Fail" && entry["rules"].as_array().is_some_and(|rules| !rules.is_empty())
    };
    until("it is put back", mended).await.unwrap();

    cluster.api.delete(&named("Mutating")).await.unwrap().done().unwrap();
    until("it is there again", async || path(&cluster, "Mutating").await.ends_with("/first")).await.unwrap();

    kept.wanted.send(configurations(&cluster, &[of_templates()], "second").await).unwrap();
    until("the new token is in the path", async || path(&cluster, "Validating").await.ends_with("/second"))
        .await
        .unwrap();
    drop(kept);
    registrar.remove(NAME).await.unwrap();
}

#[tokio::test]
async fn what_is_ours_is_taken_away_and_what_is_anothers_stays() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let registrar = Registrar::new(cluster.api.client());
    let removed = async || registrar.remove(NAME).await.map(|removals| removals.map(|(_, removal)| removal));
    registrar.write(&configurations(&cluster, &[of_templates()], "token").await).await.unwrap();
    assert_eq!(removed().await.unwrap(), [Removal::Removed; 2]);
    assert_eq!(removed().await.unwrap(), [Removal::Absent; 2]);

    cluster.api.create(&named("Validating"), Run::Real).await.unwrap().done().unwrap();
    let error = removed().await.unwrap_err();
    assert!(matches!(error, RegistrarError::NotOurs { configuration: Configuration::Validating, .. }), "{error}");
    assert_ne!(stored(&cluster, "Validating").await, Value::Null);
    cluster.api.delete(&named("Validating")).await.unwrap().done().unwrap();
}
