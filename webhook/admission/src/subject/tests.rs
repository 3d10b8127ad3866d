//! Where templates are found, what tells them apart, and when they are the same.

mod astray;

use super::*;
use crate::pointer::Pointer;
use serde_json::{Value, json};

fn subjects(group: &str, kind: &str, object: &Value) -> Result<Vec<String>, SubjectError> {
    let kind = GroupVersionKind { group: group.into(), version: "v1".into(), kind: kind.into() };
    let text = RawValue::from_string(object.to_string()).unwrap();
    let found = TemplatePaths::default().subjects(&kind, &Document::from_text(text))?;
    Ok(found.iter().map(|subject| subject.at.to_string()).collect())
}

/// What stands at the end of a path of this form.
fn held(holds: Holds) -> Value {
    let container = json!({"name": "a", "image": "web:1"});
    match holds {
        Holds::PodTemplate => json!({"spec": {"containers": [container]}}),
        Holds::PodSpec => json!({"containers": [container]}),
        Holds::WorkflowTemplate => json!({"container": container}),
        Holds::InferenceComponent => json!({"model": container}),
    }
}

/// An object with two of it at the end of this path, if the path branches, else one.
fn object_with(path: &str, holds: Holds) -> Value {
    let tokens: Vec<&str> = path.split('/').skip(1).collect();
    tokens.iter().rev().fold(held(holds), |inner, token| match *token {
        "*" => json!([inner, inner]),
        field => json!({field: inner}),
    })
}

fn of_kind(group: &str, kind: &str) -> GroupVersionKind {
    GroupVersionKind { group: group.into(), version: "v1".into(), kind: kind.into() }
}

fn found(group: &str, kind: &str, object: &Value) -> Vec<Subject> {
    TemplatePaths::default().subjects(&of_kind(group, kind), &Document::from_value(object.clone())).unwrap()
}

fn names(subjects: &[Subject]) -> Vec<&str> {
    subjects.iter().map(|subject| subject.at.name()).collect()
}

#[test]
fn finds_the_template_of_every_kind_at_every_path() {
    for ready in ready::all() {
        for path in ready.paths {
            let object = object_with(path, ready.holds);
            let subjects = found(ready.group, ready.kind, &object);
            let branches = u32::try_from(path.matches('*').count()).unwrap();
            assert_eq!(subjects.len(), 2_usize.pow(branches), "{} at {path}", ready.kind);
            assert!(subjects.iter().all(|subject| subject.template.containers.len() == 1), "{} at {path}", ready.kind);
        }
    }
}

#[test]
fn an_edit_of_any_template_is_seen_when_it_is_read_again() {
    for ready in ready::all() {
        for path in ready.paths {
            let mut object = object_with(path, ready.holds);
            let edited: Vec<Pointer> = found(ready.group, ready.kind, &object)
                .iter()
                .map(|subject| subject.at.place_of(&"/spec/containers/0/image".parse().unwrap()).unwrap())
                .collect();
            for place in &edited {
                *object.pointer_mut(&place.to_string()).unwrap() = json!("web:2");
            }
            for subject in found(ready.group, ready.kind, &object) {
                assert_eq!(subject.template.containers[0].image, "web:2", "{} at {path}", ready.kind);
            }
        }
    }
}

#[test]
fn no_two_kinds_of_the_table_are_one() {
    let mut kinds: Vec<_> = ready::all().map(|ready| (ready.group, ready.kind)).collect();
    let rows = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), rows);
}

#[test]
fn a_kind_without_a_template_has_no_subject() {
    assert!(subjects("autoscaling", "Scale", &json!({"spec": {"replicas": 1}})).unwrap().is_empty());
}

#[test]
fn a_template_that_is_missing_or_null_gives_no_subject() {
    assert!(subjects("", "ReplicationController", &json!({"spec": {"template": null}})).unwrap().is_empty());
    assert!(subjects("", "ReplicationController", &json!({"spec": {}})).unwrap().is_empty());
}

#[test]
fn a_template_that_is_no_object_is_an_error_that_says_where() {
    let error = subjects("apps", "Deployment", &json!({"spec": {"template": "x"}})).unwrap_err();
    assert!(error.to_string().contains("\"/spec/template\""), "{error}");
}

