//! What becomes of our resources, as it stands in their `status`: whether they are in force, and if not, why. Shapes and
//! their words; nothing is written here.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `status` of a ClusterPolicy or a Policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The `metadata.generation` that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// SHA-256 of the module in force, as `sha256:` and 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_digest: Option<String>,
    /// `Ready`: whether the policy is in force as it is written.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// `status` of a PolicySet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetStatus {
    /// The `metadata.generation` that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Digest of the whole set in force, as records name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `Ready`: whether the set is in force as it is written.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// `status` of a PolicyException.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionStatus {
    /// The `metadata.generation` that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: whether the exception counts.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// One thing that holds of a resource or does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about: `Ready`.
    #[serde(rename = "type")]
    pub about: String,
    /// Whether it holds.
    pub status: Holds,
    /// Why, in one word for machines.
    pub reason: String,
    /// Why, for people, and what to do.
    pub message: String,
    /// Since when it holds, or does not.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_transition_time: Timestamp,
    /// The `metadata.generation` that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Holds {
    /// It does.
    True,
    /// It does not.
    False,
    /// Nobody can say yet.
    Unknown,
}

/// What became of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is in force as it is written.
    InForce,
    /// It is right, but the set does not name it, or its mode is off.
    NotAsked {
        /// Which of the two.
        message: String,
    },
    /// It can't be put in force; what was in force before still is.
    Refused {
        /// What is wrong, and what would be right.
        message: String,
    },
    /// An exception that no longer counts.
    Expired {
        /// Since when.
        at: Timestamp,
    },
}

/// The condition that every resource of ours has.
pub const READY: &str = "Ready";

impl Readiness {
    /// The condition that says so. The time of the last one is kept while it says the same.
    #[must_use]
    pub fn condition(&self, generation: Option<i64>, before: &[Condition], now: Timestamp) -> Condition {
        let holds = if *self == Self::InForce { Holds::True } else { Holds::False };
        let before = before.iter().find(|condition| condition.about == READY && condition.status == holds);
        Condition {
            about: READY.to_owned(),
            status: holds,
            reason: self.reason().to_owned(),
            message: self.to_string(),
            last_transition_time: before.map_or(now, |condition| condition.last_transition_time),
            observed_generation: generation,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::InForce => "InForce",
            Self::NotAsked { .. } => "NotAsked",
            Self::Refused { .. } => "Refused",
            Self::Expired { .. } => "Expired",
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InForce => f.write_str("in force as written"),
            Self::NotAsked { message } | Self::Refused { message } => f.write_str(message),
            Self::Expired { at } => write!(f, "no longer counts: it expired at {at}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_time_of_a_condition_is_that_of_its_last_change() {
        let (noon, later) = (at("2030-01-01T12:00:00Z"), at("2030-01-01T13:00:00Z"));
        let refused = |message: &str| Readiness::Refused { message: message.to_owned() };
        let first = refused("a").condition(Some(1), &[], noon);
        let second = refused("b").condition(Some(2), std::slice::from_ref(&first), later);
        assert_eq!((second.last_transition_time, second.message.as_str()), (noon, "b"));
        assert_eq!(Readiness::InForce.condition(Some(3), &[second], later).last_transition_time, later);
    }
}
