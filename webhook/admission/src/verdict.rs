//! What a policy says: violations and edits in a verdict, or that it could not come to one. The same shapes as the
//! contract in `wit/policy.wit`, checked: pointers are parsed and values are JSON. Nothing is decided here.

use serde_json::Value;

use crate::pointer::Pointer;

/// One thing that is wrong with the subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Stable within the policy, such as `drop-all`.
    pub rule: String,
    /// The container at fault; none for the pod or the object.
    pub container: Option<String>,
    /// What the pointer starts from.
    pub root: Root,
    /// Where.
    pub pointer: Pointer,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to change, one sentence without a full stop.
    pub remedy: String,
    /// More for machines: a JSON object.
    pub details: Option<Value>,
}

impl Violation {
    /// Whether it is for people to read: an advisory may be for the record alone.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.details.as_ref().and_then(|details| details.get("told")) != Some(&Value::Bool(false))
    }
}

/// What the pointer of a violation or of an edit starts from. Where there is no template, both are the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// The pod template.
    Template,
    /// The whole object.
    Object,
}

/// What an edit does to the place it names. Missing parents are made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// This value stands there afterwards.
    Set(Value),
    /// The same, where nothing or null stood.
    Default(Value),
    /// The list there holds `value`, unless an element alike in `keys` (all of it, if empty) is there already.
    AppendUnique {
        /// The element.
        value: Value,
        /// Fields that make two elements the same.
        keys: Vec<String>,
    },
    /// Nothing stands there afterwards.
    Remove,
}

/// One thing that should hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Edit {
    /// The rule that asks for it.
    pub rule: String,
    /// What the pointer starts from.
    pub root: Root,
    /// Refers to the object as the round began.
    pub pointer: Pointer,
    /// What to do there.
    pub change: Change,
}

/// What a policy found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// Faults of the subject as it stands.
    pub violations: Vec<Violation>,
    /// Worth telling, never a reason to deny.
    pub advisories: Vec<Violation>,
    /// What should hold.
    pub edits: Vec<Edit>,
    /// One line in place of the violations' messages.
    pub summary: Option<String>,
}

/// How one policy instance ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With a verdict.
    Verdict(Verdict),
    /// Without one.
    Failed(Failure),
}

/// Why a policy instance came to no verdict. Its failure policy decides; it is never a violation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A required fact could not be had.
    #[error("the fact {} is missing: {reason}", fact(.kind, .key))]
    MissingFact {
        /// Kind of the fact.
        kind: String,
        /// What was asked for, such as an image; empty for facts of which there is one.
        key: String,
        /// Why it is not there.
        reason: String,
    },
    /// The policy itself gave up.
    #[error("the policy gave up: {0}")]
    Reported(String),
    /// It ran out of its time.
    #[error("it was stopped at its deadline")]
    Deadline,
    /// It wanted more than a limit allows.
    #[error("it went over the limit of {0}")]
    Limit(Limit),
    /// It trapped: a panic, a stack overflow, a memory fault.
    #[error("it trapped: {0}")]
    Trap(String),
    /// It answered something that the contract does not allow.
    #[error("its answer breaks the contract: {0}")]
    Contract(String),
    /// It was not run, since it failed too often just before.
    #[error("it is not being run for a while, after failing {0} times in a row")]
    Suspended(u32),
    /// Nothing was free to run it in time.
    #[error("there was no turn for it before its deadline")]
    NoTurn,
    /// The template, or the object as a whole, can't be read.
    #[error("{0}")]
    Unreadable(String),
    /// Whether it is for the request can't be told.
    #[error("its condition {0}")]
    Unclear(String),
    /// Its edits contradict those of another policy.
    #[error("its edit at {pointer} contradicts that of {other}")]
    Conflict {
        /// Where both want to write, in the object.
        pointer: Pointer,
        /// The other policy's id.
        other: String,
    },
    /// Its edits never came to rest.
    #[error("its edits did not settle within {0} rounds")]
    Unsettled(u32),
    /// Its edit may not be made.
    #[error("its edit at {pointer} can't be made: {reason}")]
    BadEdit {
        /// Where, in the object.
        pointer: Pointer,
        /// Why not.
        reason: String,
    },
}

/// What a guest may use no more of than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Linear memory.
    Memory,
    /// Elements of tables.
    Table,
    /// The stack.
    Stack,
    /// Calls of host functions.
    HostCalls,
    /// Size of the answer.
    Output,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Table => "table elements",
            Self::Stack => "stack",
            Self::HostCalls => "host calls",
            Self::Output => "output size",
        })
    }
}

fn fact(kind: &str, key: &str) -> String {
    if key.is_empty() { kind.to_owned() } else { format!("{kind} {key:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(kind: &str, key: &str) -> String {
        Failure::MissingFact { kind: kind.into(), key: key.into(), reason: "it is not granted".into() }.to_string()
    }

    #[test]
    fn a_missing_fact_is_told_with_its_key_if_it_has_one() {
        assert_eq!(missing("image-digest", "a:1"), r#"the fact image-digest "a:1" is missing: it is not granted"#);
        assert_eq!(missing("network-policies", ""), "the fact network-policies is missing: it is not granted");
    }
}
