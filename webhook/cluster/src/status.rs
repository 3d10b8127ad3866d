//! What becomes of our resources, as it stands in their `status`: whether they are in force, and if not, why. Shapes
//! and their words; nothing is written here.

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
    /// It is in force as it is written, while the set that all resources make now is refused.
    Kept {
        /// What that is refused for.
        refused: String,
    },
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
    /// Nothing is wrong with it, but it is not in force as it is written, since the set that all resources make is
    /// refused.
    HeldUp {
        /// What that is refused for.
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

/// The reason of one that is refused.
const REFUSED: &str = "Refused";

impl Readiness {
    /// Whether it is worth an event, after these conditions: what is wrong with the resource itself is one each time
    /// that it is told, what holds it up only when that begins.
    #[must_use]
    pub fn is_worth_an_event(&self, before: &[Condition]) -> bool {
        let was_refused = || before.iter().any(|condition| condition.about == READY && condition.reason == REFUSED);
        match self {
            Self::Refused { .. } => true,
            Self::HeldUp { .. } => !was_refused(),
            Self::InForce | Self::Kept { .. } | Self::NotAsked { .. } | Self::Expired { .. } => false,
        }
    }

    /// The condition that says so. The time of the last one is kept while it says the same.
    #[must_use]
    pub fn condition(&self, generation: Option<i64>, before: &[Condition], now: Timestamp) -> Condition {
        let holds = if matches!(self, Self::InForce | Self::Kept { .. }) { Holds::True } else { Holds::False };
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
            Self::InForce | Self::Kept { .. } => "InForce",
            Self::NotAsked { .. } => "NotAsked",
            Self::Refused { .. } | Self::HeldUp { .. } => REFUSED,
            Self::Expired { .. } => "Expired",
        }
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InForce => f.write_str("in force as written"),
            Self::Kept { refused } => write!(f, "in force as written; newer changes are refused: {refused}"),
            Self::NotAsked { message } | Self::Refused { message } | Self::HeldUp { message } => f.write_str(message),
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

    #[test]
    fn what_stays_in_force_is_ready_and_says_what_is_refused() {
        let kept = Readiness::Kept { refused: "a".to_owned() };
        let condition = kept.condition(Some(1), &[], at("2030-01-01T12:00:00Z"));
        assert_eq!((condition.status, condition.reason.as_str()), (Holds::True, "InForce"));
        assert_eq!(condition.message, "in force as written; newer changes are refused: a");
    }

    #[test]
    fn an_event_tells_of_a_fault_of_its_own_each_time_and_of_anothers_once() {
        let told = |readiness: &Readiness| [readiness.condition(Some(1), &[], at("2030-01-01T12:00:00Z"))];
        let held_up = |message: &str| Readiness::HeldUp { message: message.to_owned() };
        let refused = Readiness::Refused { message: "b".to_owned() };
        assert!(held_up("a").is_worth_an_event(&told(&Readiness::InForce)));
        assert!(!held_up("b").is_worth_an_event(&told(&held_up("a"))));
        assert!(refused.is_worth_an_event(&told(&held_up("a"))) && refused.is_worth_an_event(&[]));
        assert!(!Readiness::Kept { refused: "a".to_owned() }.is_worth_an_event(&[]));
    }
}
