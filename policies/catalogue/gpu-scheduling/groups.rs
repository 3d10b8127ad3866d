//! Kinds whose objects hold pods of several kinds: where each is described, and what the number of its pods is.

use portreeve_sdk::view::{ContainerKind, GroupVersionKind};
use serde_json::Value;

use super::count::{Gpus, most_at_a_time, whole};

/// Pods of one kind in an object. Pointers begin at the object's `spec`.
#[derive(Debug)]
pub(super) struct Group {
    /// What describes them. A `*` at its end stands for every entry of a list or a map.
    at: &'static str,
    /// From there to the spec of the pod: the first of these that is there.
    pod: &'static [&'static str],
    /// From there to the numbers whose product is the number of pods. One that is not written is 1.
    times: &'static [&'static str],
    /// How many pods, of those that the first number counts once, another group describes.
    less: u64,
}

const fn group(at: &'static str, pod: &'static [&'static str], times: &'static [&'static str]) -> Group {
    Group { at, pod, times, less: 0 }
}

const TEMPLATE: &[&str] = &["/template/spec"];
const REPLICAS: &[&str] = &["/replicas"];
const WORKERS: &[&str] = &["/replicas", "/numOfHosts"];

/// What is known of each kind, by group and kind.
const KNOWN: &[(&str, &str, &[Group])] = &[
    ("batch.volcano.sh", "Job", &[group("/tasks/*", TEMPLATE, REPLICAS)]),
    (
        "jobset.x-k8s.io",
        "JobSet",
        &[group("/replicatedJobs/*", &["/template/spec/template/spec"], &["/replicas", "/template/spec/parallelism"])],
    ),
    ("kubeflow.org", "JAXJob", &[group("/jaxReplicaSpecs/*", TEMPLATE, REPLICAS)]),
    ("kubeflow.org", "MPIJob", &[group("/mpiReplicaSpecs/*", TEMPLATE, REPLICAS)]),
    ("kubeflow.org", "PaddleJob", &[group("/paddleReplicaSpecs/*", TEMPLATE, REPLICAS)]),
    ("kubeflow.org", "PyTorchJob", &[group("/pytorchReplicaSpecs/*", TEMPLATE, REPLICAS)]),
    ("kubeflow.org", "TFJob", &[group("/tfReplicaSpecs/*", TEMPLATE, REPLICAS)]),
    ("kubeflow.org", "XGBoostJob", &[group("/xgbReplicaSpecs/*", TEMPLATE, REPLICAS)]),
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet", &[LEADERS, FOLLOWERS]),
    (
        "ray.io",
        "RayCluster",
        &[group("/headGroupSpec", TEMPLATE, &[]), group("/workerGroupSpecs/*", TEMPLATE, WORKERS)],
    ),
    (
        "ray.io",
        "RayJob",
        &[
            group("/rayClusterSpec/headGroupSpec", TEMPLATE, &[]),
            group("/rayClusterSpec/workerGroupSpecs/*", TEMPLATE, WORKERS),
        ],
    ),
    (
        "ray.io",
        "RayService",
        &[
            group("/rayClusterConfig/headGroupSpec", TEMPLATE, &[]),
            group("/rayClusterConfig/workerGroupSpecs/*", TEMPLATE, WORKERS),
        ],
    ),
];

/// One pod of each group of a LeaderWorkerSet leads it; without a template of its own it is as the others.
const LEADERS: Group =
    group("", &["/leaderWorkerTemplate/leaderTemplate/spec", "/leaderWorkerTemplate/workerTemplate/spec"], REPLICAS);
const FOLLOWERS: Group = Group {
    at: "",
    pod: &["/leaderWorkerTemplate/workerTemplate/spec"],
    times: &["/replicas", "/leaderWorkerTemplate/size"],
    less: 1,
};

/// The groups of a kind; none if all its pods are made from one template.
pub(super) fn of(kind: &GroupVersionKind) -> Option<&'static [Group]> {
    let (_, _, groups) = KNOWN.iter().find(|(group, name, _)| *group == kind.group && *name == kind.kind)?;
    Some(groups)
}

/// What all pods of an object with this spec ask for.
pub(super) fn total(groups: &[Group], spec: &Value, gpus: &Gpus) -> u64 {
    let each = groups.iter().flat_map(|group| entries(spec, group.at).into_iter().map(move |entry| (group, entry)));
    each.map(|(group, entry)| group.total(entry, gpus)).fold(0, u64::saturating_add)
}

impl Group {
    fn total(&self, entry: &Value, gpus: &Gpus) -> u64 {
        let pod = self.pod.iter().find_map(|at| entry.pointer(at));
        pod.map_or(0, |pod| of_pod(pod, gpus)).saturating_mul(self.pods(entry))
    }

    fn pods(&self, entry: &Value) -> u64 {
        let number = |at: &&str| entry.pointer(at).and_then(Value::as_u64).unwrap_or(1);
        let all = self.times.iter().map(number).fold(1, u64::saturating_mul);
        let others = self.times.first().map_or(0, number).saturating_mul(self.less);
        all.saturating_sub(others)
    }
}

/// The entries that a pointer with a `*` at its end stands for; without one, what it points at.
fn entries<'v>(spec: &'v Value, at: &str) -> Vec<&'v Value> {
    let Some(list) = at.strip_suffix("/*") else { return spec.pointer(at).into_iter().collect() };
    match spec.pointer(list) {
        Some(Value::Array(entries)) => entries.iter().collect(),
        Some(Value::Object(entries)) => entries.values().collect(),
        _ => Vec::new(),
    }
}

