//! The kinds that have pod templates beside Kubernetes' own: every manifest of `tests/kinds` under the platform
//! profile. Where a template sits is tested in `portreeve-admission`; here, that every policy reaches it.

use std::collections::BTreeSet;

use portreeve_admission::case::{GroupVersionKind, Subject};
use portreeve_admission::document::Document;
use portreeve_admission::edit::{Claim, make};
use portreeve_admission::response::RefusalKind;
use portreeve_admission::subject::{Edited, TemplatePaths};
use portreeve_admission::template::{Container, Template};
use portreeve_admission::verdict::Change;
use portreeve_server::manifest::{Manifest, read_paths};
use portreeve_server::way::Gate;
use portreeve_tests::gate::{Setting, admit, mutate, validate};
use portreeve_tests::places::checkout;
use portreeve_tests::review::{create, update};
use serde_json::{Value, json};

/// Groups of kinds that every cluster has; the platforms' manifests are full of them.
const OWN: [&str; 3] = ["", "apps", "batch"];

fn manifests() -> Vec<Manifest> {
    read_paths(&[checkout().join("tests/kinds")], &mut std::io::empty()).unwrap()
}

fn kind(manifest: &Manifest) -> GroupVersionKind {
    let (group, version, kind) = (manifest.group(), manifest.version(), manifest.kind());
    GroupVersionKind { group: group.into(), version: version.into(), kind: kind.into() }
}

fn subjects(manifest: &Manifest, object: &Value) -> Vec<Subject> {
    TemplatePaths::default().subjects(&kind(manifest), &Document::from_value(object.clone())).unwrap()
}

fn in_place(manifest: &Manifest) -> bool {
    TemplatePaths::default().edited(&kind(manifest)) == Edited::InPlace
}

fn is_hardened(container: &Container) -> bool {
    let security = container.security.clone().unwrap_or_default();
    let drops = security.capabilities.is_some_and(|capabilities| capabilities.drop == ["ALL"]);
    drops && security.allow_privilege_escalation == Some(false) && !container.requests.is_empty()
}

fn has_defaults(template: &Template) -> bool {
    let security = template.pod.security.clone().unwrap_or_default();
    security.seccomp.is_some_and(|profile| profile.kind == "RuntimeDefault")
        && template.containers.iter().all(is_hardened)
}

fn asks_for_a_gpu(template: &Template) -> bool {
    template.containers.iter().any(|container| container.limits.iter().any(|(name, _)| name == "nvidia.com/gpu"))
}

fn tolerates_gpu_nodes(template: &Template) -> bool {
    template.tolerations.iter().any(|toleration| toleration.key.as_deref() == Some("nvidia.com/gpu"))
}

#[test]
fn every_kind_that_ships_has_a_manifest() {
    let written: BTreeSet<(String, String)> =
        manifests().iter().map(|manifest| (manifest.group().to_owned(), manifest.kind().to_owned())).collect();
    let paths = TemplatePaths::default();
    let custom = paths.kinds().into_iter().filter(|(group, _)| !OWN.contains(group));
    let expected: BTreeSet<(String, String)> = custom.map(|(group, kind)| (group.into(), kind.into())).collect();
    assert_eq!(written, expected);
}

#[tokio::test]
async fn every_template_that_is_edited_in_place_gets_its_defaults() {
    let gate = Setting::platform().gate().unwrap();
    for manifest in manifests().iter().filter(|manifest| in_place(manifest)) {
        let (told, response) = admit(&gate, &create(manifest.value())).await.unwrap();
        assert!(response.refusal.is_none(), "{}: {:?}", manifest.source(), response.refusal);
        for subject in subjects(manifest, &told.object) {
            assert!(has_defaults(&subject.template), "{} {}", manifest.source(), subject.at.name());
            let (asks, tolerates) = (asks_for_a_gpu(&subject.template), tolerates_gpu_nodes(&subject.template));
            assert_eq!(asks, tolerates, "{} {}", manifest.source(), subject.at.name());
        }
    }
}

#[tokio::test]
async fn a_kind_that_is_edited_at_its_pods_is_left_as_it_is_and_judged_as_they_will_be() {
    let gate = Setting::platform().gate().unwrap();
    for manifest in manifests().iter().filter(|manifest| !in_place(manifest)) {
        let (told, response) = admit(&gate, &create(manifest.value())).await.unwrap();
        assert_eq!(told.response.patch, None, "{}", manifest.source());
        assert!(response.refusal.is_none(), "{}: {:?}", manifest.source(), response.refusal);
    }
}

#[tokio::test]
async fn applying_the_result_again_changes_nothing_whatever_the_kind() {
    let gate = Setting::platform().gate().unwrap();
    for manifest in manifests() {
        let told = mutate(&gate, &create(manifest.value())).await.unwrap();
        let again = mutate(&gate, &create(&told.object)).await.unwrap();
        assert_eq!(again.response.patch, None, "{}", manifest.source());
    }
}

