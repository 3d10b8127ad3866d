//! Resources. `ValidateContainerResourceRequirements`, `validatePodResources`, `ValidateNonnegativeQuantity`.

use portreeve_sdk::quantity::Quantity;
use serde_json::Value;

use super::{Container, Faults, List, Pod, entries, items, text};

/// What a pod may say as a whole. `PodResources`.
const OF_PODS: [&str; 2] = ["cpu", "memory"];

pub(super) fn judge(pod: &Pod<'_>, faults: &mut Faults) {
    let claims: Vec<&str> = items(&pod.spec["resourceClaims"]).map(|claim| text(&claim["name"])).collect();
    agree(&pod.spec["resources"], "the pod", faults);
    for container in pod.containers() {
        let resources = &container.value["resources"];
        let who = format!("container {:?}", container.name());
        agree(resources, &who, faults);
        for claim in items(&resources["claims"]).map(|claim| text(&claim["name"])) {
            faults.unless(claims.contains(&claim), || format!("{who} claims {claim:?}, which the pod does not"));
        }
        within_pod(&container, &pod.spec["resources"], faults);
    }
    for name in OF_PODS {
        sum_within_pod(pod, name, faults);
    }
}

fn agree(resources: &Value, who: &str, faults: &mut Faults) {
    for list in ["requests", "limits"] {
        for (name, value) in entries(&resources[list]) {
            let valid = amount(value).is_some_and(|amount| amount >= Quantity::default());
            faults.unless(valid, || format!("{who} has {value} of {name} in its {list}"));
        }
    }
    for (name, request) in entries(&resources["requests"]) {
        let limit = resources["limits"].get(name);
        let extended = name.contains('/') && !name.contains("kubernetes.io/");
        match (amount(request), limit.and_then(amount)) {
            (Some(request), Some(limit)) => {
                faults.unless(request <= limit, || format!("{who} requests more {name} than its limit"));
                faults.unless(!extended || request == limit, || format!("{who} overcommits {name}"));
            }
            _ => faults.unless(!extended || limit.is_some(), || format!("{who} requests {name} without a limit")),
        }
    }
}

/// A container can't have more than its pod.
fn within_pod(container: &Container<'_>, pod: &Value, faults: &mut Faults) {
    for name in OF_PODS {
        let most = pod["limits"].get(name).and_then(amount);
        let limit = container.value["resources"]["limits"].get(name).and_then(amount);
        if let (Some(most), Some(limit)) = (most, limit) {
            faults.unless(limit <= most, || format!("container {:?} has more {name} than its pod", container.name()));
        }
    }
}

/// All regular containers and sidecars together can't request more than their pod.
fn sum_within_pod(pod: &Pod<'_>, name: &str, faults: &mut Faults) {
    let of_pod = ["requests", "limits"].iter().find_map(|list| pod.spec["resources"][*list].get(name));
    let Some(most) = of_pod.and_then(amount) else { return };
    let lasting = pod.containers().filter(|container| container.list == List::Regular || container.is_sidecar());
    let requested = |container: Container<'_>| {
        let resources = &container.value["resources"];
        ["requests", "limits"].iter().find_map(|list| resources[*list].get(name)).and_then(amount)
    };
    let sum = lasting.filter_map(requested).fold(Quantity::default(), Quantity::plus);
    faults.unless(sum <= most, || format!("the containers request more {name} than their pod"));
}

fn amount(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}
