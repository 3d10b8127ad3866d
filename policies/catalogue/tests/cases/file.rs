//! The files that hold cases.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CaseFile {
    /// A sentence.
    pub(crate) name: String,
    /// Settings of the policy.
    #[serde(default = "no_settings")]
    pub(crate) settings: Value,
    /// Whether the edits are made.
    #[serde(default = "yes")]
    pub(crate) mutate: bool,
    /// `CREATE` unless there is an old object.
    #[serde(default)]
    pub(crate) operation: Operation,
    /// Such as `ephemeralcontainers`.
    pub(crate) subresource: Option<String>,
    /// The object of the request.
    pub(crate) object: Value,
    /// The object before it.
    pub(crate) old_object: Option<Value>,
    /// Labels and annotations of the namespace: the fact of that kind.
    pub(crate) namespace: Option<Value>,
    /// What else was gathered.
    #[serde(default)]
    pub(crate) facts: Vec<FactFile>,
    /// How it ends.
    pub(crate) expect: Expected,
}

/// What is being done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Operation {
    #[default]
    Create,
    Update,
}

/// A fact, or why it is missing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactFile {
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) key: String,
    pub(crate) value: Option<Value>,
    pub(crate) missing: Option<String>,
}

/// How a case ends. What is left out of the lists must not be there.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Expected {
    #[serde(default)]
    pub(crate) violations: Vec<Named>,
    #[serde(default)]
    pub(crate) advisories: Vec<Named>,
    /// Stands in the message or the remedy of a violation or an advisory, or in the summary.
    pub(crate) message: Option<String>,
    /// The whole summary.
    pub(crate) summary: Option<String>,
    /// What stands in the object afterwards; `null` stands for nothing.
    #[serde(default)]
    pub(crate) after: Vec<Standing>,
    /// Whether the object is as it was.
    #[serde(default)]
    pub(crate) unchanged: bool,
    /// There is no verdict, for want of this fact.
    pub(crate) missing_fact: Option<FactName>,
}

/// A violation or an advisory, without its words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) rule: String,
    pub(crate) container: Option<String>,
}

/// A value at a JSON pointer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standing {
    pub(crate) at: String,
    pub(crate) value: Value,
}

/// A fact without its value.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactName {
    pub(crate) kind: String,
    pub(crate) key: String,
}

fn no_settings() -> Value {
    Value::Object(serde_json::Map::new())
}

fn yes() -> bool {
    true
}

/// The cases of the policy in this folder, with the names of their files, in order.
pub(crate) fn cases(policy: &Path) -> Vec<(String, CaseFile)> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(policy.join("cases")).unwrap_or_else(|error| panic!("{}: {error}", policy.display()))
    {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let cases: Vec<CaseFile> =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        files.insert(path, cases);
    }
    let name = |path: &Path| path.strip_prefix(policy.parent().unwrap()).unwrap().display().to_string();
    files.into_iter().flat_map(|(path, cases)| cases.into_iter().map(move |case| (name(&path), case))).collect()
}
