//! How many GPUs are asked for: whole ones, as many requested as limited, within bounds. Claims are not counted: how
//! many devices a claim stands for is in another object. How many a whole workload asks for is told in `workload`.

use std::str::FromStr;

use portreeve_sdk::quantity::Quantity;
use portreeve_sdk::view::{Container, ContainerKind, Entry, find};
use portreeve_sdk::{Case, Verdict, pointer};

use super::settings::Settings;
use super::workload;
use crate::devices::Devices;

/// Judges the numbers of a pod that asks, and of its workload.
pub(super) fn judge(case: &Case<'_>, settings: &Settings, gpus: &Gpus, verdict: &mut Verdict) {
    let containers = case.containers();
    for container in containers {
        gpus.agree(container, verdict);
        let count = gpus.of_container(container);
        if let Some(most) = settings.max_per_container.filter(|&most| count > most) {
            verdict
                .violation("max-per-container")
                .container(container)
                .at(container.field("/resources/limits"))
                .says(format!("container {:?} asks for {count} GPUs, more than {most}", container.name))
                .mend(format!("ask for at most {most}, or spread the work over more pods"));
        }
    }
    let per_pod = gpus.of_pod(containers);
    if let Some(most) = settings.max_per_pod.filter(|&most| per_pod > most) {
        verdict
            .violation("max-per-pod")
            .at("/spec/containers")
            .says(format!("the pod asks for {per_pod} GPUs, more than {most}"))
            .mend(format!("ask for at most {most}, or spread the work over more pods"));
    }
    judge_workload(case, settings, gpus, verdict);
}

/// Judges the number of the workload alone.
pub(super) fn judge_workload(case: &Case<'_>, settings: &Settings, gpus: &Gpus, verdict: &mut Verdict) {
    if let Some(most) = settings.max_per_workload {
        workload::judge(case, gpus, most, verdict);
    }
}

/// What counts as a GPU.
#[derive(Debug)]
pub(crate) struct Gpus {
    devices: Devices,
    /// Amounts of a GPU, which are no counts.
    amounts: Devices,
}

impl Gpus {
    pub(super) fn new(devices: Devices, amounts: Devices) -> Self {
        Self { devices, amounts }
    }

    /// What the pod holds at the moment that needs most. Init containers end, one after the other, before the regular
    /// ones begin; sidecars are there all the while.
    pub(super) fn of_pod(&self, containers: &[Container]) -> u64 {
        most_at_a_time(containers.iter().map(|container| (container.kind, self.of_container(container))))
    }

    /// What a container asks for, over all kinds of devices. What is not whole is told elsewhere and not counted.
    fn of_container(&self, container: &Container) -> u64 {
        let requests =
            self.counted(&container.requests).filter(|request| find(&container.limits, &request.name).is_none());
        self.counted(&container.limits).chain(requests).filter_map(amount).fold(0, u64::saturating_add)
    }

    /// Whether a resource of this name is counted.
    pub(super) fn counts(&self, resource: &str) -> bool {
        self.devices.is_device(resource) && !self.amounts.is_device(resource)
    }

    fn counted<'a>(&'a self, entries: &'a [Entry]) -> impl Iterator<Item = &'a Entry> {
        entries.iter().filter(|entry| self.counts(&entry.name))
    }

    fn all<'a>(&'a self, entries: &'a [Entry]) -> impl Iterator<Item = &'a Entry> {
        entries.iter().filter(|entry| self.devices.is_device(&entry.name))
    }

    /// GPUs can't be overcommitted: a request has to have a limit, and the same.
    fn agree(&self, container: &Container, verdict: &mut Verdict) {
        for limit in self.all(&container.limits) {
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
        for request in self.all(&container.requests) {
            let limit = find(&container.limits, &request.name);
            let same = |limit: &str| limit == request.value || quantity(limit) == quantity(&request.value);
            if !limit.is_some_and(same) {
                differs(container, request, limit, verdict);
            }
        }
    }
}

fn differs(container: &Container, request: &Entry, limit: Option<&str>, verdict: &mut Verdict) {
    let Entry { name, value } = request;
    let limit = limit.map_or("none".into(), |limit| format!("{limit:?}"));
    verdict
        .violation("requests-equal-limits")
        .container(container)
        .at(pointer::child(&container.field("/resources/requests"), name))
        .says(format!("container {:?} requests {value:?} of {name} while its limit is {limit}", container.name))
        .mend(format!("write the limit of {name} alone, which is the request too"));
}

/// The most that containers hold at one moment.
pub(super) fn most_at_a_time(counts: impl Iterator<Item = (ContainerKind, u64)>) -> u64 {
    let (mut regular, mut init, mut sidecars) = (0_u64, 0_u64, 0_u64);
    for (kind, count) in counts {
        match kind {
            ContainerKind::Regular => regular = regular.saturating_add(count),
            ContainerKind::Init => init = init.max(count),
            ContainerKind::Sidecar => sidecars = sidecars.saturating_add(count),
            ContainerKind::Ephemeral => {}
        }
    }
    regular.max(init).saturating_add(sidecars)
}

fn amount(entry: &Entry) -> Option<u64> {
    whole(&entry.value)
}

/// The quantity as a count; none if it is not whole.
pub(super) fn whole(text: &str) -> Option<u64> {
    quantity(text)?.whole()
}

fn quantity(text: &str) -> Option<Quantity> {
    Quantity::from_str(text).ok()
}
