//! No edit makes an object that the API server refuses: every object of the catalogue's cases that an API server takes
//! as it came is taken in a server-side dry run after the edits too, those of its own policy by the case's settings,
//! and those of the platform profile with the webhook in front.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_admission::case::Case;
use portreeve_admission::subject::TemplatePaths;
use portreeve_cases::{WrittenCase, edited, read_paths};
use portreeve_sdk::native::{Scene, outcome};
use portreeve_tests::api_server::{Answer, Run};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::injected::{pointer_to_spec, spec};
use portreeve_tests::places::checkout;
use portreeve_tests::server::Wire;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::registration::{Registration, is_ours};

/// A case with its object as it came and as its policy left it.
struct Edited {
    name: String,
    before: Value,
    after: Value,
}

/// The cases with an object of a kind that every API server has.
fn cases() -> Vec<Edited> {
    let mut all = Vec::new();
    for policy in portreeve_catalogue::policies() {
        let name = policy.manifest().name;
        let files = read_paths(&[checkout().join("policies/catalogue").join(name).join("cases")]).unwrap();
        for mut case in files.into_iter().flat_map(|file| file.cases).filter(|case| is_built_in(&case.object)) {
            complete(&mut case);
            let judge = policy.configure(&Value::Object(case.settings.clone()).to_string()).unwrap();
            let judge = |question: &Case| outcome(judge.evaluate(&Scene::from(question.clone()).views(), name));
            let after = edited(&case, &TemplatePaths::default(), judge).unwrap_or_else(|| case.object.clone());
            all.push(Edited { name: format!("{name}: {}", case.name), before: case.object, after });
        }
    }
    all
}

fn is_built_in(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap_or_default().split_once('/').map_or("", |(group, _)| group);
    !group.contains('.') || group.ends_with(".k8s.io") && !group.ends_with(".x-k8s.io")
}

/// Cases leave out what no policy looks at and every API server asks for.
fn complete(case: &mut WrittenCase) {
    let object = &mut case.object;
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    default(object, "/metadata", "name", json!("case"));
    if ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].contains(&kind.as_str()) {
        default(object, "/spec/template", "metadata", json!({}));
        default(object, "/spec/template/metadata", "labels", json!({"app": "case"}));
        let labels = object["spec"]["template"]["metadata"]["labels"].clone();
        default(object, "/spec", "selector", json!({"matchLabels": labels}));
        for claim in
            object.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut).into_iter().flatten()
        {
            default(claim, "", "spec", json!({}));
            default(claim, "/spec", "accessModes", json!(["ReadWriteOnce"]));
            default(claim, "/spec", "resources", json!({"requests": {"storage": "1Gi"}}));
        }
    }
    for list in ["initContainers", "containers"] {
        let at = format!("{}/{list}", pointer_to_spec(object));
        for container in object.pointer_mut(&at).and_then(Value::as_array_mut).into_iter().flatten() {
            default(container, "", "image", json!("team/case:1"));
        }
    }
    match kind.as_str() {
        "Job" => default(object, "/spec/template/spec", "restartPolicy", json!("Never")),
        "CronJob" => {
            default(object, "/spec", "schedule", json!("0 3 * * *"));
            default(object, "/spec/jobTemplate/spec/template/spec", "restartPolicy", json!("Never"));
        }
        _ => {}
    }
}

/// Puts a field in where its parent stands and has none.
fn default(object: &mut Value, parent: &str, field: &str, value: Value) {
    if let Some(Value::Object(parent)) = object.pointer_mut(parent) {
        parent.entry(field).or_insert(value);
    }
}

/// What the objects refer to and the API server looks for.
async fn make_what_is_referred_to(cluster: &Cluster, cases: &[Edited]) {
    let objects = || cases.iter().flat_map(|case| [&case.before, &case.after]);
    let texts = |at: fn(&Value) -> &Value| -> BTreeSet<&str> { objects().filter_map(|one| at(one).as_str()).collect() };
    for name in texts(|object| &object["metadata"]["namespace"]) {
        cluster.make_namespace(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await;
    }
    let runtimes = texts(|object| &spec(object)["runtimeClassName"]).into_iter().map(|name| {
        json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "runc"})
    });
    let priorities = texts(|object| &spec(object)["priorityClassName"]).into_iter().map(|name| {
        json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 1,
        })
    });
    for object in runtimes.chain(priorities) {
        // What is there already, as some priorities are, serves as well.
        cluster.api.create(&object, Run::Real).await.unwrap();
    }
}

/// Those whose object the API server takes as it came. Why it does not take the others is printed.
async fn taken_as_they_came(cluster: &Cluster) -> Vec<Edited> {
    let cases = cases();
    make_what_is_referred_to(cluster, &cases).await;
    let (all, mut taken, mut reasons) = (cases.len(), Vec::new(), BTreeMap::<String, usize>::new());
    for case in cases {
        match cluster.api.create(&case.before, Run::Dry).await.unwrap() {
            Answer::Done { .. } => taken.push(case),
            Answer::Refused(refusal) => *reasons.entry(in_short(&refusal.message)).or_default() += 1,
        }
    }
    println!(
        "{} of {all} cases have an object that the API server takes as it came; of the others it says:",
        taken.len()
    );
    for (reason, count) in &reasons {
        println!("  {count}: {reason}");
    }
    taken
}

/// The reason without the name of the object.
fn in_short(message: &str) -> String {
    message.split_once(" is invalid: ").map_or(message, |(_, why)| why).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_edit_of_a_policy_makes_an_object_that_the_api_server_refuses() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let cases = taken_as_they_came(&cluster).await;
    let edited: Vec<&Edited> = cases.iter().filter(|case| case.after != case.before).collect();
    let mut faults = Vec::new();
    for case in &edited {
        if let Answer::Refused(refusal) = cluster.api.create(&case.after, Run::Dry).await.unwrap() {
            faults.push(format!("{}: {refusal}", case.name));
        }
    }
    println!("{} of them are edited by their policy", edited.len());
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), edited.len(), faults.join("\n"));
    assert!(!edited.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_platform_profile_edits_is_taken_or_refused_in_our_words() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let cases = taken_as_they_came(&cluster).await;
    let webhook = Wire::start(&[], json!({"policies": null})).await.unwrap();
    let _registration = Registration::make(&cluster.api, &cluster.kubectl, &webhook).await;
    let (mut taken, mut faults) = (0, Vec::new());
    for case in &cases {
        match cluster.api.create(&case.before, Run::Dry).await.unwrap() {
            Answer::Done { .. } => taken += 1,
            Answer::Refused(refusal) if is_ours(&refusal) => {}
            Answer::Refused(refusal) => faults.push(format!("{}: {refusal}", case.name)),
        }
    }
    println!("{taken} of them are taken with the platform profile's edits, the others refused by it");
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}
