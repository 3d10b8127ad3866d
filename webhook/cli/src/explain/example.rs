//! Cases that stand on a page as examples: one that is denied, one that something is put into.

use portreeve_cases::{Operation, WrittenCase};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// A case as an example.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExampleReport {
    /// What it shows.
    pub(super) case: String,
    /// The policy's settings in it.
    pub(super) settings: Map<String, Value>,
    /// The object.
    pub(super) object: Value,
    /// What is found.
    pub(super) findings: Vec<FindingReport>,
    /// What stands in the object afterwards.
    pub(super) after: Vec<AfterReport>,
}

/// What is found in an example.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FindingReport {
    pub(super) rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<String>,
}

/// What stands in the object of an example afterwards.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AfterReport {
    /// A JSON pointer.
    pub(super) at: String,
    /// What stands there; null: nothing does.
    pub(super) value: Value,
}

/// The first case that is denied and the first that something is put into, if there are such; those that need no
/// settings and no facts come before others.
pub(super) fn examples(cases: &[WrittenCase]) -> Vec<ExampleReport> {
    let denied = |case: &&WrittenCase| !case.expect.violations.is_empty();
    let edited = |case: &&WrittenCase| !case.expect.after.is_empty() && !case.expect.finds();
    [first(cases, denied), first(cases, edited)].into_iter().flatten().map(ExampleReport::of).collect()
}

fn first(cases: &[WrittenCase], shows: impl Fn(&&WrittenCase) -> bool) -> Option<&WrittenCase> {
    cases.iter().filter(shows).min_by_key(|case| needs(case))
}

/// How much a reader has to be told before the example; of equals the first is taken.
fn needs(case: &WrittenCase) -> usize {
    let needs = [
        !case.settings.is_empty(),
        !case.facts.is_empty() || case.namespace.is_some(),
        case.operation != Operation::Create || case.subresource.is_some(),
        !case.mutate,
    ];
    needs.into_iter().filter(|needed| *needed).count()
}

impl ExampleReport {
    fn of(case: &WrittenCase) -> Self {
        let expect = &case.expect;
        let findings = expect.violations.iter().chain(&expect.advisories);
        let after = expect.after.iter();
        Self {
            case: case.name.clone(),
            settings: case.settings.clone(),
            object: case.object.clone(),
            findings: findings
                .map(|named| FindingReport { rule: named.rule.clone(), container: named.container.clone() })
                .collect(),
            after: after
                .map(|standing| AfterReport { at: standing.at.clone(), value: standing.value.clone() })
                .collect(),
        }
    }
}
