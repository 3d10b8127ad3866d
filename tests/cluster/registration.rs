//! Our webhook registered at an API server: one mutating and one validating entry, by URL, with the CA that it trusts.

use portreeve_tests::api_server::{ApiServer, Refusal, Run};
use portreeve_tests::kubectl::Kubectl;
use portreeve_tests::server::Wire;
use serde_json::{Value, json};

/// What both configurations are called.
const NAME: &str = "portreeve-tests";

/// The registration, until it is dropped.
pub(crate) struct Registration {
    kubectl: Kubectl,
}

impl Registration {
    /// Registers the webhook.
    pub(crate) async fn make(api: &ApiServer, kubectl: &Kubectl, webhook: &Wire) -> Self {
        let registration = Self { kubectl: kubectl.clone() };
        for (kind, call) in [("Mutating", "mutate"), ("Validating", "validate")] {
            let mut entry = entry(webhook, call);
            if kind == "Mutating" {
                entry["reinvocationPolicy"] = json!("IfNeeded");
            }
            let configuration = json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": format!("{kind}WebhookConfiguration"),
                "metadata": {"name": NAME},
                "webhooks": [entry],
            });
            api.create(&configuration, Run::Real).await.unwrap().done().unwrap();
        }
        registration
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // A cluster that was given goes on without us; of one of our own nothing stays anyway.
        let kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations";
        if let Err(complaint) = self.kubectl.run(&format!("delete --ignore-not-found {kinds} {NAME}")) {
            println!("the registration stays: {complaint}");
        }
    }
}

/// Whether a refusal is ours: a violation that `/validate` found, or a failure that `/mutate` refuses by, such as an
/// image without a digest.
pub(crate) fn is_ours(refusal: &Refusal) -> bool {
    let told = |call: &str| {
        let before = format!("admission webhook \"{call}.portreeve.dev\" denied the request: ");
        refusal.message.strip_prefix(&before)
    };
    match refusal.code {
        403 => told("validate").is_some() && refusal.reason == "Forbidden",
        500 => told("mutate").is_some_and(|words| words.contains("could not be judged")),
        _ => false,
    }
}

fn entry(webhook: &Wire, call: &str) -> Value {
    json!({
        "name": format!("{call}.portreeve.dev"),
        "admissionReviewVersions": ["v1"],
        "sideEffects": "NoneOnDryRun",
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "timeoutSeconds": 10,
        "rules": [
            rule("", &["pods", "pods/ephemeralcontainers", "pods/resize", "replicationcontrollers", "podtemplates", "services"]),
            rule("", &["namespaces"]),
            rule("apps", &["deployments", "statefulsets", "daemonsets", "replicasets"]),
            rule("batch", &["jobs", "cronjobs"]),
            rule("networking.k8s.io", &["ingresses", "networkpolicies"]),
            rule("policy", &["poddisruptionbudgets"]),
        ],
        "clientConfig": {
            "url": format!("https://127.0.0.1:{}/{call}/{}", webhook.running.webhook.port(), webhook.token),
            "caBundle": webhook.ca_bundle().unwrap(),
        },
    })
}

fn rule(group: &str, resources: &[&str]) -> Value {
    json!({"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": resources})
}
