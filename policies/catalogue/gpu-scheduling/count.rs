//! How many GPUs are asked for: whole ones, as many requested as limited, within bounds. Claims are not counted: how
//! many devices a claim stands for is in another object.

use std::str::FromStr;

use portreeve_sdk::quantity::Quantity;
use portreeve_sdk::view::{Container, ContainerKind, Entry, find};
use portreeve_sdk::{Case, Verdict, pointer};

use super::settings::Settings;
use crate::devices::Devices;

/// Judges the numbers of a pod that asks, and of its workload.
pub(super) fn judge(case: &Case<'_>, settings: &Settings, devices: &Devices, verdict: &mut Verdict) {
    let containers = case.containers();
    for container in containers {
        agree(container, devices, verdict);
        let count = count(container, devices);
        if let Some(most) = settings.max_per_container.filter(|&most| count > most) {
            verdict
                .violation("max-per-container")
                .container(container)
                .at(container.field("/resources/limits"))
                .says(format!("container {:?} asks for {count} GPUs, more than {most}", container.name))
                .mend(format!("ask for at most {most}, or spread the work over more pods"));
        }
    }
    let per_pod = per_pod(containers, devices);
    if let Some(most) = settings.max_per_pod.filter(|&most| per_pod > most) {
        verdict
            .violation("max-per-pod")
            .at("/spec/containers")
            .says(format!("the pod asks for {per_pod} GPUs, more than {most}"))
            .mend(format!("ask for at most {most}, or spread the work over more pods"));
    }
    let Some(most) = settings.max_per_workload else { return };
    let replicas = replicas(case);
    let total = per_pod.saturating_mul(replicas);
    if total > most {
        verdict
            .violation("max-per-workload")
            .at("/spec/containers")
            .says(format!("the workload asks for {total} GPUs ({replicas} pods of {per_pod}), more than {most}"))
            .mend(format!("run fewer pods or ask for fewer GPUs, {most} in all"));
    }
}

/// GPUs can't be overcommitted: a request has to have a limit, and the same.
fn agree(container: &Container, devices: &Devices, verdict: &mut Verdict) {
    for limit in devices_of(&container.limits, devices) {
        if amount(limit).is_none() {
            let at = pointer::child(&container.field("/resources/limits"), &limit.name);
            let Entry { name, value } = limit;
            verdict
                .violation("whole-count")
                .container(container)
                .at(at)
                .says(format!("container {:?} asks for {value:?} of {name}, which come whole", container.name))
                .mend("write a whole number");
        }
    }
    for request in devices_of(&container.requests, devices) {
        let limit = find(&container.limits, &request.name);
        let same = |limit: &str| limit == request.value || quantity(limit) == quantity(&request.value);
        if !limit.is_some_and(same) {
            let Entry { name, value } = request;
            let limit = limit.map_or("none".into(), |limit| format!("{limit:?}"));
            verdict
                .violation("requests-equal-limits")
                .container(container)
                .at(pointer::child(&container.field("/resources/requests"), name))
                .says(format!("container {:?} requests {value:?} of {name} while its limit is {limit}", container.name))
                .mend(format!("write the limit of {name} alone, which is the request too"));
        }
    }
}

/// What the pod holds at the moment that needs most. Init containers end, one after the other, before the regular ones
/// begin; sidecars are there all the while.
fn per_pod(containers: &[Container], devices: &Devices) -> u64 {
    let counts = |kind| {
        containers.iter().filter(move |container| container.kind == kind).map(|container| count(container, devices))
    };
    let regular = counts(ContainerKind::Regular).fold(0, u64::saturating_add);
    let most = counts(ContainerKind::Init).fold(regular, u64::max);
    counts(ContainerKind::Sidecar).fold(most, u64::saturating_add)
}

/// What a container asks for, over all kinds of devices. What is not whole is told elsewhere and not counted.
fn count(container: &Container, devices: &Devices) -> u64 {
    let limits = devices_of(&container.limits, devices);
    let requests =
        devices_of(&container.requests, devices).filter(|request| find(&container.limits, &request.name).is_none());
    limits.chain(requests).filter_map(amount).fold(0, u64::saturating_add)
}

/// How many pods the object says there shall be; one if it does not say.
fn replicas(case: &Case<'_>) -> u64 {
    let fields = ["/spec/replicas", "/spec/parallelism", "/spec/jobTemplate/spec/parallelism"];
    fields.iter().find_map(|field| case.request().read(field)?.as_u64()).unwrap_or(1)
}

fn devices_of<'a>(entries: &'a [Entry], devices: &'a Devices) -> impl Iterator<Item = &'a Entry> {
    entries.iter().filter(|entry| devices.is_device(&entry.name))
}

fn amount(entry: &Entry) -> Option<u64> {
    quantity(&entry.value)?.whole()
}

fn quantity(text: &str) -> Option<Quantity> {
    Quantity::from_str(text).ok()
}
