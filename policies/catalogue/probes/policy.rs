//! What runs for long tells how it is: a liveness and a readiness probe on the containers of long-running workloads.
//! Nothing is edited: only the author knows what to ask.

use portreeve_sdk::image::{ImagePattern, Reference};
use portreeve_sdk::view::{Container, ContainerKind, ProbeKind};
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use crate::owner;

/// Settings of probes.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Probes that have to be there.
    require: Vec<Required>,
    /// Kinds that run for long. Pods that end by themselves are passed over, whatever their kind.
    kinds: Vec<String>,
    /// Whether sidecars (init containers that go on running) are judged too.
    sidecars: Sidecars,
    /// Images that need no probes, such as single-purpose workers without a port.
    exempt_images: Vec<ImagePattern>,
}

impl Default for Settings {
    fn default() -> Self {
        let kinds = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod"];
        Self {
            require: vec![Required::Liveness, Required::Readiness],
            kinds: kinds.map(String::from).into(),
            sidecars: Sidecars::Ignore,
            exempt_images: Vec::new(),
        }
    }
}

/// A probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
enum Required {
    /// Says when only a restart helps.
    Liveness,
    /// Says when requests should go elsewhere.
    Readiness,
    /// Says when the other two may begin.
    Startup,
}

/// What becomes of sidecars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
enum Sidecars {
    /// They need no probes.
    Ignore,
    /// They are judged as the others.
    Judge,
}

/// The policy.
pub(crate) struct Probes {
    settings: Settings,
}

impl Policy for Probes {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Liveness and readiness probes",
            description: "Every container of a long-running workload has a liveness and a readiness probe, so that \
                          what hangs is restarted and what is not ready gets no requests.",
            can: Can::VALIDATE,
            schema: include_str!("schema.json"),
            controls: &["A1.2", "CC7.2"],
            ..Manifest::new("probes", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        if !self.runs_for_long(case) {
            return Ok(verdict);
        }
        for container in case.containers().iter().filter(|container| self.is_judged(container)) {
            for required in &self.settings.require {
                required.judge(container, &mut verdict);
            }
        }
        Ok(verdict)
    }
}

impl Probes {
    fn runs_for_long(&self, case: &Case<'_>) -> bool {
        let Some(pod) = case.pod() else { return false };
        self.settings.kinds.contains(&case.request().kind().kind)
            && pod.restart_policy.as_deref().is_none_or(|policy| policy == "Always")
            && owner::controller_kind(case).is_none_or(|kind| kind != "Job")
    }

    fn is_judged(&self, container: &Container) -> bool {
        let by_kind = match container.kind {
            ContainerKind::Regular => true,
            ContainerKind::Sidecar => self.settings.sidecars == Sidecars::Judge,
            ContainerKind::Init | ContainerKind::Ephemeral => false,
        };
        let image = Reference::parse(&container.image);
        by_kind && !self.settings.exempt_images.iter().any(|pattern| pattern.matches(&image))
    }
}

impl Required {
    fn judge(self, container: &Container, verdict: &mut Verdict) {
        if container.probes.iter().any(|probe| probe.kind == self.kind()) {
            return;
        }
        let (rule, field, remedy) = match self {
            Self::Liveness => ("liveness", "livenessProbe", "add one that fails when only a restart helps"),
            Self::Readiness => ("readiness", "readinessProbe", "add one that fails while requests should go elsewhere"),
            Self::Startup => ("startup", "startupProbe", "add one that succeeds when the program has started"),
        };
        verdict
            .violation(rule)
            .container(container)
            .at(container.field(&["/", field].concat()))
            .says(format!("container {:?} has no {field}", container.name))
            .mend(remedy);
    }

    fn kind(self) -> ProbeKind {
        match self {
            Self::Liveness => ProbeKind::Liveness,
            Self::Readiness => ProbeKind::Readiness,
            Self::Startup => ProbeKind::Startup,
        }
    }
}
