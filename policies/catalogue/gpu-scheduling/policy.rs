//! GPU nodes are for pods that ask for a GPU: those get what they need to be placed there, others may not tolerate the
//! nodes' taint, and nobody asks for more than is allowed.
//!
//! Who asks is told in `devices`, where they are placed in `nodes`, how many are asked for in `count` and `workload`,
//! what settings say in `settings`.

mod count;
mod groups;
mod nodes;
mod settings;
mod workload;

use portreeve_sdk::glob::Glob;
use portreeve_sdk::view::{Operation, Pod, Toleration};
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, SettingsError, Stop, Verdict};
use serde_json::json;

use count::Gpus;
use nodes::Nodes;
pub(crate) use settings::Settings;
use settings::Tolerated;

use crate::devices::Devices;
use crate::owner;

/// The policy.
pub(crate) struct GpuScheduling {
    settings: Settings,
    devices: Devices,
    gpus: Gpus,
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
            resources: workload::RESOURCES,
            schema: include_str!("schema.json"),
            facts: &[FactNeed {
                kind: "autoscalers",
                why: "how many pods of a workload ask for GPUs at a time is an autoscaler's to say, where there is one",
                required: false,
            }],
            controls: &["A1.1", "CC7.2"],
            ..Manifest::new("gpu-scheduling", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let devices = Devices::new(settings.resources.clone(), settings.claims.clone());
        let gpus = Gpus::new(devices.clone(), Devices::new(settings.amounts.clone(), Vec::new()));
        Ok(Self { settings, devices, gpus })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(pod) = case.pod() else { return Ok(verdict) };
        if self.devices.asked_for(pod, case.containers()) || self.devices.claimed(case, pod) {
            self.tolerate(case.tolerations(), &mut verdict);
            if !self.settings.node_selector.is_empty() || !self.settings.node_affinity.is_empty() {
                Nodes::new(&self.settings, case).select(pod, &mut verdict);
            }
            self.choose_runtime(pod, &mut verdict);
            count::judge(case, &self.settings, &self.gpus, &mut verdict);
        } else {
            // How many pods another template has stands beside it, and nobody is asked about one that stays as it was.
            if case.request().operation() == Operation::Update {
                count::judge_workload(case, &self.settings, &self.gpus, &mut verdict);
            }
            if !self.is_exempt(case) {
                self.keep_off(case.tolerations(), &mut verdict);
            }
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
            let (key, effect) = (wanted.key.as_str(), wanted.effect.map_or("any effect", |effect| effect.name()));
            verdict
                .violation("toleration")
                .at("/spec/tolerations")
                .says(format!("the pod asks for a GPU but does not tolerate the taint {key:?} ({effect})"))
                .mend(format!("add a toleration of the key {key:?}"));
            verdict.append_unique("toleration", "/spec/tolerations", json!(wanted), &[]);
        }
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
        is_exempt(&case.request().kind().kind) || owner::controller_kind(case).is_some_and(is_exempt)
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
    let effect = match toleration.effect.as_deref().unwrap_or_default() {
        // What merely is discouraged keeps nobody off a node.
        "PreferNoSchedule" => return None,
        "" => String::new(),
        effect => format!(" with the effect {effect}"),
    };
    match toleration.key.as_deref().filter(|key| !key.is_empty()) {
        // Without a key, Exists stands for every taint there is.
        None if toleration.operator.as_deref() != Some("Exists") => None,
        None if taint_keys.is_empty() => None,
        None => Some(format!("tolerates every taint{effect}, those of GPU nodes too")),
        Some(key) => Glob::any(taint_keys, key).then(|| format!("tolerates the taint {key:?}{effect} of GPU nodes")),
    }
}

/// Whether a toleration does what the wanted one would.
fn covers(toleration: &Toleration, wanted: &Tolerated) -> bool {
    let key = toleration.key.as_deref().unwrap_or_default();
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let exists = toleration.operator.as_deref() == Some("Exists");
    let value = toleration.value.as_deref().unwrap_or_default();
    let same_key = key == wanted.key.as_str() || (key.is_empty() && exists);
    let same_effect = effect.is_empty() || wanted.effect.is_some_and(|wanted| wanted.name() == effect);
    // A value that somebody chose for this very key is their knowledge of their nodes.
    let same_value = exists || wanted.value.as_deref().is_none_or(|wanted| wanted == value);
    same_key && same_effect && same_value
}
