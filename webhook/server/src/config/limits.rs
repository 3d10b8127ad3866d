//! Bounds of what the server takes and does at once, as they are configured.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds of what is taken and done at once.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// The largest body, in bytes: 64 KiB at least. An object may have 3 MiB, and a review carries two.
    pub body_bytes: BodyBytes,
    /// Bytes of bodies that are read or judged at once, and never fewer than one body may have. Whose body finds no
    /// room in time is answered 503.
    pub bytes_under_way: usize,
    /// How many evaluations may run at once. Left out: twice the number of processors.
    pub evaluations: Option<NonZeroUsize>,
    /// Connections to the port of the webhook.
    pub connections: ConnectionLimits,
    /// Policies that namespaces ask of themselves.
    pub namespaced_policies: NamespacedPolicies,
}

/// How many Policies of namespaces are in force: all of them run in one module, so that each costs every request that
/// any of them sees. What is beyond is left out, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NamespacedPolicies {
    /// Of one namespace.
    pub per_namespace: usize,
    /// Of all namespaces together.
    pub in_total: usize,
}

/// Bounds of connections. A connection is a stranger's until a first call on it shows a token in force, or that TLS let
/// a client certificate in: so who may not call can keep nobody out who may.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ConnectionLimits {
    /// Connections of callers who may call, at once. The first call on one more is answered 503.
    pub callers: NonZeroU32,
    /// Connections of strangers, at once. One more ends the oldest of them.
    pub strangers: NonZeroU32,
    /// How long a TLS handshake may take, in seconds.
    pub handshake_seconds: Seconds<1>,
    /// How long a stranger's connection lasts, in seconds, handshake and the first call's headers in it.
    pub stranger_seconds: Seconds<1>,
    /// How long a caller's connection may be silent, in seconds. The API server closes its own after 90, and should be
    /// the one to do so; no call takes longer than 30.
    pub idle_seconds: Seconds<60>,
    /// Calls at once on one connection of HTTP/2.
    pub streams: NonZeroU32,
}

/// The largest body that is taken, in bytes. Below the least most calls would be turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "usize")]
pub struct BodyBytes(usize);

/// A bound of bodies that keeps most calls out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes are too few: at least {least} are needed", least = BodyBytes::LEAST)]
pub struct TooFewBytes(usize);

/// Whole seconds, at least so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct Seconds<const LEAST: u32>(u32);

/// Fewer seconds than would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} seconds are too few: at least {least} are needed")]
pub struct TooFewSeconds {
    found: u32,
    least: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: BodyBytes(8 << 20),
            bytes_under_way: 32 << 20,
            evaluations: None,
            connections: ConnectionLimits::default(),
            namespaced_policies: NamespacedPolicies::default(),
        }
    }
}

impl LimitsConfig {
    /// Bytes of bodies that there may be at once: as many as are configured, and one body at least.
    #[must_use]
    pub fn room(&self) -> usize {
        self.bytes_under_way.max(self.body_bytes.get())
    }
}

impl Default for NamespacedPolicies {
    fn default() -> Self {
        Self { per_namespace: 10, in_total: 200 }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            callers: NonZeroU32::MIN.saturating_add(1_999),
            strangers: NonZeroU32::MIN.saturating_add(499),
            handshake_seconds: Seconds(5),
            stranger_seconds: Seconds(10),
            idle_seconds: Seconds(120),
            streams: NonZeroU32::MIN.saturating_add(249),
        }
    }
}

impl BodyBytes {
    const LEAST: usize = 64 << 10;

    /// The number.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }
}

impl TryFrom<usize> for BodyBytes {
    type Error = TooFewBytes;

    fn try_from(found: usize) -> Result<Self, TooFewBytes> {
        if found < Self::LEAST { Err(TooFewBytes(found)) } else { Ok(Self(found)) }
    }
}

impl JsonSchema for BodyBytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BodyBytes".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "format": "uint", "minimum": Self::LEAST})
    }
}

impl<const LEAST: u32> Seconds<LEAST> {
    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl<const LEAST: u32> TryFrom<u32> for Seconds<LEAST> {
    type Error = TooFewSeconds;

    fn try_from(found: u32) -> Result<Self, TooFewSeconds> {
        if found < LEAST { Err(TooFewSeconds { found, least: LEAST }) } else { Ok(Self(found)) }
    }
}

impl<const LEAST: u32> JsonSchema for Seconds<LEAST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("SecondsFrom{LEAST}").into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "format": "uint32", "minimum": LEAST, "maximum": u32::MAX})
    }
}