#[test]
fn an_object_nested_too_deep_is_refused() {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(subjects("", "Pod", &json!({"spec": deep})), Err(SubjectError::TooDeep));
}

#[test]
fn brackets_in_strings_are_no_depth() {
    let object = json!({"metadata": {"annotations": {"a": "[".repeat(500) + "\\\""}}});
    assert_eq!(subjects("", "Pod", &object).unwrap(), [""]);
}

#[test]
fn a_star_stands_for_every_element() {
    let mut paths = TemplatePaths::default();
    paths.add("x.io", "Set", "/spec/jobs/*/template".parse().unwrap());
    let kind = GroupVersionKind { group: "x.io".into(), version: "v1".into(), kind: "Set".into() };
    let object = json!({"spec": {"jobs": [{"template": {"spec": {}}}, {}, {"template": {"spec": {}}}]}});
    let found = paths.subjects(&kind, &Document::from_value(object)).unwrap();
    let places: Vec<_> = found.iter().map(|subject| subject.at.to_string()).collect();
    assert_eq!(places, ["/spec/jobs/0/template", "/spec/jobs/2/template"]);
}

#[test]
fn every_kind_of_the_table_is_documented_with_its_paths() {
    let page = include_str!("../../../../docs/kinds.md");
    for ready in ready::all() {
        let group = if ready.group.is_empty() { "core" } else { ready.group };
        let names_kind = |line: &&str| line.starts_with(&format!("| `{group}` | `{}` |", ready.kind));
        let line = page.lines().find(names_kind).unwrap_or_else(|| panic!("no line for {group} {}", ready.kind));
        for path in ready.paths {
            assert!(line.contains(&format!("`{}`", if path.is_empty() { "/" } else { path })), "{line} lacks {path}");
        }
        assert_eq!(line.contains("at its Pods"), ready.edited == Edited::AtPods, "{line}");
        assert_eq!(line.contains("may not change"), ready.changes == Changes::Refused, "{line}");
    }
}

#[test]
fn a_star_stands_for_every_value_of_a_map() {
    let template = held(Holds::PodTemplate);
    let object =
        json!({"spec": {"pytorchReplicaSpecs": {"Master": {"template": template}, "Worker": {"template": template}}}});
    let subjects = found("kubeflow.org", "PyTorchJob", &object);
    assert_eq!(names(&subjects), ["pytorchReplicaSpecs.Master", "pytorchReplicaSpecs.Worker"]);
}

#[test]
fn one_of_several_templates_is_told_by_the_names_of_its_list() {
    let template = held(Holds::PodTemplate);
    let object = json!({"spec": {
        "headGroupSpec": {"template": template},
        "workerGroupSpecs": [{"groupName": "cpu", "template": template}, {"template": template}],
    }});
    let subjects = found("ray.io", "RayCluster", &object);
    assert_eq!(names(&subjects), ["headGroupSpec", "workerGroupSpecs[cpu]", "workerGroupSpecs[1]"]);
}

#[test]
fn the_only_template_of_a_kind_needs_no_name() {
    let object = json!({"spec": {"template": held(Holds::PodTemplate)}});
    assert_eq!(names(&found("apps", "Deployment", &object)), [""]);
}

#[test]
fn a_path_that_is_known_already_is_not_judged_twice() {
    let mut paths = TemplatePaths::default();
    paths.add("apps", "Deployment", "/spec/template".parse().unwrap());
    let object = Document::from_value(json!({"spec": {"template": held(Holds::PodTemplate)}}));
    assert_eq!(paths.subjects(&of_kind("apps", "Deployment"), &object).unwrap().len(), 1);
}

#[test]
fn the_spec_of_a_pod_has_no_place_for_labels() {
    let object = json!({"spec": {"template": {"spec": held(Holds::PodSpec)}}});
    let subjects = found("kubeflow.org", "Notebook", &object);
    let seat = &subjects[0].at;
    assert_eq!(seat.place_of(&"/metadata/labels/team".parse().unwrap()), None);
    let place = seat.place_of(&"/spec/securityContext".parse().unwrap()).unwrap();
    assert_eq!(place.to_string(), "/spec/template/spec/securityContext");
}

