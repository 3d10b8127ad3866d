//! How cases ended, as it is printed: for programs as it stands here, for people as `text` makes it.

use portreeve_cases::{CaseFile, Difference, Played};
use portreeve_server::trial::Trial;
use schemars::JsonSchema;
use serde::Serialize;

/// The result of `portreeve policy test -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TestReport {
    /// All cases, in the order of the files.
    pub(super) cases: Vec<CaseReport>,
    /// How many ended as they say.
    pub(super) passed: usize,
    /// How many did not.
    pub(super) failed: usize,
}

/// One case.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CaseReport {
    /// The policy that it was tried on.
    pub(super) policy: String,
    /// Its file, as it was given or found; for a policy that ships, as the catalogue has it.
    pub(super) file: String,
    /// The line on which it begins.
    pub(super) line: usize,
    /// What it says that it shows.
    pub(super) name: String,
    /// Whether it ended as it says.
    pub(super) passed: bool,
    /// In what it ended otherwise.
    pub(super) differences: Vec<DifferenceReport>,
}

/// One thing in which a case ended otherwise than it says.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DifferenceReport {
    /// In words.
    pub(super) message: String,
    #[serde(flatten)]
    difference: Difference,
}

impl TestReport {
    pub(super) fn of<'a>(played: impl Iterator<Item = (&'a CaseFile, Trial<'a>, &'a Played)>) -> Self {
        let cases: Vec<CaseReport> = played.map(|(file, trial, played)| CaseReport::of(file, &trial, played)).collect();
        let passed = cases.iter().filter(|case| case.passed).count();
        Self { failed: cases.len().saturating_sub(passed), passed, cases }
    }

    pub(super) fn all_passed(&self) -> bool {
        self.failed == 0
    }
}

impl CaseReport {
    fn of(file: &CaseFile, trial: &Trial<'_>, played: &Played) -> Self {
        let difference = |difference: &Difference| DifferenceReport {
            message: difference.to_string(),
            difference: difference.clone(),
        };
        Self {
            policy: trial.policy.to_owned(),
            file: file.name.clone(),
            line: trial.case.line,
            name: trial.case.name.clone(),
            passed: played.differences.is_empty(),
            differences: played.differences.iter().map(difference).collect(),
        }
    }
}
