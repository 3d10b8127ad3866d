//! How many GPUs all pods of a workload ask for, as far as the object and its autoscaler show: on how many nodes a
//! DaemonSet runs stands elsewhere. What a namespace holds in all is for a ResourceQuota. Where objects hold pods
//! of several kinds is told in `groups`.

use portreeve_sdk::view::Operation;
use portreeve_sdk::{Case, ResourceRule, Verdict};
use serde_json::Value;

use super::count::Gpus;
use super::groups;
use crate::autoscaler::Autoscaler;
use crate::owner;

/// Every pod template, and the workloads whose number of pods can be changed while their templates stay.
pub(super) const RESOURCES: &[ResourceRule] = &[
    ResourceRule { groups: &["*"], versions: &["*"], resources: &["@templates"], operations: &["*"] },
    scaled(&["apps"], &["deployments@spec", "replicasets@spec", "statefulsets@spec"]),
    scaled(&[""], &["replicationcontrollers@spec"]),
    scaled(&["batch"], &["cronjobs@spec", "jobs@spec"]),
    scaled(&["argoproj.io"], &["rollouts@spec"]),
    scaled(&["batch.volcano.sh"], &["jobs@spec"]),
    scaled(&["jobset.x-k8s.io"], &["jobsets@spec"]),
    scaled(&["leaderworkerset.x-k8s.io"], &["leaderworkersets@spec"]),
    scaled(&["ray.io"], &["rayclusters@spec", "rayjobs@spec", "rayservices@spec"]),
    scaled(
        &["kubeflow.org"],
        &["jaxjobs@spec", "mpijobs@spec", "paddlejobs@spec", "pytorchjobs@spec", "tfjobs@spec", "xgboostjobs@spec"],
    ),
];

const fn scaled(groups: &'static [&'static str], resources: &'static [&'static str]) -> ResourceRule {
    ResourceRule { groups, versions: &["*"], resources, operations: &["UPDATE"] }
}

/// The object of the request, or the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Now,
    Before,
}

/// Judges the number of GPUs of a whole workload. One that asked for too many before may ask for fewer, not for more.
pub(super) fn judge(case: &Case<'_>, gpus: &Gpus, most: u64, verdict: &mut Verdict) {
    // A Deployment answers for its ReplicaSets: holding up one of those would hold up a rollout that was allowed.
    if owner::controller_kind(case).is_some() {
        return;
    }
    let total = total(case, gpus, Side::Now);
    if total <= most {
        return;
    }
    let before =
        if case.request().operation() == Operation::Update { self::total(case, gpus, Side::Before) } else { 0 };
    let rule = if before > most && total > before { "raised-past-max" } else { "max-per-workload" };
    verdict
        .violation(rule)
        .at_object(place(case))
        .says(format!("all pods of the workload together ask for {total} GPUs, more than {most}"))
        .mend(format!("run fewer pods or ask for fewer GPUs, {most} in all"));
}

fn total(case: &Case<'_>, gpus: &Gpus, side: Side) -> u64 {
    if let Some(list) = groups::of(case.request().kind()) {
        return read(case, side, "/spec").map_or(0, |spec| groups::total(list, &spec, gpus));
    }
    let containers = match side {
        Side::Now => case.containers(),
        Side::Before => case.old_containers(),
    };
    gpus.of_pod(containers).saturating_mul(pods(case, side))
}

/// How many pods there may be at a time: as many as an autoscaler makes of them, where it is known that there is one.
fn pods(case: &Case<'_>, side: Side) -> u64 {
    let written = replicas(case, side);
    match Autoscaler::of(case) {
        // An autoscaler leaves alone what is switched off.
        Ok(Some(autoscaler)) if written > 0 => written.max(autoscaler.most),
        _ => written,
    }
}

/// How many pods the object says there shall be at a time; one if it does not say.
fn replicas(case: &Case<'_>, side: Side) -> u64 {
    let number = |at: &str| read(case, side, at)?.as_u64();
    let of_job = |job: &str| {
        let parallel = number(&[job, "/parallelism"].concat())?;
        Some(number(&[job, "/completions"].concat()).map_or(parallel, |completions| parallel.min(completions)))
    };
    number("/spec/replicas").or_else(|| of_job("/spec")).or_else(|| of_job("/spec/jobTemplate/spec")).unwrap_or(1)
}

/// Where the object says how many pods there are; its spec, if that is in several places or nowhere.
fn place(case: &Case<'_>) -> &'static str {
    let known = ["/spec/replicas", "/spec/parallelism", "/spec/jobTemplate/spec/parallelism"];
    known.into_iter().find(|at| case.request().read(at).is_some()).unwrap_or("/spec")
}

fn read(case: &Case<'_>, side: Side, at: &str) -> Option<Value> {
    match side {
        Side::Now => case.request().read(at),
        Side::Before => case.request().read_old(at),
    }
}
