//! The mode of a policy: what a violation leads to.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// What a violation leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The request is denied.
    #[default]
    Enforce,
    /// The caller is warned.
    Warn,
    /// It is recorded.
    Audit,
    /// Nothing: the policy is not run.
    Off,
}

impl Mode {
    /// Every one, the strictest first.
    pub const ALL: [Self; 4] = [Self::Enforce, Self::Warn, Self::Audit, Self::Off];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Audit => "audit",
            Self::Off => "off",
        }
    }

    /// Whether it makes more of a violation than another one.
    #[must_use]
    pub fn is_stricter_than(self, other: Self) -> bool {
        let rank = |mode| match mode {
            Self::Off => 0,
            Self::Audit => 1,
            Self::Warn => 2,
            Self::Enforce => 3,
        };
        rank(self) > rank(other)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// A mode as somebody wrote it.
struct Written;

impl Visitor<'_> for Written {
    type Value = Mode;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("one of `enforce`, `warn`, `audit`, `off`")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Mode, E> {
        let mode = Mode::ALL.into_iter().find(|mode| mode.name() == name);
        mode.ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
    }

    /// A bare `off` is no text: Kubernetes reads YAML so, and a file reads like an object of a cluster.
    fn visit_bool<E: Error>(self, value: bool) -> Result<Mode, E> {
        if value { Err(E::invalid_type(Unexpected::Bool(value), &self)) } else { Err(E::custom(BARE_OFF)) }
    }
}

const BARE_OFF: &str = "YAML takes a bare `off` for false; put it in quotes: \"off\"";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modes_are_read_as_they_are_written() {
        for mode in Mode::ALL {
            assert_eq!(serde_json::from_value::<Mode>(json!(mode)).unwrap(), mode);
        }
    }

    #[test]
    fn what_is_no_mode_is_told_with_those_there_are() {
        let error = serde_json::from_value::<Mode>(json!("enforced")).unwrap_err().to_string();
        assert!(error.contains("enforced") && error.contains("`warn`"), "{error}");
        assert!(serde_json::from_value::<Mode>(json!(true)).is_err());
    }

    #[test]
    fn a_bare_off_is_answered_with_what_to_write() {
        let error = serde_json::from_value::<Mode>(json!(false)).unwrap_err().to_string();
        assert!(error.contains("put it in quotes"), "{error}");
    }

    #[test]
    fn each_mode_is_stricter_than_those_behind_it() {
        assert!(Mode::ALL.is_sorted_by(|one, other| one.is_stricter_than(*other)));
        assert!(!Mode::Warn.is_stricter_than(Mode::Warn));
    }
}
