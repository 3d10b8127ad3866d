//! The registration at a real API server: written once, put back when somebody changes it, taken away.

use portreeve_cluster::registrar::{Configuration, Lacking, Registrar, RegistrarError, Removal, Target, Trouble};
use portreeve_tests::api_server::Run;
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::server::until;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::unanswered::{NAME, asked, configurations, of_templates, site};

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
    wanted: watch::Sender<Target>,
    trouble: watch::Receiver<Trouble>,
}

impl Kept {
    fn start(registrar: &Registrar, first: Target) -> Self {
        let (wanted, told) = watch::channel(first);
        let (tell, trouble) = watch::channel(None);
        let registrar = registrar.clone();
        tokio::spawn(async move { registrar.keep(told, tell).await });
        Self { wanted, trouble }
    }
}

/// What a policy of templates asks for, reached by this token.
async fn wanted(cluster: &Cluster, token: &str) -> Target {
    Target { registration: Some(asked(cluster, &[of_templates()]).await), site: site(token) }
}

/// The same with a selector that no API server takes.
async fn refused(cluster: &Cluster, token: &str) -> Target {
    let mut registration = asked(cluster, &[of_templates()]).await;
    registration.mutating.namespaces.match_labels = Some([("a b".to_owned(), String::new())].into());
    Target { registration: Some(registration), site: site(token) }
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
    let kept = Kept::start(&registrar, wanted(&cluster, "first").await);
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

    kept.wanted.send(wanted(&cluster, "second").await).unwrap();
    until("the new token is in the path", async || path(&cluster, "Validating").await.ends_with("/second"))
        .await
        .unwrap();
    drop(kept);
    registrar.remove(NAME).await.unwrap();
}

#[tokio::test]
async fn what_somebody_adds_is_taken_away() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let registrar = Registrar::new(cluster.api.client());
    let kept = Kept::start(&registrar, wanted(&cluster, "first").await);
    until("it is written", async || path(&cluster, "Mutating").await.ends_with("/first")).await.unwrap();

    for kind in ["Mutating", "Validating"] {
        let before = stored(&cluster, kind).await["webhooks"].clone();
        let mut more = before.clone();
        let mut other = before[0].clone();
        other["name"] = json!("x.y.z");
        more.as_array_mut().unwrap().push(other);
        let never = json!({"name": "never", "expression": "false"});
        more[0]["matchConditions"].as_array_mut().unwrap().push(never);
        cluster.api.merge(&named(kind), &json!({"webhooks": more})).await.unwrap().done().unwrap();
        until("they are gone", async || stored(&cluster, kind).await["webhooks"] == before).await.unwrap();
    }
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

/// Waits until both are called by this token, with the rules that they had.
async fn moved(cluster: &Cluster, token: &str, rules: &[Value; 2]) {
    let called = async |kind: &str| path(cluster, kind).await.ends_with(token);
    until("the token is in both", async || called("Mutating").await && called("Validating").await).await.unwrap();
    assert_eq!(&both_rules(cluster).await, rules);
}

async fn both_rules(cluster: &Cluster) -> [Value; 2] {
    let of = async |kind: &str| stored(cluster, kind).await["webhooks"][0]["rules"].clone();
    [of("Mutating").await, of("Validating").await]
}