fn cluster(workers: &[(&str, &str)]) -> Document {
    let group = |(name, image): &(&str, &str)| json!({"groupName": name, "template": {"spec": {"containers": [{"name": "a", "image": image}]}}});
    let workers: Vec<Value> = workers.iter().map(group).collect();
    Document::from_value(json!({"spec": {"workerGroupSpecs": workers}}))
}

fn compared(new: &Document, old: &Document) -> Vec<(String, Option<String>)> {
    let pairs = TemplatePaths::default().compared(&of_kind("ray.io", "RayCluster"), new, new, Some(old)).unwrap();
    let image = |subject: &Subject| subject.template.containers[0].image.clone();
    pairs.iter().map(|pair| (image(&pair.subject), pair.before.as_ref().map(image))).collect()
}

#[test]
fn a_template_is_held_against_the_one_of_its_name() {
    let old = cluster(&[("a", "1"), ("b", "2")]);
    let new = cluster(&[("new", "0"), ("a", "1.1"), ("b", "2.1")]);
    let expected = [("0", None), ("1.1", Some("1")), ("2.1", Some("2"))];
    let expected = expected.map(|(now, before)| (now.to_owned(), before.map(str::to_owned)));
    assert_eq!(compared(&new, &old), expected);
}

#[test]
fn of_several_templates_only_those_that_changed_are_looked_at() {
    let old = cluster(&[("a", "1"), ("b", "2")]);
    let new = cluster(&[("a", "1"), ("b", "2.1")]);
    assert_eq!(compared(&new, &old), [("2.1".to_owned(), Some("2".to_owned()))]);
    assert_eq!(compared(&old, &old).len(), 2, "nothing changed: whoever looks at all the same sees all");
}

#[test]
fn of_two_with_one_name_nobody_knows_what_they_were() {
    let old = cluster(&[("a", "1"), ("a", "2")]);
    let new = cluster(&[("a", "1.1"), ("a", "2")]);
    assert_eq!(compared(&new, &old), [("1.1".to_owned(), None), ("2".to_owned(), None)]);
}

#[test]
fn a_second_one_of_the_same_name_does_not_hide_behind_the_first() {
    let old = cluster(&[("a", "1"), ("b", "2")]);
    let new = cluster(&[("a", "1"), ("b", "2"), ("a", "evil")]);
    assert_eq!(compared(&new, &old), [("evil".to_owned(), None)]);
    let copied = cluster(&[("a", "1"), ("b", "2"), ("a", "1")]);
    assert_eq!(compared(&copied, &old), [("1".to_owned(), None)]);
}

#[test]
fn templates_in_pieces_are_the_same_when_all_their_pieces_are() {
    let workflow = |user: u32| {
        let templates = json!([{"name": "a", "container": {"image": "web:1"}}, {"name": "b", "dag": {"tasks": []}}]);
        Document::from_value(json!({"spec": {"securityContext": {"runAsUser": user}, "templates": templates}}))
    };
    let paths = TemplatePaths::default();
    let kind = of_kind("argoproj.io", "Workflow");
    assert!(paths.same_templates(&kind, &workflow(1), &workflow(1)));
    assert!(!paths.same_templates(&kind, &workflow(1), &workflow(2)));
}

fn workflow() -> Value {
    json!({"spec": {
        "securityContext": {"runAsUser": 1000},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "unused", "hostPath": {"path": "/"}}],
        "podMetadata": {"labels": {"team": "a", "app": "flow"}},
        "templates": [
            {"name": "main", "dag": {"tasks": []}},
            {
                "name": "train",
                "metadata": {"labels": {"app": "train"}},
                "securityContext": {"fsGroup": 7},
                "initContainers": [{"name": "fetch", "image": "fetch:1"}],
                "container": {"image": "train:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
                "sidecars": [{"name": "side", "image": "{{inputs.parameters.image}}"}],
            },
        ],
    }})
}

#[test]
fn a_workflows_pod_has_the_containers_of_its_template() {
    let object = workflow();
    let subjects = found("argoproj.io", "Workflow", &object);
    assert_eq!(names(&subjects), ["templates[train]"]);
    let containers = subjects[0].template.containers.iter();
    let containers: Vec<_> = containers.map(|one| (one.name.as_str(), one.image.as_str())).collect();
    assert_eq!(containers, [("fetch", "fetch:1"), ("main", "train:1"), ("side", "")], "what is filled in is not known");
}

