//! The chart of the platforms is one telling of what runs there, the manifests of `tests/platforms` are another: in
//! production they come to the same objects.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_server::manifest::{Manifest, read_paths};
use portreeve_tests::helm::Installation;
use portreeve_tests::injected::{containers, spec};
use portreeve_tests::places::checkout;
use serde_json::{Value, json};

use crate::helm;

/// Labels that the chart puts on what it makes. On a namespace the first is the platform's own.
const OF_THE_CHART: [&str; 3] = ["app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "helm.sh/chart"];

/// What orders a list that stands for a map.
const KEYS: [&str; 3] = ["name", "mountPath", "port"];

/// The environments that each platform has values for.
pub(crate) const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

/// Objects by kind, namespace and name.
type Objects = BTreeMap<String, Value>;

#[test]
fn the_chart_comes_to_what_the_manifests_say() {
    let Some(helm) = helm() else { return };
    let mut compared = 0;
    for platform in platforms() {
        // The manifests hold a Secret with its document's placeholder.
        let shown = Installation::of_platform(&platform, "prod").with("placeholders.enabled=true");
        let rendered = helm.render(&shown).unwrap();
        let rendered = objects(rendered.into_iter().map(named_as_written).collect());
        let folder = checkout().join("tests/platforms").join(&platform).join("manifests");
        let written = read_paths(&[folder], &mut std::io::empty()).unwrap();
        // Nodes are the provider's to make.
        let written = written.into_iter().filter(|manifest| manifest.kind() != "Node").map(Manifest::into_value);
        let written = objects(left_to_autoscalers(written.collect()));
        assert_eq!(Vec::from_iter(rendered.keys()), Vec::from_iter(written.keys()), "{platform}");
        for (name, object) in &written {
            assert_eq!(&rendered[name], object, "{platform}: {name}");
            compared += 1;
        }
    }
    println!("{compared} objects");
}

#[test]
fn without_gpus_nothing_asks_for_one() {
    let Some(helm) = helm() else { return };
    for platform in platforms() {
        let without = Installation::of_platform(&platform, "prod").with("gpu.enabled=false");
        for object in helm.render(&without).unwrap() {
            assert!(!object.to_string().contains("nvidia.com/gpu"), "{platform}: {object}");
        }
    }
}

/// The template of a Job can't be changed: helm has to take the Job away, because its name has gone or because it is a
/// hook that says so.
#[test]
fn an_upgrade_to_other_images_changes_the_template_of_no_job() {
    let Some(helm) = helm() else { return };
    let mut seen = 0;
    for platform in platforms() {
        let installation = Installation::of_platform(&platform, "prod");
        let jobs = |installation: &Installation| {
            let jobs = helm.render(installation).unwrap().into_iter().filter(|object| object["kind"] == "Job");
            jobs.map(|job| (named(&job), job)).collect::<Objects>()
        };
        let (before, again) = (jobs(&installation), jobs(&installation));
        assert_eq!(before, again, "{platform}: nothing has changed");
        let after = jobs(&installation.with(&other_tags(&platform)));
        assert_eq!(before.len(), after.len(), "{platform}");
        for (name, job) in before {
            let goes = job["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation";
            let same = after.get(&name).is_none_or(|later| later["spec"]["template"] == job["spec"]["template"]);
            assert!(goes || same, "{platform}: {name}");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn without_the_secrets_store_nothing_waits_for_its_driver() {
    let Some(helm) = helm() else { return };
    for installation in installations(&["prod"]) {
        for object in helm.render(&installation.with("operators.secretsStore=false")).unwrap() {
            assert!(!object.to_string().contains("secrets-store"), "{object}");
        }
    }
}

#[test]
fn every_mount_is_of_a_volume_that_is_there() {
    let Some(helm) = helm() else { return };
    let without = |installation: Installation| installation.with("operators.secretsStore=false");
    for installation in installations(&ENVIRONMENTS).into_iter().flat_map(|one| [one.clone(), without(one)]) {
        for object in helm.render(&installation).unwrap() {
            let pod = spec(&object);
            let own = items(&pod["volumes"]).map(|volume| &volume["name"]);
            let claimed = items(&object["spec"]["volumeClaimTemplates"]).map(|claim| &claim["metadata"]["name"]);
            let volumes: Vec<&Value> = own.chain(claimed).collect();
            for mount in containers(pod).flat_map(|container| items(&container["volumeMounts"])) {
                assert!(volumes.contains(&&mount["name"]), "{mount} of {}", named(&object));
            }
        }
    }
}

/// Half a rule lets nobody through.
#[test]
fn whom_a_tier_of_avivatec_may_speak_to_lets_it_in() {
    let Some(helm) = helm() else { return };
    let objects = helm.render(&Installation::of_platform("avivatec", "prod")).unwrap();
    let (mut out, mut let_in) = (BTreeSet::new(), BTreeSet::new());
    for policy in objects.iter().filter(|object| object["kind"] == "NetworkPolicy") {
        let own = policy["metadata"]["namespace"].as_str().unwrap().strip_prefix("avivatec-").unwrap();
        out.extend(tiers(policy, "/spec/egress/0/to").map(|other| (own, other)));
        let_in.extend(tiers(policy, "/spec/ingress/0/from").map(|other| (other, own)));
    }
    assert!(!out.is_empty());
    assert_eq!(out, let_in, "who speaks to whom, and who is let in where");
}

#[test]
fn who_has_a_google_account_reaches_the_metadata_server() {
    let Some(helm) = helm() else { return };
    let objects = helm.render(&Installation::of_platform("avivatec", "prod")).unwrap();
    let of_kind = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let accounts = of_kind("ServiceAccount")
        .filter(|account| account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"].is_string());
    for account in accounts {
        let (name, namespace) = (&account["metadata"]["name"], &account["metadata"]["namespace"]);
        let is_metadata = |policy: &&Value| policy["spec"].to_string().contains("169.254.169.252/32");
        let mut policies = of_kind("NetworkPolicy").filter(|policy| policy["metadata"]["namespace"] == *namespace);
        let reached = policies.find(is_metadata).unwrap_or_else(|| panic!("{account}"));
        let pods = reached["spec"]["podSelector"]["matchLabels"].as_object().unwrap();
        let templates =
            objects.iter().filter(|object| object["metadata"]["namespace"] == *namespace).filter_map(template);
        let its: Vec<&Value> = templates.filter(|template| template["spec"]["serviceAccountName"] == *name).collect();
        assert!(!its.is_empty(), "nobody runs as {name}");
        for template in its {
            let labels = &template["metadata"]["labels"];
            assert!(pods.iter().all(|(label, value)| labels[label] == *value), "{template}");
        }
    }
}

#[test]
fn an_image_with_a_digest_is_named_by_it_wherever_it_runs() {
    let Some(helm) = helm() else { return };
    let digest = format!("sha256:{}", "0".repeat(64));
    let pinned = Installation::of_platform("arbitex", "prod").with(&format!("images.platform-api.digest={digest}"));
    let text = Value::from(helm.render(&pinned).unwrap()).to_string();
    // The API, its init container, and the two Jobs for migrations.
    assert_eq!(text.matches(&format!("platform-api:v0.29.0@{digest}")).count(), 4);
    assert!(!text.contains("platform-api:v0.29.0\""));
}

pub(crate) fn platforms() -> Vec<String> {
    let entries = std::fs::read_dir(checkout().join("charts/platforms/values")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The tiers that a NetworkPolicy names as its peers.
fn tiers<'o>(policy: &'o Value, peers: &str) -> impl Iterator<Item = &'o str> {
    let selected = policy.pointer(&format!("{peers}/0/namespaceSelector/matchExpressions/0"));
    let selected = selected.filter(|expression| expression["key"] == "avivatec.com/tier");
    selected.into_iter().flat_map(|expression| expression["values"].as_array().unwrap()).filter_map(Value::as_str)
}

/// The pod template of a workload.
fn template(object: &Value) -> Option<&Value> {
    object.pointer("/spec/template").or_else(|| object.pointer("/spec/jobTemplate/spec/template"))
}

/// A setting by which every image of a platform has another tag.
fn other_tags(platform: &str) -> String {
    let file = checkout().join("charts/platforms/values").join(platform).join("prod.yaml");
    let values: Value = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let images = values["images"].as_object().unwrap().keys();
    images.map(|image| format!("images.{image}.tag=other")).collect::<Vec<_>>().join(",")
}

/// The name of a Job that is no hook ends with eight digits that stand for its template, which the manifests' does not.
fn named_as_written(mut object: Value) -> Value {
    if object["kind"] == "Job" && object["metadata"]["annotations"]["helm.sh/hook"].is_null() {
        let name = object["metadata"]["name"].as_str().unwrap();
        let (written, digits) = name.rsplit_once('-').unwrap();
        assert!(digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{name}");
        let written = json!(written);
        object["metadata"]["name"] = written;
    }
    object
}

/// Every platform in these environments.
pub(crate) fn installations(environments: &[&str]) -> Vec<Installation> {
    let of = |platform: String| environments.iter().map(move |name| Installation::of_platform(&platform, name));
    platforms().into_iter().flat_map(of).collect()
}

/// Documents show replicas beside an autoscaler, and the manifests with them: its least number. The chart leaves them
/// to it.
fn left_to_autoscalers(mut objects: Vec<Value>) -> Vec<Value> {
    for (name, least) in scaled(&objects) {
        let object = objects.iter_mut().find(|object| named(object) == name).unwrap();
        let replicas = object["spec"].as_object_mut().unwrap().remove("replicas");
        assert_eq!(replicas, Some(least), "{name}");
    }
    objects
}

/// What is scaled by an autoscaler, and the least number of each.
pub(crate) fn scaled(objects: &[Value]) -> Vec<(String, Value)> {
    let autoscalers = objects.iter().filter(|object| object["kind"] == "HorizontalPodAutoscaler");
    let read = |autoscaler: &Value| {
        let (namespace, spec) = (&autoscaler["metadata"]["namespace"], &autoscaler["spec"]);
        let target = &spec["scaleTargetRef"];
        (format!("{} {namespace}/{}", target["kind"], target["name"]), spec["minReplicas"].clone())
    };
    autoscalers.map(read).collect()
}

fn objects(values: Vec<Value>) -> Objects {
    values.into_iter().map(|value| (named(&value), in_order(without_chart_labels(value)))).collect()
}

pub(crate) fn named(object: &Value) -> String {
    let metadata = &object["metadata"];
    format!("{} {}/{}", object["kind"], metadata["namespace"], metadata["name"])
}

fn without_chart_labels(mut object: Value) -> Value {
    let kept = usize::from(object["kind"] == "Namespace");
    if let Some(Value::Object(metadata)) = object.get_mut("metadata")
        && let Some(Value::Object(labels)) = metadata.get_mut("labels")
    {
        for label in OF_THE_CHART.iter().skip(kept) {
            labels.remove(*label);
        }
        if labels.is_empty() {
            metadata.remove("labels");
        }
    }
    object
}

/// Lists of objects in the order of what names them, and amounts of resources as texts: neither makes a difference to
/// an API server.
fn in_order(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(in_order).collect();
            if items.iter().all(Value::is_object) {
                items.sort_by_cached_key(key);
            }
            Value::Array(items)
        }
        Value::Object(fields) => {
            let field = |(name, value): (String, Value)| match name.as_str() {
                "requests" | "limits" => (name, as_texts(value)),
                _ => (name, in_order(value)),
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        other => other,
    }
}

fn key(item: &Value) -> String {
    let named: String = KEYS.iter().filter_map(|key| item.get(key)).map(Value::to_string).collect();
    if named.is_empty() { item.to_string() } else { named }
}

fn as_texts(amounts: Value) -> Value {
    let text = |amount: Value| match amount {
        Value::Number(number) => Value::String(number.to_string()),
        other => other,
    };
    match amounts {
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(name, value)| (name, text(value))).collect()),
        other => other,
    }
}
