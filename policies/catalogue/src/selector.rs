//! Which containers a setting is for. Several policies let administrators say so; what follows is theirs.

use std::collections::BTreeMap;

use portreeve_sdk::SettingsError;
use portreeve_sdk::glob::Glob;
use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::{Container, Pod};
use serde::Deserialize;

use crate::exact::Exact;

/// Containers that all of these describe. At least one is given.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Selector {
    /// The container runs one of these images.
    images: Vec<ImagePattern>,
    /// The container has one of these names; `*` stands for any characters.
    containers: Vec<Glob>,
    /// The pod template has all of these labels.
    labels: BTreeMap<String, Exact>,
}

impl Selector {
    /// Refuses a selector that would take everything, most likely by oversight; `at` is where it stands.
    pub(crate) fn check(&self, at: impl FnOnce() -> String) -> Result<(), SettingsError> {
        if self.is_empty() {
            return Err(SettingsError::new(at(), "says for which containers it is: give images, containers or labels"));
        }
        Ok(())
    }

    /// Whether nothing is given, so that every container is meant.
    pub(crate) fn is_empty(&self) -> bool {
        self.images.is_empty() && self.containers.is_empty() && self.labels.is_empty()
    }

    /// Whether it goes by images, which not everybody who writes a workload can make.
    pub(crate) fn goes_by_images(&self) -> bool {
        crate::trust::name_somebody(self.images.iter().map(ImagePattern::as_str))
    }

    /// Whether the container is one of those meant.
    pub(crate) fn takes(&self, pod: &Pod, container: &Container) -> bool {
        (self.images.is_empty() || ImagePattern::any(&self.images, &container.image))
            && (self.containers.is_empty() || Glob::any(&self.containers, &container.name))
            && self.labels.iter().all(|(name, value)| pod.label(name) == Some(value.as_str()))
    }
}
