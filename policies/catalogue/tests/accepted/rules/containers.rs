//! Containers: names, images, ports, and what each list of them may hold. `validateContainerCommon`,
//! `validateContainerPorts`, `validateInitContainers`, `validateEphemeralContainers`.

use serde_json::Value;

use super::names::{is_label, is_port_name};
use super::probes;
use super::{Container, Faults, List, Pod, items, repeated, text};

/// What an ephemeral container may not have. `allowedEphemeralContainerFields`.
const NOT_EPHEMERAL: [&str; 6] = ["lifecycle", "livenessProbe", "ports", "readinessProbe", "resources", "startupProbe"];

pub(super) fn judge(pod: &Pod<'_>, faults: &mut Faults) {
    let names: Vec<String> = pod.containers().map(|container| container.name().to_owned()).collect();
    for name in repeated(names.iter().map(String::as_str)) {
        faults.say(format!("container {name:?} is there twice"));
    }
    for container in pod.containers() {
        let name = container.name();
        let image = text(&container.value["image"]);
        faults.unless(is_label(name), || format!("container {name:?} has no valid name"));
        faults.unless(!image.is_empty() && image.trim() == image, || {
            format!("container {name:?} has the image {image:?}")
        });
        ports(&container, faults);
        match container.list {
            List::Ephemeral => ephemeral(&container, faults),
            List::Init if !container.is_sidecar() => init(&container, faults),
            List::Init | List::Regular => probes::judge(&container, faults),
        }
    }
}

fn ports(container: &Container<'_>, faults: &mut Faults) {
    let name = container.name();
    let ports = &container.value["ports"];
    let valid = |port: &Value| port.as_u64().is_some_and(|port| (1..=65535).contains(&port));
    for port in items(ports) {
        let number = &port["containerPort"];
        faults.unless(valid(number), || format!("container {name:?} has the port {number}"));
        let own = text(&port["name"]);
        faults.unless(own.is_empty() || is_port_name(own), || format!("container {name:?} names a port {own:?}"));
    }
    for own in repeated(items(ports).map(|port| text(&port["name"])).filter(|own| !own.is_empty())) {
        faults.say(format!("container {name:?} has two ports of the name {own:?}"));
    }
}

fn ephemeral(container: &Container<'_>, faults: &mut Faults) {
    for field in NOT_EPHEMERAL.iter().filter(|field| !container.value[**field].is_null()) {
        faults.say(format!("ephemeral container {:?} has {field}", container.name()));
    }
}

/// What ends before the others begin can't be probed.
fn init(container: &Container<'_>, faults: &mut Faults) {
    for field in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] {
        faults
            .unless(container.value[field].is_null(), || format!("init container {:?} has {field}", container.name()));
    }
}
