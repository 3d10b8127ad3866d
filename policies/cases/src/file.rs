//! The shape of a case as it is written. Where it was read, and whether it makes sense as a whole, is `read`'s.

use portreeve_admission::case::FactKind;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One case: a request, what is known beside it, and how it ends.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Case")]
pub struct WrittenCase {
    /// What it shows, as a sentence that goes on from the policy's name: "denies a pod that …".
    pub name: String,
    /// Settings of the policy. Left out: none.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// Whether edits are made before the object is judged. Left out: yes.
    #[serde(default = "yes")]
    pub mutate: bool,
    /// What is being done. Left out: CREATE.
    #[serde(default)]
    pub operation: Operation,
    /// A subresource, such as `ephemeralcontainers`.
    pub subresource: Option<String>,
    /// Who asks. Left out: `kubernetes-admin`.
    pub user: Option<String>,
    /// The object of the request.
    pub object: Value,
    /// The object before it; on UPDATE and only there.
    pub old_object: Option<Value>,
    /// Labels and annotations of the namespace: the fact of that kind.
    pub namespace: Option<Value>,
    /// What else was gathered. A fact that is not listed is missing.
    #[serde(default)]
    pub facts: Vec<WrittenFact>,
    /// How it ends.
    pub expect: Expected,
    /// The line of its file on which it begins, counted from 1; 0 where that is not known.
    #[serde(skip)]
    pub line: usize,
}

/// What is being done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// A new object.
    #[default]
    Create,
    /// A change of one.
    Update,
}

/// A fact: either its value, or why it is missing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fact")]
pub struct WrittenFact {
    /// Its kind.
    pub kind: FactKind,
    /// What it is about, such as an image as it is written; empty for facts about the namespace.
    #[serde(default)]
    pub key: String,
    /// Its value.
    pub value: Option<Value>,
    /// Why it is missing.
    pub missing: Option<String>,
}

/// How a case ends: what remains when the edits have settled or, with `mutate: false`, what is said of the object as it
/// is written. What the lists leave out must not be found.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Expected {
    /// What is wrong with the object: all of it, in any order.
    #[serde(default)]
    pub violations: Vec<Named>,
    /// What is told and denies nothing: all of it, in any order.
    #[serde(default)]
    pub advisories: Vec<Named>,
    /// Words that stand in the message or the remedy of a finding, or in the summary.
    pub message: Option<String>,
    /// The whole summary.
    pub summary: Option<String>,
    /// What stands in the object afterwards.
    #[serde(default)]
    pub after: Vec<Standing>,
    /// Whether the object is as it was.
    #[serde(default)]
    pub unchanged: bool,
    /// There is no verdict, for want of this fact.
    pub missing_fact: Option<FactName>,
}

/// A finding, without its words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Finding")]
pub struct Named {
    /// The rule, such as `drop-all`.
    pub rule: String,
    /// The container at fault; left out for the pod or the object.
    pub container: Option<String>,
}

/// A value at a place.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// A JSON pointer in the object.
    pub at: String,
    /// What stands there; null: nothing does.
    pub value: Value,
}

/// A fact without its value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactName {
    /// Its kind.
    pub kind: FactKind,
    /// What it is about.
    #[serde(default)]
    pub key: String,
}

impl WrittenCase {
    /// Why the case makes no sense, though each of its fields does.
    pub(crate) fn fault(&self) -> Option<String> {
        match (self.operation, &self.old_object) {
            (Operation::Update, None) => return Some("operation: UPDATE needs an oldObject".to_owned()),
            (Operation::Create, Some(_)) => return Some("oldObject belongs to operation: UPDATE".to_owned()),
            _ => {}
        }
        let torn = self.facts.iter().find(|fact| fact.value.is_some() == fact.missing.is_some())?;
        Some(format!(
            "the fact {} {:?} has to have either a value or a reason to be missing",
            torn.kind.name(),
            torn.key
        ))
    }
}

impl Expected {
    /// Whether anything is found.
    #[must_use]
    pub fn finds(&self) -> bool {
        !self.violations.is_empty() || !self.advisories.is_empty()
    }
}

fn yes() -> bool {
    true
}