/// What a pod with this spec holds at the moment that needs most. The views show one template; this is any of them.
fn of_pod(spec: &Value, gpus: &Gpus) -> u64 {
    let list = |name| spec.get(name).and_then(Value::as_array).into_iter().flatten();
    let regular = list("containers").map(|container| (ContainerKind::Regular, container));
    let init = list("initContainers").map(|container| match container.get("restartPolicy").and_then(Value::as_str) {
        Some("Always") => (ContainerKind::Sidecar, container),
        _ => (ContainerKind::Init, container),
    });
    most_at_a_time(regular.chain(init).map(|(kind, container)| (kind, of_container(container, gpus))))
}

fn of_container(container: &Value, gpus: &Gpus) -> u64 {
    let list = |name| container.get("resources").and_then(|resources| resources.get(name)).and_then(Value::as_object);
    let limits = list("limits");
    let is_limited = |name: &str| limits.is_some_and(|limits| limits.contains_key(name));
    let requests = list("requests").into_iter().flatten().filter(|(name, _)| !is_limited(name));
    let counted = limits.into_iter().flatten().chain(requests).filter(|(name, _)| gpus.counts(name));
    counted.filter_map(|(_, amount)| count(amount)).fold(0, u64::saturating_add)
}

/// A quantity may be written as a number.
fn count(amount: &Value) -> Option<u64> {
    match amount {
        Value::String(text) => whole(text),
        other => whole(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::Devices;
    use serde_json::json;

    fn asked(group: &str, kind: &str, spec: &Value) -> u64 {
        let gpus =
            Gpus::new(Devices::new(Devices::usual_resources(), Vec::new()), Devices::new(Vec::new(), Vec::new()));
        let kind = GroupVersionKind { group: group.into(), version: "v1".into(), kind: kind.into() };
        total(of(&kind).unwrap(), spec, &gpus)
    }

    fn pod(gpus: u64) -> Value {
        json!({"containers": [{"name": "a", "resources": {"limits": {"nvidia.com/gpu": gpus, "cpu": 1}}}]})
    }

    fn template(gpus: u64) -> Value {
        json!({"spec": pod(gpus)})
    }

    #[test]
    fn jobs_of_a_set_count_by_their_replicas_and_parallelism() {
        let jobs = json!({"replicatedJobs": [
            {"name": "driver", "template": {"spec": {"template": template(1)}}},
            {"name": "workers", "replicas": 3, "template": {"spec": {"parallelism": 4, "template": template(2)}}},
        ]});
        assert_eq!(asked("jobset.x-k8s.io", "JobSet", &jobs), 1 + 3 * 4 * 2);
    }

    #[test]
    fn workers_of_a_ray_cluster_count_by_their_hosts_too() {
        let cluster = json!({
            "headGroupSpec": {"template": template(1)},
            "workerGroupSpecs": [{"replicas": 2, "numOfHosts": 4, "template": template(8)}, {"template": template(1)}],
        });
        assert_eq!(asked("ray.io", "RayCluster", &cluster), 1 + 2 * 4 * 8 + 1);
        assert_eq!(asked("ray.io", "RayJob", &json!({"rayClusterSpec": cluster})), 66);
        assert_eq!(asked("ray.io", "RayService", &json!({"rayClusterConfig": cluster})), 66);
    }

    #[test]
    fn replicas_of_a_training_job_count_by_their_role() {
        let roles = json!({"Master": {"template": template(1)}, "Worker": {"replicas": 3, "template": template(8)}});
        assert_eq!(asked("kubeflow.org", "PyTorchJob", &json!({"pytorchReplicaSpecs": roles})), 1 + 3 * 8);
    }

    #[test]
    fn the_leader_is_one_of_its_group() {
        let set = |leader: Value| {
            let template = json!({"size": 4, "leaderTemplate": leader, "workerTemplate": template(8)});
            asked(
                "leaderworkerset.x-k8s.io",
                "LeaderWorkerSet",
                &json!({"replicas": 2, "leaderWorkerTemplate": template}),
            )
        };
        assert_eq!(set(template(1)), 2 * (1 + 3 * 8));
        assert_eq!(set(Value::Null), 2 * 4 * 8);
    }

    #[test]
    fn a_pod_counts_at_the_moment_that_needs_most() {
        let container = |gpus: &str| json!({"resources": {"requests": {"nvidia.com/gpu": gpus}}});
        let mut sidecar = container("1");
        sidecar["restartPolicy"] = json!("Always");
        let pod = json!({"initContainers": [sidecar, container("6")], "containers": [container("2"), container("3")]});
        let job = json!({"tasks": [{"replicas": 2, "template": {"spec": pod}}]});
        assert_eq!(asked("batch.volcano.sh", "Job", &job), 2 * 7);
    }
}
