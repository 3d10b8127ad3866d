//! Samples of time and what is said of them; and the review that everything is measured with.

use std::time::Duration;

use portreeve_tests::review::create;
use serde_json::{Value, json};

/// Times of one thing.
#[derive(Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    /// Adds one.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Adds those of another.
    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// `p50 …  p99 …  p99.9 …`
    pub(crate) fn quantiles(&mut self) -> String {
        self.0.sort_unstable();
        let at = |share: f64| self.0.get((self.0.len() as f64 * share) as usize).copied().unwrap_or_default();
        let shown = |took: Duration| format!("{:>9.3} ms", took.as_secs_f64() * 1e3);
        format!("p50 {}  p99 {}  p99.9 {}", shown(at(0.5)), shown(at(0.99)), shown(at(0.999)))
    }
}

/// A Pod with three containers, as it is sent to `/validate` after its correction: nothing is wrong with it.
pub(crate) fn healthy() -> Value {
    let container = |name: &str| {
        json!({
            "name": name,
            "image": format!("registry.example/team/{name}:1@sha256:{}", "0".repeat(64)),
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "env": [{"name": "MODE", "value": "production"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "t"}}}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
                "runAsUser": 1000, "capabilities": {"drop": ["ALL"]},
            },
            "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        })
    };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web", "tier": "front"}},
        "spec": {
            "serviceAccountName": "web",
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container("web"), container("proxy"), container("metrics")],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
        },
    })
}

/// The review of it.
pub(crate) fn review() -> Value {
    create(&healthy())
}
