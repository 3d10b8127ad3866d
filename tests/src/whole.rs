//! Every policy of the catalogue in force at once, each with settings by which it asks for something, what stands
//! around, and a Pod that meets them all: what speed and memory are measured with. Measuring is the benchmark's.

use std::collections::BTreeSet;
use std::sync::Arc;

use portreeve_admission::api::{ClusterPolicySpec, Object, Resource};
use portreeve_admission::case::{Case, Fact, FactKind, Facts};
use portreeve_admission::review::decode;
use portreeve_admission::subject::TemplatePaths;
use portreeve_engine::Instance;
use portreeve_server::manifest::read_stream;
use portreeve_server::set::{Listed, Sources, platform};
use serde_json::{Value, json};

use crate::gate::Fault;
use crate::review::create;

/// The policies, as policy files say them.
pub const POLICIES: &str = include_str!("whole/policies.yaml");

/// The objects that facts are made of, as manifests.
pub const AROUND: &str = include_str!("whole/around.yaml");

/// The namespace of the Pod.
const NAMESPACE: &str = "shop";

/// Every image of the Pod is this one, but for its name.
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// The names of its containers, and of their images.
const CONTAINERS: [&str; 3] = ["web", "proxy", "metrics"];

/// The instances of the platform profile.
#[must_use]
pub fn profile() -> Vec<Instance> {
    policies(platform()).map(instance).collect()
}

/// Those of the whole catalogue.
///
/// # Errors
/// If [`POLICIES`] are none.
pub fn catalogue() -> Result<Vec<Instance>, Fault> {
    let own: Vec<_> = policies(sources(POLICIES)?.resources.into_iter().map(|located| located.resource)).collect();
    let names: BTreeSet<String> = own.iter().map(|policy| policy.metadata.name.clone()).collect();
    let others = policies(platform()).filter(|policy| !names.contains(&policy.metadata.name));
    Ok(others.chain(own.iter().cloned()).map(instance).collect())
}

/// A Pod with three containers, as it is sent to `/validate` after its correction: nothing is wrong with it.
#[must_use]
pub fn pod() -> Value {
    let change = json!({"example.com/change": "CHG-1"});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web", "namespace": NAMESPACE, "annotations": change,
            "labels": {"app": "web", "tier": "front", "owner": "team-shop"},
        },
        "spec": {
            "serviceAccountName": "web",
            "automountServiceAccountToken": false,
            "imagePullSecrets": [{"name": "registry-example"}],
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": CONTAINERS.map(container),
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
        },
    })
}

/// The Pod's creation as a policy is asked about it, with every fact known.
///
/// # Errors
/// If [`AROUND`] holds no manifests.
pub fn case() -> Result<Case, Fault> {
    let review = decode(create(&pod()).to_string().as_bytes())?;
    let object = review.object.ok_or("a creation without an object")?;
    let subject = TemplatePaths::default().subjects(&review.request.kind, &object)?.pop();
    let facts = Arc::new(facts()?);
    Ok(Case { request: review.request, object: Some(object), old_object: None, subject, old_subject: None, facts })
}

/// A lock file with the Pod's images, for a server that asks no registry.
#[must_use]
pub fn lock() -> String {
    let images = CONTAINERS.map(|name| json!({"image": tagged(name), "digest": DIGEST, "config": config()}));
    json!({"apiVersion": "portreeve.dev/v1alpha1", "kind": "ImageLock", "images": images}).to_string()
}

fn container(name: &str) -> Value {
    json!({
        "name": name,
        "image": format!("{}@{DIGEST}", tagged(name)),
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
}

fn tagged(name: &str) -> String {
    format!("registry.example/team/{name}:1")
}

fn config() -> Value {
    json!({"user": "1000", "exposedPorts": ["8080/tcp"]})
}

fn facts() -> Result<Facts, Fault> {
    let around = sources(AROUND)?;
    let namespace = around.namespaces.get(NAMESPACE).ok_or("the namespace is not there")?.as_fact();
    let mut facts = Facts::default();
    for kind in FactKind::ALL {
        match Listed::behind(kind) {
            Some(Listed::Node) => facts.insert(kind, "", around.objects.fact(Listed::Node, "")),
            Some(listed) => facts.insert(kind, "", around.objects.fact(listed, NAMESPACE)),
            None => CONTAINERS.iter().for_each(|name| {
                let image = format!("{}@{DIGEST}", tagged(name));
                let (key, fact) = match kind {
                    FactKind::ImageConfig => (image, config().to_string()),
                    FactKind::ImageSignatures => (image, json!([{"key": "release"}]).to_string()),
                    FactKind::ImageDigest => (tagged(name), json!({"digest": DIGEST}).to_string()),
                    _ => (String::new(), namespace.clone()),
                };
                facts.insert(kind, key, Fact::Ok(fact.into()));
            }),
        }
    }
    Ok(facts)
}

fn sources(yaml: &str) -> Result<Sources, Fault> {
    let mut sources = Sources::default();
    for manifest in read_stream("whole.yaml", yaml)? {
        sources.add(&manifest)?;
    }
    Ok(sources)
}

fn policies(resources: impl IntoIterator<Item = Resource>) -> impl Iterator<Item = Object<ClusterPolicySpec>> {
    resources.into_iter().filter_map(|resource| match resource {
        Resource::ClusterPolicy(policy) => Some(policy),
        _ => None,
    })
}

/// Every policy here is called as it is in the catalogue.
fn instance(policy: Object<ClusterPolicySpec>) -> Instance {
    let name = policy.metadata.name;
    let granted = policy.spec.facts.into_iter().collect();
    Instance { id: name.clone(), policy: name, settings: Value::Object(policy.spec.settings), granted }
}
