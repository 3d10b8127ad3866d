//! What a cluster comes back by, tried on the cluster itself: each thing is created as a dry run, which asks every webhook
//! that is registered, and stores nothing. Whether it would be held up by what *will* be registered is worked out in
//! `registration::doctor`.

use std::fmt;

use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};
use portreeve_admission::case::GroupVersionKind;
use portreeve_admission::recovery::role;
use serde_json::{Value, json};

/// Names of our webhooks end so, and a refusal names the webhook.
const OURS: &str = ".portreeve.dev\"";

/// One trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What was tried, such as `Pod in kube-system`.
    pub what: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody stood in the way.
    Passed,
    /// We did, in these words.
    HeldUp(String),
    /// Somebody else did, in these words; whether we would have is not known.
    Unknown(String),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Passed => write!(f, "{}: passes", self.what),
            Outcome::HeldUp(words) => write!(f, "{}: held up by us: {words}", self.what),
            Outcome::Unknown(words) => write!(f, "{}: not known, since somebody else refuses: {words}", self.what),
        }
    }
}

/// Tries what a cluster, and we ourselves in `own` namespace, come back by. `namespaces` are those that there are.
pub async fn prove<'a>(client: &Client, own: &str, namespaces: impl IntoIterator<Item = &'a String>) -> Vec<Proof> {
    let mut proofs = vec![
        tried(client, "v1", "Node", None).await,
        tried(client, "coordination.k8s.io/v1", "Lease", Some("kube-node-lease")).await,
        tried(client, "coordination.k8s.io/v1", "Lease", Some(own)).await,
    ];
    for namespace in namespaces {
        if namespace == own || role(namespace).is_some() {
            proofs.push(tried(client, "v1", "Pod", Some(namespace)).await);
        }
    }
    proofs
}

async fn tried(client: &Client, api_version: &str, kind: &str, namespace: Option<&str>) -> Proof {
    let outcome = match create(client, api_version, kind, namespace).await {
        Ok(()) => Outcome::Passed,
        Err(error) if error.contains(OURS) => Outcome::HeldUp(error),
        Err(error) => Outcome::Unknown(error),
    };
    let what = namespace.map_or_else(|| kind.to_owned(), |namespace| format!("{kind} in {namespace}"));
    Proof { what, outcome }
}

async fn create(client: &Client, api_version: &str, kind: &str, namespace: Option<&str>) -> Result<(), String> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let named = GroupVersionKind { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() };
    let resource = crate::api_resource(&named);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let object = serde_json::from_value(object(api_version, kind, namespace)).map_err(|error| error.to_string())?;
    let created = api.create(&PostParams { dry_run: true, field_manager: None }, &object).await;
    match created {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(refusal)) => Err(refusal.message.clone()),
        Err(error) => Err(error.to_string()),
    }
}

/// The least that the API server takes. Of a Pod it has what every level of Pod Security asks for, so that the built-in
/// controller stands in nobody's way.
fn object(api_version: &str, kind: &str, namespace: Option<&str>) -> Value {
    let spec = match kind {
        "Pod" => json!({
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "doctor",
                "image": "portreeve.invalid/doctor",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        }),
        _ => json!({}),
    };
    json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"generateName": "portreeve-doctor-", "namespace": namespace},
        "spec": spec,
    })
}
