//! Where pods go. `ValidateTolerations`, `ValidateNodeSelectorTerm`, `ValidateNodeSelectorRequirement`,
//! `validateTopologySpreadConstraints`, `ValidateRuntimeClassName`.

use serde_json::Value;

use super::names::{is_key, is_label_value, is_subdomain};
use super::{Faults, Pod, entries, items, text};

pub(super) fn judge(pod: &Pod<'_>, faults: &mut Faults) {
    for toleration in items(&pod.spec["tolerations"]) {
        tolerates(toleration, faults);
    }
    for (key, value) in entries(&pod.spec["nodeSelector"]) {
        faults.unless(is_key(key), || format!("nodeSelector has the key {key:?}"));
        faults.unless(value.as_str().is_some_and(is_label_value), || format!("nodeSelector {key:?} is {value}"));
    }
    let affinity = &pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    if !affinity.is_null() {
        let terms = items(&affinity["nodeSelectorTerms"]).collect::<Vec<_>>();
        faults.unless(!terms.is_empty(), || "node affinity has no terms".to_owned());
        for requirement in terms.iter().flat_map(|term| items(&term["matchExpressions"])) {
            requires(requirement, faults);
        }
    }
    let class = &pod.spec["runtimeClassName"];
    faults.unless(class.is_null() || is_subdomain(text(class)), || format!("the runtime class is {class}"));
    spread(&pod.spec["topologySpreadConstraints"], faults);
}

fn tolerates(toleration: &Value, faults: &mut Faults) {
    let (key, operator) = (text(&toleration["key"]), text(&toleration["operator"]));
    let (value, effect) = (text(&toleration["value"]), text(&toleration["effect"]));
    faults.unless(key.is_empty() || is_key(key), || format!("a toleration has the key {key:?}"));
    let known = ["", "Exists", "Equal", "Lt", "Gt"].contains(&operator);
    faults.unless(known, || format!("a toleration has the operator {operator:?}"));
    faults.unless(!key.is_empty() || operator == "Exists", || "a toleration without a key does not exist".to_owned());
    faults.unless(operator != "Exists" || value.is_empty(), || format!("a toleration exists and is {value:?}"));
    faults.unless(is_label_value(value), || format!("a toleration has the value {value:?}"));
    let known = ["", "NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect);
    faults.unless(known, || format!("a toleration has the effect {effect:?}"));
    let ends = !toleration["tolerationSeconds"].is_null();
    faults.unless(!ends || effect == "NoExecute", || format!("a toleration of {effect:?} ends"));
}

fn requires(requirement: &Value, faults: &mut Faults) {
    let (key, operator) = (text(&requirement["key"]), text(&requirement["operator"]));
    let values = items(&requirement["values"]).count();
    faults.unless(!key.is_empty() && is_key(key), || format!("node affinity has the key {key:?}"));
    let fits = match operator {
        "In" | "NotIn" => values > 0,
        "Exists" | "DoesNotExist" => values == 0,
        "Gt" | "Lt" => values == 1,
        _ => false,
    };
    faults.unless(fits, || format!("node affinity of {key:?} has the operator {operator:?} and {values} values"));
}

fn spread(constraints: &Value, faults: &mut Faults) {
    let mut pairs = Vec::new();
    for constraint in items(constraints) {
        let (key, action) = (text(&constraint["topologyKey"]), text(&constraint["whenUnsatisfiable"]));
        let skew = &constraint["maxSkew"];
        faults.unless(skew.as_i64().is_some_and(|skew| skew > 0), || format!("a spread has the skew {skew}"));
        faults.unless(!key.is_empty() && is_key(key), || format!("a spread has the key {key:?}"));
        let known = ["DoNotSchedule", "ScheduleAnyway"].contains(&action);
        faults.unless(known, || format!("a spread of {key:?} has the action {action:?}"));
        faults.unless(!pairs.contains(&(key, action)), || format!("{key:?} is spread twice"));
        pairs.push((key, action));
    }
}
