//! Every case of every policy, judged natively. A case file is a YAML list; the shape of a case is [`file::CaseFile`].
//! Violations and advisories are those that remain when the edits have settled, or, with `mutate: false`, those of
//! the object as written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod file;
mod play;

use std::path::{Path, PathBuf};

use portreeve_sdk::export::Registration;

fn folder(policy: &Registration) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(policy.manifest().name)
}

/// What went wrong in the cases of one policy, one line each.
fn failures(policy: &Registration) -> Vec<String> {
    let mut failures = Vec::new();
    for (file, case) in file::cases(&folder(policy)) {
        if let Err(reason) = play::play(policy, &case) {
            failures.push(format!("{file}: {}: {reason}", case.name));
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
        let expected: Vec<_> = file::cases(&folder(&policy)).into_iter().map(|(_, case)| case.expect).collect();
        let finds = |expect: &file::Expected| !expect.violations.is_empty() || !expect.advisories.is_empty();
        assert!(expected.len() >= 5, "{name} has fewer than five cases");
        assert!(expected.iter().any(finds), "{name} has no case that finds anything");
        assert!(expected.iter().any(|expect| !finds(expect)), "{name} has no case that finds nothing");
        assert!(expected.iter().any(|expect| expect.unchanged), "{name} has no case that is left alone");
    }
}

#[test]
fn names_of_cases_are_unique_within_a_policy() {
    for policy in portreeve_catalogue::policies() {
        let mut names: Vec<String> = file::cases(&folder(&policy)).into_iter().map(|(_, case)| case.name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "{}", policy.manifest().name);
    }
}
