//! Pods that run already: they are seen as new ones are, and told of together, in an order and in words that the
//! built-in controller made known.

use serde_json::{Value, json};

use super::super::running::Running;
use super::super::settings::Exemptions;
use super::super::spec::Spec;
use super::super::standard::Demand;
use super::{failed, trials};

fn restricted() -> Demand {
    serde_json::from_value(json!({"level": "restricted"})).unwrap()
}

/// What is told of these pods, each by name, controller and spec.
fn told(pods: Value) -> Vec<String> {
    let running: Running = serde_json::from_value(pods).unwrap();
    let warnings = running.warnings("shop", restricted(), &Exemptions::default());
    warnings.into_iter().map(|warning| warning.message).collect()
}

/// A pod of which restricted would say no more than that it shares the node's network.
fn on_host(name: &str, controller: Option<&str>) -> Value {
    let security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    json!({"name": name, "controller": controller, "spec": {
        "hostNetwork": true,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "a", "securityContext": security}],
    }})
}

#[test]
fn a_running_pod_is_judged_as_a_new_one_is() {
    for trial in trials::own().into_iter().chain(trials::public().unwrap_or_default()) {
        let demand: Demand = serde_json::from_value(json!({"level": trial.level, "version": trial.version})).unwrap();
        let annotations = serde_json::from_value(trial.pod["metadata"]["annotations"].clone()).unwrap_or_default();
        let spec: Spec = serde_json::from_value(trial.pod["spec"].clone()).unwrap();
        let spec = spec.annotated(annotations);
        let template = spec.template();
        let found: Vec<&str> = demand.faults(|_| &template).map(|(check, _)| check.id).collect();
        assert_eq!(found, failed(&trial.pod, &trial.level, &trial.version), "{}", trial.name);
    }
}

#[test]
fn pods_that_lack_the_same_are_told_together_by_the_first_of_their_names() {
    let bare = |name: &str| json!({"name": name, "spec": {"hostPID": true, "containers": [{"name": "a"}]}});
    assert_eq!(
        told(json!([on_host("web-c", None), bare("z"), on_host("web-b", None), on_host("web-d", None), bare("y")])),
        [
            "existing pods in namespace \"shop\" violate the new PodSecurity enforce level \"restricted:latest\"",
            "web-b (and 2 other pods): host namespaces",
            "y (and 1 other pod): host namespaces, allowPrivilegeEscalation != false, unrestricted capabilities, \
             runAsNonRoot != true, seccompProfile",
        ]
    );
}

#[test]
fn of_very_many_pods_one_of_each_controller_is_looked_at_first() {
    let mut pods: Vec<Value> = (0..3000).map(|n| on_host(&format!("twin-{n:04}"), Some("one"))).collect();
    pods.push(json!({"name": "late", "controller": "other", "spec": {"containers": [{"name": "a"}]}}));
    assert_eq!(
        told(json!(pods)),
        [
            "new PodSecurity enforce level only checked against the first 3000 of 3001 existing pods",
            "existing pods in namespace \"shop\" violate the new PodSecurity enforce level \"restricted:latest\"",
            "late: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile",
            "twin-0000 (and 2998 other pods): host namespaces",
        ]
    );
}

#[test]
fn where_all_pods_are_fine_nothing_is_told() {
    let mut fine = on_host("a", None);
    fine["spec"]["hostNetwork"] = json!(false);
    assert_eq!(told(json!([fine])), [""; 0]);
}
