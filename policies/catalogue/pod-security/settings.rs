//! What users may write under `settings`. Classes of workloads are in `classes`.

use portreeve_sdk::SettingsError;
use portreeve_sdk::glob::Glob;
use serde::Deserialize;

use super::classes::Class;
use super::standard::{Demand, Level, Version};
use crate::devices::Devices;
use crate::exact::Exact;
use crate::injected::Injected;
use crate::trust::name_somebody;

/// Resources that have nothing to do with GPUs.
const EVERYBODYS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Settings of pod-security.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// The level that pods of no class have to meet.
    pub(super) level: Level,
    /// Which release's rules: `latest` or `v1.N`.
    pub(super) version: Version,
    /// Levels for classes of workloads; the first class that a pod belongs to is its own.
    pub(super) classes: Vec<Class>,
    /// Whether the namespace's labels count too: of its enforce label and the level here, the stricter wins.
    pub(super) namespace_labels: NamespaceLabels,
    /// What users are warned by where the namespace's labels don't say. A stricter enforce label is followed.
    pub(super) warn: Demand,
    /// What is recorded, and told to nobody, where the namespace's labels don't say.
    pub(super) audit: Demand,
    /// What becomes of a workload whose pods would not be allowed.
    pub(super) templates: Templates,
    /// Who is not judged.
    pub(super) exemptions: Exemptions,
    /// What is made of containers that a mesh adds, known by image, which run as root with NET_ADMIN. Nothing else is
    /// let pass, and nothing that the namespace's label asks.
    pub(super) injected: Injected,
    /// Extended resources that count as GPUs for `requestsGpu`; `*` stands for any characters.
    pub(super) gpu_resources: Vec<Glob>,
    /// Resource claims that count as GPUs for `requestsGpu`, by the name of the ResourceClaim or ResourceClaimTemplate
    /// that the pod refers to; `*` stands for any characters. What a claim is for stands in another object: none
    /// counts, unless named here.
    pub(super) gpu_claims: Vec<Glob>,
}

/// What every pod meets.
const NOTHING: Demand = Demand { level: Level::Privileged, version: Version::Latest };

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: Level::Baseline,
            version: Version::Latest,
            classes: Vec::new(),
            namespace_labels: NamespaceLabels::Honour,
            warn: NOTHING,
            audit: NOTHING,
            templates: Templates::Enforce,
            exemptions: Exemptions::default(),
            injected: Injected::default(),
            gpu_resources: Devices::usual_resources(),
            gpu_claims: Vec::new(),
        }
    }
}

/// Whether the `pod-security.kubernetes.io` labels of namespaces count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(super) enum NamespaceLabels {
    /// They do. Needs the fact `namespace`.
    Honour,
    /// They do not: the built-in controller looks after them.
    Ignore,
}

/// What becomes of workloads, as against pods. The built-in controller only warns of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(super) enum Templates {
    /// They are judged as their pods will be.
    Enforce,
    /// Their authors are warned.
    Warn,
    /// They are passed over.
    Ignore,
}

/// Who is not judged, as in the built-in controller's configuration.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Exemptions {
    /// Namespaces; `*` stands for any characters.
    pub(super) namespaces: Vec<Glob>,
    /// Users who make the request, by name.
    pub(super) usernames: Vec<Exact>,
    /// Runtime classes, by name.
    pub(super) runtime_classes: Vec<Exact>,
}

impl Settings {
    /// Refuses classes that nobody or everybody belongs to, those that loosen on what anyone can write, and GPUs that
    /// every pod asks for or every claim is for.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        for (index, class) in self.classes.iter().enumerate() {
            class.check(self.usual()).map_err(|reason| SettingsError::new(format!("/classes/{index}/when"), reason))?;
        }
        if let Some(index) = self.gpu_claims.iter().position(|glob| !name_somebody([glob.as_str()])) {
            return Err(SettingsError::new(
                format!("/gpuClaims/{index}"),
                "takes every claim, whatever it is for: name the claims of your GPUs",
            ));
        }
        let taken = self.gpu_resources.iter().position(|glob| EVERYBODYS.iter().any(|name| glob.matches(name)));
        match taken {
            Some(index) => Err(SettingsError::new(
                format!("/gpuResources/{index}"),
                "takes cpu or memory, which every pod asks for: name the resources of your GPUs",
            )),
            None => Ok(()),
        }
    }

    /// What is asked of pods of no class.
    pub(super) fn usual(&self) -> Demand {
        Demand { level: self.level, version: self.version }
    }
}