#[test]
fn a_workflows_pod_inherits_what_its_template_does_not_say() {
    let object = workflow();
    let subjects = found("argoproj.io", "Workflow", &object);
    let (template, seat) = (&subjects[0].template, &subjects[0].at);
    let security = template.pod.security.as_ref().unwrap();
    assert_eq!((security.fs_group, security.run_as_user), (Some(7), None), "the template's takes the workflow's place");
    assert_eq!(template.tolerations.len(), 1);
    let place = |part: &str| seat.place_of(&part.parse().unwrap()).unwrap().to_string();
    assert_eq!(place("/spec/securityContext/runAsNonRoot"), "/spec/templates/1/securityContext/runAsNonRoot");
    assert_eq!(place("/spec/tolerations/0"), "/spec/tolerations/0");
    assert_eq!(place("/spec/nodeSelector/a"), "/spec/templates/1/nodeSelector/a");
    assert_eq!(place("/spec/containers/0/image"), "/spec/templates/1/container/image");
    assert_eq!(place("/spec/containers/1/image"), "/spec/templates/1/sidecars/0/image");
}

#[test]
fn a_workflows_pod_has_its_labels_and_the_volumes_that_it_mounts() {
    let object = workflow();
    let template = &found("argoproj.io", "Workflow", &object)[0].template;
    assert_eq!(template.pod.labels, [("team".into(), "a".into()), ("app".into(), "train".into())]);
    let volumes: Vec<_> = template.volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(volumes, ["data"]);
}

#[test]
fn a_component_serves_its_model_beside_its_own_containers() {
    let object = json!({"spec": {"predictor": {
        "labels": {"team": "a"},
        "serviceAccountName": "models",
        "model": {"modelFormat": {"name": "vllm"}, "resources": {"limits": {"nvidia.com/gpu": "1"}}},
        "containers": [{"name": "side", "image": "side:1"}],
    }}});
    let subjects = found("serving.kserve.io", "InferenceService", &object);
    let template = &subjects[0].template;
    let containers: Vec<_> = template.containers.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(containers, ["kserve-container", "side"]);
    assert_eq!(template.containers[0].limits, [("nvidia.com/gpu".into(), "1".into())]);
    assert_eq!(template.pod.service_account.as_deref(), Some("models"));
    assert_eq!(template.pod.labels, [("team".into(), "a".into())]);
    let place = subjects[0].at.place_of(&"/metadata/labels/x".parse().unwrap()).unwrap();
    assert_eq!(place.to_string(), "/spec/predictor/labels/x");
}

proptest::proptest! {
    #[test]
    fn whatever_is_read_through_a_seat_stands_at_the_place_it_names(row in 0..ready::all().count(), part in "(/spec|/metadata)(/(containers|volumes|tolerations|0|1|image|a)){0,3}") {
        let ready = ready::all().nth(row).unwrap();
        for path in ready.paths {
            let object = Document::from_value(object_with(path, ready.holds));
            for subject in TemplatePaths::default().subjects(&of_kind(ready.group, ready.kind), &object).unwrap() {
                let part: Pointer = part.parse().unwrap();
                let placed = subject.at.place_of(&part).and_then(|place| object.find(&place));
                let read = subject.at.read(&object, &part);
                // A container of a workflow or a model is read with the name that its controller gives it.
                if !read.is_some_and(Value::is_object) && !read.is_some_and(Value::is_array) {
                    proptest::prop_assert_eq!(read, placed);
                }
            }
        }
    }
}

#[test]
fn what_makes_up_the_templates_is_told_of_kinds_that_keep_each_in_one_place() {
    let parts = |group: &str, kind: &str| {
        let parts = TemplatePaths::default().whole_parts(group, kind)?;
        Some(parts.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(parts("", "Pod").unwrap(), ["/spec"]);
    assert_eq!(parts("batch", "CronJob").unwrap(), ["/spec/jobTemplate/spec/template"]);
    assert_eq!(parts("leaderworkerset.x-k8s.io", "LeaderWorkerSet").unwrap().len(), 2);
    for (group, kind) in [("jobset.x-k8s.io", "JobSet"), ("kubeflow.org", "Notebook"), ("", "Service")] {
        assert_eq!(parts(group, kind), None, "{kind}");
    }
}
