//! Every case of every policy, judged natively. What a case says is described in `docs/policies.md`; the same cases
//! through the component are a test of the workspace.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use portreeve_admission::case::Case;
use portreeve_admission::subject::TemplatePaths;
use portreeve_cases::{CaseFile, Page, Played, WrittenCase, play, read_paths};
use portreeve_sdk::export::Registration;
use portreeve_sdk::native::{Scene, outcome};
use serde_json::Value;

fn folder(policy: &Registration) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(policy.manifest().name)
}

fn files(policy: &Registration) -> Vec<CaseFile> {
    read_paths(&[folder(policy).join("cases")]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn page(policy: &Registration) -> Page {
    Page::read(&std::fs::read_to_string(folder(policy).join("policy.yaml")).unwrap()).unwrap()
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

/// What does not stand on the page of its policy, by policy.
fn untold(told: impl Fn(Page) -> BTreeSet<String>, done: impl Fn(&Registration) -> BTreeSet<String>) -> Untold {
    let of = |policy: &Registration| {
        let untold: Vec<String> = done(policy).difference(&told(page(policy))).cloned().collect();
        (!untold.is_empty()).then_some((policy.manifest().name, untold))
    };
    portreeve_catalogue::policies().iter().filter_map(of).collect()
}

type Untold = BTreeMap<&'static str, Vec<String>>;

#[test]
fn every_rule_that_a_case_finds_stands_on_its_page() {
    let findings = |case: WrittenCase| case.expect.violations.into_iter().chain(case.expect.advisories);
    let found = |policy: &Registration| cases(policy).into_iter().flat_map(findings).map(|found| found.rule).collect();
    let untold = untold(|page| page.rules.into_keys().collect(), found);
    assert!(untold.is_empty(), "write under `rules` what it means: {untold:#?}");
}

#[test]
fn every_edit_that_a_case_sees_made_stands_on_its_page() {
    let made = |policy: &Registration| {
        let made = |case: &WrittenCase| played(policy, case).map(|played| played.made).unwrap_or_default();
        cases(policy).iter().flat_map(made).map(|claim| claim.rule).collect()
    };
    let untold = untold(|page| page.edits.into_keys().collect(), made);
    assert!(untold.is_empty(), "write under `edits` what is put in: {untold:#?}");
}
