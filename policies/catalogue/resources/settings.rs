//! What users may write under `settings`.

use std::collections::BTreeMap;
use std::str::FromStr;

use portreeve_sdk::SettingsError;
use portreeve_sdk::quantity::{Quantity, QuantityError};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::selector::Selector;

/// Settings of resources.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Resources that every container has to request. A limit stands for a request.
    pub(super) require_requests: Vec<Resource>,
    /// Resources that every container has to have a limit of. A limit of the pod as a whole will do.
    pub(super) require_limits: Vec<Resource>,
    /// What containers are given that don't say what they need.
    pub(super) defaults: Kinds,
    /// What certain containers are given instead; the first that takes a container counts.
    pub(super) classes: Vec<Class>,
    /// What the LimitRange of the namespaces says of containers. What it gives pods itself is left to it: a request
    /// that stood in a template already would keep it from giving its own, and could be below its minimum.
    pub(super) limit_range: LimitRange,
    /// The most that a container may have as its limit, or request where it has no limit. Where it says nothing itself,
    /// that of the pod as a whole counts, all of which it may take.
    pub(super) max_limits: PerResource,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            require_requests: vec![Resource::Cpu, Resource::Memory],
            require_limits: Vec::new(),
            defaults: Kinds::default(),
            classes: Vec::new(),
            limit_range: LimitRange::default(),
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

/// Amounts for each kind of containers.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Kinds {
    /// Those in `containers`.
    pub(super) regular: Amounts,
    /// Init containers that end.
    pub(super) init: Amounts,
    /// Init containers that go on running.
    pub(super) sidecar: Amounts,
}

impl Default for Kinds {
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

/// Amounts for a class of containers.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Class {
    /// The containers.
    pub(super) select: Selector,
    /// Requests; where a resource is left out, those of the container's kind.
    #[serde(default)]
    pub(super) requests: PerResource,
    /// Limits; where a resource is left out, those of the container's kind.
    #[serde(default)]
    pub(super) limits: PerResource,
}

/// What a LimitRange says of containers: the fields of its entry of type `Container`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct LimitRange {
    /// The least that a container may request or be limited to.
    min: PerResource,
    /// The most.
    max: PerResource,
    /// The limit of containers without one.
    default: PerResource,
    /// The request of containers without one.
    default_request: PerResource,
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

/// Refuses an amount below zero, a request above its limit, and a request or limit above the highest that is allowed:
/// what is given is never denied for it.
fn check(at: &str, requests: &PerResource, limits: &PerResource, most: &PerResource) -> Result<(), SettingsError> {
    not_below_zero(&[at, "/requests"].concat(), requests)?;
    not_below_zero(&[at, "/limits"].concat(), limits)?;
    not_above(&[at, "/requests"].concat(), requests, limits, "the limit")?;
    not_above(&[at, "/requests"].concat(), requests, most, "what maxLimits allows")?;
    not_above(&[at, "/limits"].concat(), limits, most, "what maxLimits allows")
}

/// Refuses an amount above the one of the same resource in `most`, which stands as `what`.
fn not_above(at: &str, amounts: &PerResource, most: &PerResource, what: &str) -> Result<(), SettingsError> {
    for (resource, amount) in amounts {
        if let Some(most) = most.get(resource).filter(|most| amount.quantity > most.quantity) {
            let reason = format!("{} is above {what}, {}", amount.written, most.written);
            return Err(SettingsError::new([at, "/", resource.name()].concat(), reason));
        }
    }
    Ok(())
}

/// Refuses an amount that the API server would: nothing needs less than nothing.
fn not_below_zero(at: &str, amounts: &PerResource) -> Result<(), SettingsError> {
    match amounts.iter().find(|(_, amount)| amount.quantity < Quantity::default()) {
        Some((resource, amount)) => {
            let reason = format!("{} is below zero", amount.written);
            Err(SettingsError::new([at, "/", resource.name()].concat(), reason))
        }
        None => Ok(()),
    }
}

impl Settings {
    /// Refuses amounts that can't be or contradict each other.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        not_below_zero("/maxLimits", &self.max_limits)?;
        let Kinds { regular, init, sidecar } = &self.defaults;
        for (name, amounts) in [("regular", regular), ("init", init), ("sidecar", sidecar)] {
            check(&["/defaults/", name].concat(), &amounts.requests, &amounts.limits, &self.max_limits)?;
        }
        for (index, class) in self.classes.iter().enumerate() {
            class.select.check(|| format!("/classes/{index}/select"))?;
            check(&format!("/classes/{index}"), &class.requests, &class.limits, &self.max_limits)?;
        }
        self.limit_range.check()
    }
}

impl LimitRange {
    /// Whether it gives pods a request of the resource. The API server makes one out of whatever is there. Source:
    /// `SetDefaults_LimitRangeItem` in Kubernetes' `pkg/apis/core/v1/defaults.go`.
    pub(super) fn gives_request(&self, resource: Resource) -> bool {
        let lists = [&self.default_request, &self.default, &self.max, &self.min];
        lists.iter().any(|amounts| amounts.contains_key(&resource))
    }

    /// Whether it gives pods a limit of the resource.
    pub(super) fn gives_limit(&self, resource: Resource) -> bool {
        self.default.contains_key(&resource) || self.max.contains_key(&resource)
    }

    /// Whether it takes this limit. Where it has a highest, it gives a limit itself.
    pub(super) fn takes_limit(&self, resource: Resource, limit: &Amount) -> bool {
        self.min.get(&resource).is_none_or(|min| min.quantity <= limit.quantity)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let Self { min, max, default, default_request } = self;
        for (at, amounts) in [("min", min), ("max", max), ("default", default), ("defaultRequest", default_request)] {
            not_below_zero(&["/limitRange/", at].concat(), amounts)?;
        }
        not_above("/limitRange/min", min, max, "the highest")
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
