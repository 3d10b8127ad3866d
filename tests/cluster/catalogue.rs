//! No edit makes an object that the API server refuses: every case of the catalogue, edited by its policy as the case has
//! it, is taken in a server-side dry run if it was taken before.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_admission::case::Case;
use portreeve_admission::subject::TemplatePaths;
use portreeve_cases::{WrittenCase, edited, read_paths};
use portreeve_sdk::native::{Scene, outcome};
use portreeve_tests::api_server::{Answer, ApiServer, Run};
use portreeve_tests::control_plane::Controllers;
use portreeve_tests::places::checkout;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::injected::{pointer_to_spec, spec};

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
async fn make_what_is_referred_to(api: &ApiServer, cases: &[Edited]) {
    let objects = || cases.iter().flat_map(|case| [&case.before, &case.after]);
    let texts = |at: fn(&Value) -> &Value| -> BTreeSet<&str> { objects().filter_map(|one| at(one).as_str()).collect() };
    let namespaces = texts(|object| &object["metadata"]["namespace"]).into_iter().map(|name| {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    });
    let runtimes = texts(|object| &spec(object)["runtimeClassName"]).into_iter().map(|name| {
        json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "runc"})
    });
    let priorities = texts(|object| &spec(object)["priorityClassName"]).into_iter().map(|name| {
        json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 1,
        })
    });
    for object in namespaces.chain(runtimes).chain(priorities) {
        // What is there already, as some namespaces and priorities are, serves as well.
        api.create(&object, Run::Real).await.unwrap();
    }
}

/// The reason without what differs from case to case.
fn in_short(message: &str) -> String {
    message.split_once(" is invalid: ").map_or(message, |(_, why)| why).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_edit_of_the_catalogue_makes_an_object_that_the_api_server_refuses() {
    let Some(cluster) = Cluster::start(Controllers::Absent).await else { return };
    let cases = cases();
    make_what_is_referred_to(&cluster.api, &cases).await;
    let mut not_taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut edited = 0;
    for case in &cases {
        if let Answer::Refused(refusal) = cluster.api.create(&case.before, Run::Dry).await.unwrap() {
            *not_taken.entry(in_short(&refusal.message)).or_default() += 1;
        } else if case.after != case.before {
            edited += 1;
            if let Answer::Refused(refusal) = cluster.api.create(&case.after, Run::Dry).await.unwrap() {
                faults.push(format!("{}: {refusal}", case.name));
            }
        }
    }
    println!("{} cases, {edited} of them edited and taken, not taken as they came:", cases.len());
    for (reason, count) in &not_taken {
        println!("  {count}: {reason}");
    }
    assert!(faults.is_empty(), "{} of {edited}:\n{}", faults.len(), faults.join("\n"));
    assert!(edited > 0);
}
