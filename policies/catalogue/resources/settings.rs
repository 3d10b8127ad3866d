//! What users may write under `settings`.

use std::collections::BTreeMap;
use std::str::FromStr;

use portreeve_sdk::SettingsError;
use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::quantity::{Quantity, QuantityError};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Settings of resources.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Resources that every container has to request. A limit stands for a request.
    pub(super) require_requests: Vec<Resource>,
    /// Resources that every container has to have a limit of.
    pub(super) require_limits: Vec<Resource>,
    /// What containers are given that don't say what they need.
    pub(super) defaults: Classes,
    /// What containers of certain images are given instead; the first that matches counts.
    pub(super) images: Vec<ByImage>,
    /// The most that a container may have as its limit, or request where it has no limit.
    pub(super) max_limits: PerResource,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            require_requests: vec![Resource::Cpu, Resource::Memory],
            require_limits: Vec::new(),
            defaults: Classes::default(),
            images: Vec::new(),
            max_limits: BTreeMap::new(),
        }
    }
}

/// A resource of the node that containers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Resource {
    /// Cores.
    Cpu,
    /// Bytes of memory.
    Memory,
    /// Bytes of the node's disk.
    EphemeralStorage,
}

/// Amounts for each class of containers.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Classes {
    /// Those in `containers`.
    pub(super) regular: Amounts,
    /// Init containers that end.
    pub(super) init: Amounts,
    /// Init containers that go on running.
    pub(super) sidecar: Amounts,
}

impl Default for Classes {
    // Small, so that small nodes still take what they took, and no limits, which could break what runs.
    fn default() -> Self {
        Self {
            regular: Amounts::requests("50m", "64Mi"),
            init: Amounts::requests("10m", "32Mi"),
            sidecar: Amounts::requests("10m", "32Mi"),
        }
    }
}

/// Requests and limits by resource.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Amounts {
    /// Requests.
    pub(super) requests: PerResource,
    /// Limits.
    pub(super) limits: PerResource,
}

/// Amounts for containers of an image.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ByImage {
    /// The images meant.
    pub(super) image: ImagePattern,
    /// Requests; where a resource is left out, those of the container's class.
    #[serde(default)]
    pub(super) requests: PerResource,
    /// Limits; where a resource is left out, those of the container's class.
    #[serde(default)]
    pub(super) limits: PerResource,
}

/// Amounts by resource.
pub(super) type PerResource = BTreeMap<Resource, Amount>;

/// A quantity, as written.
#[derive(Debug, Clone)]
pub(super) struct Amount {
    written: String,
    quantity: Quantity,
}

impl Resource {
    pub(super) const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::EphemeralStorage];

    /// As Kubernetes names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
        }
    }

    /// The rule that it is requested.
    pub(super) fn request_rule(self) -> &'static str {
        match self {
            Self::Cpu => "request-cpu",
            Self::Memory => "request-memory",
            Self::EphemeralStorage => "request-ephemeral-storage",
        }
    }

    /// The rule that it is limited.
    pub(super) fn limit_rule(self) -> &'static str {
        match self {
            Self::Cpu => "limit-cpu",
            Self::Memory => "limit-memory",
            Self::EphemeralStorage => "limit-ephemeral-storage",
        }
    }

    /// The rule that the limit is not too high.
    pub(super) fn max_rule(self) -> &'static str {
        match self {
            Self::Cpu => "max-limit-cpu",
            Self::Memory => "max-limit-memory",
            Self::EphemeralStorage => "max-limit-ephemeral-storage",
        }
    }
}

impl Amount {
    pub(super) fn as_str(&self) -> &str {
        &self.written
    }

    pub(super) fn quantity(&self) -> Quantity {
        self.quantity
    }
}

impl Amounts {
    fn requests(cpu: &str, memory: &str) -> Self {
        let pairs = [(Resource::Cpu, cpu), (Resource::Memory, memory)];
        let requests = pairs.into_iter().filter_map(|(resource, text)| Some((resource, text.parse().ok()?)));
        Self { requests: requests.collect(), limits: BTreeMap::new() }
    }
}

/// Refuses a request above its limit and a limit above the highest that is allowed.
fn check(at: &str, requests: &PerResource, limits: &PerResource, most: &PerResource) -> Result<(), SettingsError> {
    for (resource, limit) in limits {
        let error =
            |list, reason: String| Err(SettingsError::new([at, "/", list, "/", resource.name()].concat(), reason));
        if requests.get(resource).is_some_and(|request| request.quantity > limit.quantity) {
            return error("requests", format!("it is above the limit, {}", limit.written));
        }
        if let Some(most) = most.get(resource).filter(|most| limit.quantity > most.quantity) {
            return error("limits", format!("it is above what maxLimits allows, {}", most.written));
        }
    }
    Ok(())
}

impl Settings {
    /// Refuses amounts that contradict each other.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let Classes { regular, init, sidecar } = &self.defaults;
        for (name, amounts) in [("regular", regular), ("init", init), ("sidecar", sidecar)] {
            check(&["/defaults/", name].concat(), &amounts.requests, &amounts.limits, &self.max_limits)?;
        }
        for (index, own) in self.images.iter().enumerate() {
            check(&format!("/images/{index}"), &own.requests, &own.limits, &self.max_limits)?;
        }
        Ok(())
    }
}

impl FromStr for Amount {
    type Err = QuantityError;

    fn from_str(written: &str) -> Result<Self, QuantityError> {
        Ok(Self { quantity: written.parse()?, written: written.into() })
    }
}

/// A number will do too, as in manifests.
impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let written = match Value::deserialize(json)? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        written.parse().map_err(|error| serde::de::Error::custom(format!("{written:?} is {error}")))
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, text: S) -> Result<S::Ok, S::Error> {
        text.serialize_str(&self.written)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "number"]})
    }
}