fn bounded() -> Gate {
    let yaml = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: gpus}\n\
        spec: {module: {builtin: gpu-scheduling}, settings: {maxPerContainer: 8}}\n";
    Setting::default().with(yaml).unwrap().gate().unwrap()
}

/// The same with a value at this part of one template.
fn with(object: &Value, subject: &Subject, part: &str, value: Value) -> Value {
    let mut object = object.clone();
    let pointer = subject.at.place_of(&part.parse().unwrap()).unwrap();
    let claim = Claim { policy: "test".into(), rule: "test".into(), pointer, change: Change::Set(value) };
    make(&mut object, &[claim]).unwrap();
    object
}

const GPUS: &str = "/spec/containers/0/resources/limits/nvidia.com~1gpu";

#[tokio::test]
async fn a_gpu_ask_is_found_in_whichever_template_it_stands() {
    let gate = bounded();
    for manifest in manifests() {
        for subject in subjects(&manifest, manifest.value()) {
            let asking = with(manifest.value(), &subject, GPUS, json!("99"));
            let (_, response) = admit(&gate, &create(&asking)).await.unwrap();
            let refusal = response.refusal.unwrap_or_else(|| panic!("{} {}", manifest.source(), subject.at.name()));
            assert_eq!(refusal.kind, RefusalKind::Forbidden, "{}", refusal.message);
            assert!(
                refusal.message.contains(subject.at.name()),
                "{} is not named: {}",
                subject.at.name(),
                refusal.message
            );
        }
    }
}

#[tokio::test]
async fn more_pods_of_one_template_are_counted_when_another_one_changes() {
    let yaml = "apiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {name: gpus}\n\
        spec: {module: {builtin: gpu-scheduling}, settings: {maxPerWorkload: 8}}\n";
    let gate = Setting::default().with(yaml).unwrap().gate().unwrap();
    let cluster = |head: &str, replicas: u32| {
        let asking = json!({"spec": {
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            "containers": [{"name": "a", "image": "w:1", "resources": {"limits": {"nvidia.com/gpu": 4}}}],
        }});
        let head = json!({"spec": {"containers": [{"name": "a", "image": head}]}});
        json!({
            "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "a", "namespace": "shop"},
            "spec": {
                "headGroupSpec": {"template": head},
                "workerGroupSpecs": [{"groupName": "gpu", "replicas": replicas, "template": asking}],
            },
        })
    };
    let old = cluster("head:1", 2);
    assert!(validate(&gate, &update(&cluster("head:2", 2), &old)).await.unwrap().refusal.is_none());
    let refusal = validate(&gate, &update(&cluster("head:2", 3), &old)).await.unwrap().refusal.unwrap();
    assert!(refusal.message.contains("together ask for 12 GPUs, more than 8"), "{}", refusal.message);
}

fn manifest(file: &str) -> Manifest {
    manifests().into_iter().find(|manifest| manifest.source().ends_with(file)).unwrap()
}

#[tokio::test]
async fn a_changed_template_is_put_right_and_its_unchanged_sibling_left_alone() {
    let cluster = manifest("/ray-cluster.yaml");
    let old = cluster.value();
    let head = &subjects(&cluster, old)[0];
    let new = with(old, head, "/spec/containers/0/image", json!("rayproject/ray:2.47.0"));
    let told = mutate(&Setting::platform().gate().unwrap(), &update(&new, old)).await.unwrap();
    let after = subjects(&cluster, &told.object);
    assert!(has_defaults(&after[0].template), "its head changed");
    assert_eq!(told.object["spec"]["workerGroupSpecs"], old["spec"]["workerGroupSpecs"]);
}

#[tokio::test]
async fn a_cluster_that_a_ray_job_made_is_never_edited() {
    let cluster = manifest("/ray-cluster.yaml");
    let mut object = cluster.value().clone();
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "ray.io/v1", "kind": "RayJob", "name": "finetune", "uid": "1", "controller": true}]);
    let (told, response) = admit(&Setting::platform().gate().unwrap(), &create(&object)).await.unwrap();
    assert_eq!(told.response.patch, None);
    assert!(response.refusal.is_none(), "{:?}", response.refusal);
}

#[tokio::test]
async fn a_privileged_step_of_a_workflow_is_denied_at_the_workflow() {
    let workflow = manifest("/workflow.yaml");
    let subject = subjects(&workflow, workflow.value()).into_iter().find(|one| one.at.name() == "templates[train]");
    let object =
        with(workflow.value(), &subject.unwrap(), "/spec/containers/0/securityContext/privileged", json!(true));
    let response = validate(&Setting::platform().gate().unwrap(), &create(&object)).await.unwrap();
    let refusal = response.refusal.unwrap();
    assert!(refusal.message.contains("templates[train]: container \"main\""), "{}", refusal.message);
}
