//! What users may write under `settings`. A probe that the API server would refuse is refused here, by its place.

use portreeve_sdk::SettingsError;
use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::ProbeKind;
use serde::Deserialize;

use super::probe::Probe;
use crate::exact::Exact;
use crate::selector::Selector;

/// Settings of probes.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Probes that have to be there.
    pub(super) require: Vec<Asked>,
    /// Probes that containers are given which lack them; the first entry that selects a container counts. None, unless
    /// given: only the author knows what to ask.
    pub(super) defaults: Vec<Defaults>,
    /// Kinds that run for long. Pods that end by themselves are passed over, whatever their kind.
    pub(super) kinds: Vec<Exact>,
    /// Whether sidecars (init containers that go on running) are judged too.
    pub(super) sidecars: Sidecars,
    /// Images that need no probes, such as single-purpose workers without a port.
    pub(super) exempt_images: Vec<ImagePattern>,
}

impl Default for Settings {
    fn default() -> Self {
        let kinds = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Rollout", "Pod"];
        Self {
            require: vec![Asked::Liveness, Asked::Readiness],
            defaults: Vec::new(),
            kinds: Exact::known(kinds),
            sidecars: Sidecars::Ignore,
            exempt_images: Vec::new(),
        }
    }
}

/// A kind of probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(super) enum Asked {
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
pub(super) enum Sidecars {
    /// They need no probes.
    Ignore,
    /// They are judged as the others.
    Judge,
}

/// Probes for some containers. One that asks a port is given to containers that declare that port.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Defaults {
    /// The containers.
    pub(super) select: Selector,
    /// Their liveness probe.
    #[serde(default)]
    liveness: Option<Probe>,
    /// Their readiness probe.
    #[serde(default)]
    readiness: Option<Probe>,
    /// Their startup probe.
    #[serde(default)]
    startup: Option<Probe>,
}

impl Asked {
    pub(super) const ALL: [Self; 3] = [Self::Liveness, Self::Readiness, Self::Startup];

    /// The rule that it is there, which is its name in the settings too.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
        }
    }

    /// The field of a container.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Liveness => "livenessProbe",
            Self::Readiness => "readinessProbe",
            Self::Startup => "startupProbe",
        }
    }

    pub(super) fn kind(self) -> ProbeKind {
        match self {
            Self::Liveness => ProbeKind::Liveness,
            Self::Readiness => ProbeKind::Readiness,
            Self::Startup => ProbeKind::Startup,
        }
    }
}

impl Defaults {
    pub(super) fn of(&self, asked: Asked) -> Option<&Probe> {
        match asked {
            Asked::Liveness => self.liveness.as_ref(),
            Asked::Readiness => self.readiness.as_ref(),
            Asked::Startup => self.startup.as_ref(),
        }
    }
}

impl Settings {
    /// Refuses probes that the API server would refuse, and those that would be for every container by oversight.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        for (index, defaults) in self.defaults.iter().enumerate() {
            let at = format!("/defaults/{index}");
            defaults.select.check(|| [&at, "/select"].concat())?;
            for asked in Asked::ALL {
                if let Some(probe) = defaults.of(asked) {
                    probe.check(asked, &[&at, "/", asked.rule()].concat())?;
                }
            }
        }
        Ok(())
    }
}
