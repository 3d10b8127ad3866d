//! GPU nodes are for pods that ask for a GPU: those get what they need to be placed there, others may not tolerate the
//! nodes' taint, and nobody asks for more than is allowed.
//!
//! Who asks is told in `devices`, how many are asked for in `count`, what settings say in `settings`.

mod count;
mod settings;

use portreeve_sdk::glob::Glob;
use portreeve_sdk::pointer;
use portreeve_sdk::view::{Pod, Toleration, find};
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
use serde_json::json;

pub(crate) use settings::Settings;
use settings::Tolerated;

use crate::devices::Devices;
use crate::owner;

/// Labels that say what an image runs on at all, which is no choice of a node pool.
const PLATFORM: [&str; 2] = ["kubernetes.io/os", "kubernetes.io/arch"];

/// The policy.
pub(crate) struct GpuScheduling {
    settings: Settings,
    devices: Devices,
}

impl Policy for GpuScheduling {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "GPU scheduling",
            description: "Pods that ask for a GPU are given the toleration, node selector and runtime class of GPU \
                          nodes; pods that don't may not tolerate those nodes' taint; and the number of GPUs of a pod \
                          and of a workload is bounded.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            controls: &["A1.1", "CC7.2"],
            ..Manifest::new("gpu-scheduling", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let devices = Devices::new(settings.resources.clone(), settings.claims.clone());
        Ok(Self { settings, devices })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(pod) = case.pod() else { return Ok(verdict) };
        let containers = case.containers();
        if self.devices.asked_for(pod, containers) {
            self.tolerate(case.tolerations(), &mut verdict);
            self.select_nodes(case, pod, &mut verdict);
            self.choose_runtime(pod, &mut verdict);
            count::judge(case, &self.settings, &self.devices, &mut verdict);
        } else if !self.is_exempt(case) {
            self.keep_off(case.tolerations(), &mut verdict);
        }
        Ok(verdict)
    }
}

impl GpuScheduling {
    /// Each toleration of the settings, unless one that is there does the same.
    fn tolerate(&self, tolerations: &[Toleration], verdict: &mut Verdict) {
        for wanted in &self.settings.tolerations {
            if tolerations.iter().any(|toleration| covers(toleration, wanted)) {
                continue;
            }
            let effect = wanted.effect.map_or("any effect", |effect| effect.name());
            verdict
                .violation("toleration")
                .at("/spec/tolerations")
                .says(format!("the pod asks for a GPU but does not tolerate the taint {:?} ({effect})", wanted.key))
                .mend(format!("add a toleration of the key {:?}", wanted.key));
            verdict.append_unique("toleration", "/spec/tolerations", json!(wanted), &[]);
        }
    }

    fn select_nodes(&self, case: &Case<'_>, pod: &Pod, verdict: &mut Verdict) {
        if self.settings.node_selector.is_empty() {
            return;
        }
        let chosen = self.chose_nodes(case, pod);
        for (label, wanted) in &self.settings.node_selector {
            let at = pointer::child("/spec/nodeSelector", label);
            let (finding, found) = match find(&pod.node_selector, label) {
                Some(value) if value == wanted => continue,
                Some(value) => (verdict.violation("node-selector"), format!("by {label:?} as {value:?}")),
                None if chosen => (verdict.advisory("node-selector"), format!("without {label:?}")),
                None => (verdict.violation("node-selector"), format!("without {label:?}")),
            };
            finding
                .at(at.as_str())
                .says(format!("the pod asks for a GPU but selects nodes {found}"))
                .mend(format!("set nodeSelector {label:?} to {wanted:?}"));
            if !chosen {
                verdict.set_default("node-selector", at, wanted.as_str());
            }
        }
    }

    /// Whether the pod's author chose nodes in a way of their own. Two choices together could leave none.
    fn chose_nodes(&self, case: &Case<'_>, pod: &Pod) -> bool {
        const AFFINITY: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";
        let of_their_own = |label: &str| !PLATFORM.contains(&label) && !self.settings.node_selector.contains_key(label);
        pod.node_selector.iter().any(|entry| of_their_own(&entry.name)) || case.read(AFFINITY).is_some()
    }

    fn choose_runtime(&self, pod: &Pod, verdict: &mut Verdict) {
        const FIELD: &str = "/spec/runtimeClassName";
        let Some(wanted) = self.settings.runtime_class.as_deref() else { return };
        if pod.runtime_class.as_deref() == Some(wanted) {
            return;
        }
        let found = pod.runtime_class.as_deref().map_or("none".into(), |class| format!("{class:?}"));
        verdict
            .violation("runtime-class")
            .at(FIELD)
            .says(format!("the pod asks for a GPU but its runtime class is {found}"))
            .mend(format!("set runtimeClassName to {wanted:?}"));
        verdict.set_default("runtime-class", FIELD, wanted);
    }

    /// Objects of exempt kinds, and the pods that belong to one.
    fn is_exempt(&self, case: &Case<'_>) -> bool {
        let is_exempt = |kind: &str| self.settings.exempt_kinds.iter().any(|exempt| exempt == kind);
        is_exempt(&case.request().kind().kind) || owner::controller_kind(case).is_some_and(|kind| is_exempt(&kind))
    }

    fn keep_off(&self, tolerations: &[Toleration], verdict: &mut Verdict) {
        for (index, toleration) in tolerations.iter().enumerate() {
            let Some(reach) = reach(toleration, &self.settings.taint_keys) else { continue };
            verdict
                .violation("stray-toleration")
                .at(format!("/spec/tolerations/{index}"))
                .says(format!("the pod asks for no GPU but {reach}"))
                .mend("remove the toleration, or tolerate by name the taints that are meant");
        }
    }
}

/// How a toleration lets a pod onto GPU nodes; none if it does not.
fn reach(toleration: &Toleration, taint_keys: &[Glob]) -> Option<String> {
    // What merely is discouraged (PreferNoSchedule) keeps nobody off a node.
    if toleration.effect.as_deref() == Some("PreferNoSchedule") {
        return None;
    }
    match toleration.key.as_deref().filter(|key| !key.is_empty()) {
        // Without a key, Exists stands for every taint there is.
        None => (toleration.operator.as_deref() == Some("Exists")).then(|| "tolerates every taint".into()),
        Some(key) => Glob::any(taint_keys, key).then(|| format!("tolerates the taint {key:?} of GPU nodes")),
    }
}

/// Whether a toleration does what the wanted one would.
fn covers(toleration: &Toleration, wanted: &Tolerated) -> bool {
    let key = toleration.key.as_deref().unwrap_or_default();
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let exists = toleration.operator.as_deref() == Some("Exists");
    let value = toleration.value.as_deref().unwrap_or_default();
    let same_key = key == wanted.key || (key.is_empty() && exists);
    let same_effect = effect.is_empty() || wanted.effect.is_some_and(|wanted| wanted.name() == effect);
    // A value that somebody chose for this very key is their knowledge of their nodes.
    let same_value = exists || wanted.value.as_deref().is_none_or(|wanted| wanted == value);
    same_key && same_effect && same_value
}
