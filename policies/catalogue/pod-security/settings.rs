//! What users may write under `settings`, and which of a policy's classes a pod belongs to.

use std::collections::BTreeMap;

use portreeve_sdk::SettingsError;
use portreeve_sdk::glob::Glob;
use portreeve_sdk::image::{ImagePattern, Reference};
use portreeve_sdk::view::{Container, Pod};
use serde::Deserialize;

use super::standard::{Level, Version};
use crate::devices::Devices;
use crate::injected::Injected;

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
    /// Whether the namespace's enforce label is asked of its pods too. The stricter level wins.
    pub(super) namespace_labels: NamespaceLabels,
    /// What becomes of a workload whose pods would not be allowed.
    pub(super) templates: Templates,
    /// Who is not judged.
    pub(super) exemptions: Exemptions,
    /// What is made of containers that a mesh adds, known by image, which run as root with NET_ADMIN. Nothing else is
    /// let pass, and nothing that the namespace's label asks.
    pub(super) injected: Injected,
    /// Extended resources that count as GPUs for `requestsGpu`; `*` stands for any characters.
    pub(super) gpu_resources: Vec<Glob>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: Level::Baseline,
            version: Version::Latest,
            classes: Vec::new(),
            namespace_labels: NamespaceLabels::Honour,
            templates: Templates::Enforce,
            exemptions: Exemptions::default(),
            injected: Injected::default(),
            gpu_resources: Devices::usual_resources(),
        }
    }
}

/// A class of workloads with a level of its own.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Class {
    /// A name for people.
    pub(super) name: String,
    /// Who belongs to it: all of what is written has to hold.
    pub(super) when: When,
    /// The level that its pods have to meet.
    pub(super) level: Level,
    /// Which release's rules, where they are not those of the other pods.
    #[serde(default)]
    pub(super) version: Option<Version>,
}

/// By what a pod is known to belong to a class.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct When {
    /// Whether it asks for a GPU, by an extended resource or by a resource claim.
    requests_gpu: Option<bool>,
    /// Labels of the pod template. A level below the usual one can't rest on labels alone: anybody can write them.
    labels: BTreeMap<String, String>,
    /// Service accounts, one of which it runs as.
    service_accounts: Vec<Glob>,
    /// Images; every container's is one of them.
    images: Vec<ImagePattern>,
}

/// Whether `pod-security.kubernetes.io/enforce` on the namespace counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(super) enum NamespaceLabels {
    /// It does. Needs the fact `namespace`.
    Honour,
    /// It does not: the built-in controller looks after it.
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
    pub(super) usernames: Vec<String>,
    /// Runtime classes, by name.
    pub(super) runtime_classes: Vec<String>,
}

impl Settings {
    /// Refuses classes that nobody or everybody belongs to, and those that loosen on a mere label.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        for (index, class) in self.classes.iter().enumerate() {
            let error = |reason| Err(SettingsError::new(format!("/classes/{index}/when"), reason));
            if class.when.is_empty() {
                return error("nothing is written by which a pod would belong to the class");
            }
            if class.level < self.level && class.when.rests_on_labels_alone() {
                return error(
                    "a level below the usual one can't rest on labels alone, which anybody can write: \
                     add requestsGpu, serviceAccounts or images",
                );
            }
        }
        Ok(())
    }
}

impl When {
    /// Whether the pod belongs.
    pub(super) fn takes(&self, pod: &Pod, containers: &[Container], devices: &Devices) -> bool {
        let asks = |wanted| devices.asked_for(pod, containers) == wanted;
        let account = pod.service_account.as_deref().filter(|name| !name.is_empty()).unwrap_or("default");
        self.requests_gpu.is_none_or(asks)
            && self.labels.iter().all(|(name, value)| pod.label(name) == Some(value))
            && (self.service_accounts.is_empty() || Glob::any(&self.service_accounts, account))
            && (self.images.is_empty() || containers.iter().all(|container| self.has_image(container)))
    }

    fn has_image(&self, container: &Container) -> bool {
        let image = Reference::parse(&container.image);
        self.images.iter().any(|pattern| pattern.matches(&image))
    }

    fn is_empty(&self) -> bool {
        self.requests_gpu.is_none() && self.labels.is_empty() && !self.names_an_account_or_image()
    }

    fn rests_on_labels_alone(&self) -> bool {
        self.requests_gpu != Some(true) && !self.names_an_account_or_image()
    }

    fn names_an_account_or_image(&self) -> bool {
        !self.service_accounts.is_empty() || !self.images.is_empty()
    }
}