#[tokio::test]
async fn what_the_api_server_refuses_leaves_what_was_there_and_keeps_no_token_from_it() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let registrar = Registrar::new(cluster.api.client());
    let mut kept = Kept::start(&registrar, wanted(&cluster, "first").await);
    until("it is written", async || path(&cluster, "Mutating").await.ends_with("/first")).await.unwrap();
    let rules = both_rules(&cluster).await;
    assert!(rules.iter().all(|rules| rules.as_array().is_some_and(|rules| !rules.is_empty())), "{rules:?}");

    kept.wanted.send(refused(&cluster, "second").await).unwrap();
    moved(&cluster, "/second", &rules).await;
    let trouble = kept.trouble.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    let Lacking::Asked(trouble) = trouble else { panic!("{trouble:?}") };
    assert!(trouble.to_string().contains("MutatingWebhookConfiguration"), "{trouble}");

    // Somebody else's change is put back all the same.
    cluster.api.delete(&named("Mutating")).await.unwrap().done().unwrap();
    moved(&cluster, "/second", &rules).await;

    // A new leader finds nothing but what is registered.
    drop(kept);
    let mut next = Kept::start(&registrar, refused(&cluster, "third").await);
    moved(&cluster, "/third", &rules).await;
    next.wanted.send(Target { registration: None, site: site("fourth") }).unwrap();
    moved(&cluster, "/fourth", &rules).await;
    next.wanted.send(wanted(&cluster, "fifth").await).unwrap();
    moved(&cluster, "/fifth", &rules).await;
    next.trouble.wait_for(Option::is_none).await.unwrap();
    drop(next);
    registrar.remove(NAME).await.unwrap();
}

/// A policy of the cluster that forbids selectors with this label, and how it is bound.
fn guard(label: &str) -> [Value; 2] {
    let rule = json!({
        "apiGroups": ["admissionregistration.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    });
    let expression = format!("object.webhooks.all(w, !('{label}' in w.?namespaceSelector.matchLabels.orValue({{}})))");
    let object = |kind: &str, spec: Value| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "guard"}, "spec": spec,
        })
    };
    let validation = json!({"expression": expression, "reason": "Forbidden", "message": "not with this label"});
    [
        object(
            "ValidatingAdmissionPolicy",
            json!({"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]}),
        ),
        object("ValidatingAdmissionPolicyBinding", json!({"policyName": "guard", "validationActions": ["Deny"]})),
    ]
}

#[tokio::test]
async fn what_a_policy_of_the_cluster_forbids_keeps_no_token_from_it() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let registrar = Registrar::new(cluster.api.client());
    let mut kept = Kept::start(&registrar, wanted(&cluster, "first").await);
    until("it is written", async || path(&cluster, "Mutating").await.ends_with("/first")).await.unwrap();
    let rules = both_rules(&cluster).await;
    let guard = guard("guarded");
    for object in &guard {
        cluster.api.create(object, Run::Real).await.unwrap().done().unwrap();
    }
    let mut forbidden = wanted(&cluster, "second").await;
    for entry in forbidden.registration.iter_mut().flat_map(|asked| [&mut asked.mutating, &mut asked.validating]) {
        entry.namespaces.match_labels = Some([("guarded".to_owned(), "yes".to_owned())].into());
    }
    let mut probe = stored(&cluster, "Mutating").await;
    probe["metadata"] = json!({"name": "probe"});
    probe["webhooks"][0]["namespaceSelector"] = json!({"matchLabels": {"guarded": "yes"}});
    let refused = async || cluster.api.create(&probe, Run::Dry).await.unwrap().done().is_err();
    until("the policy is in force", refused).await.unwrap();

    kept.wanted.send(forbidden).unwrap();
    moved(&cluster, "/second", &rules).await;
    let trouble = kept.trouble.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert!(matches!(trouble, Lacking::Asked(_)), "{trouble:?}");
    for object in &guard {
        cluster.api.delete(object).await.unwrap().done().unwrap();
    }
    drop(kept);
    registrar.remove(NAME).await.unwrap();
}

#[tokio::test]
async fn where_nothing_is_registered_and_nothing_may_be_nothing_is_written() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let registrar = Registrar::new(cluster.api.client());
    let mut kept = Kept::start(&registrar, Target { registration: None, site: site("first") });
    kept.trouble.changed().await.unwrap();
    assert!(kept.trouble.borrow().is_none());
    assert_eq!([stored(&cluster, "Mutating").await, stored(&cluster, "Validating").await], [Value::Null, Value::Null]);
    kept.wanted.send(wanted(&cluster, "second").await).unwrap();
    until("it is written", async || path(&cluster, "Mutating").await.ends_with("/second")).await.unwrap();
    drop(kept);
    registrar.remove(NAME).await.unwrap();
}
