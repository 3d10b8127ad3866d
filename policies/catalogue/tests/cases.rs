//! Every case of every policy, judged natively. What a case says is described in `docs/policies.md`; the same cases through
//! the component are a test of the workspace.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use portreeve_admission::case::Case;
use portreeve_admission::subject::TemplatePaths;
use portreeve_cases::{CaseFile, Played, WrittenCase, play, read_paths};
use portreeve_sdk::export::Registration;
use portreeve_sdk::native::{Scene, outcome};
use serde_json::Value;

fn folder(policy: &Registration) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(policy.manifest().name)
}

fn files(policy: &Registration) -> Vec<CaseFile> {
    read_paths(&[folder(policy).join("cases")]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn cases(policy: &Registration) -> Vec<WrittenCase> {
    files(policy).into_iter().flat_map(|file| file.cases).collect()
}

fn played(policy: &Registration, case: &WrittenCase) -> Result<Played, String> {
    let settings = Value::Object(case.settings.clone()).to_string();
    let judge = policy.configure(&settings).map_err(|error| format!("{error:?}"))?;
    let name = policy.manifest().name;
    let answer = |case: &Case| outcome(judge.evaluate(&Scene::from(case.clone()).views(), name));
    Ok(play(case, &TemplatePaths::default(), answer))
}

/// What went wrong in the cases of one policy, one line each.
fn failures(policy: &Registration) -> Vec<String> {
    let mut failures = Vec::new();
    for file in files(policy) {
        for case in &file.cases {
            let reasons: Vec<String> = match played(policy, case) {
                Ok(played) => played.differences.iter().map(ToString::to_string).collect(),
                Err(refused) => vec![refused],
            };
            let place = format!("{}:{}: {}", file.name, case.line, case.name);
            failures.extend(reasons.iter().map(|reason| format!("{place}: {reason}")));
        }
    }
    failures
}

#[test]
fn every_case_ends_as_its_file_says() {
    let failures: Vec<String> = portreeve_catalogue::policies().iter().flat_map(failures).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn every_policy_has_cases_that_allow_deny_edit_and_leave_alone() {
    for policy in portreeve_catalogue::policies() {
        let name = policy.manifest().name;
        let expected: Vec<_> = cases(&policy).into_iter().map(|case| case.expect).collect();
        assert!(expected.len() >= 5, "{name} has fewer than five cases");
        assert!(expected.iter().any(|expect| expect.finds()), "{name} has no case that finds anything");
        assert!(expected.iter().any(|expect| !expect.finds()), "{name} has no case that finds nothing");
        assert!(expected.iter().any(|expect| expect.unchanged), "{name} has no case that is left alone");
    }
}

#[test]
fn names_of_cases_are_unique_within_a_policy() {
    for policy in portreeve_catalogue::policies() {
        let cases = cases(&policy);
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len(), "{}", policy.manifest().name);
    }
}
