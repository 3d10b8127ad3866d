//! `portreeve explain`.

use std::process::Output;

use super::{assert_promised, binary, portreeve};

fn in_columns(columns: &str, name: &str) -> String {
    let Output { stdout, status, .. } = binary().env("COLUMNS", columns).args(["explain", name]).output().unwrap();
    assert!(status.success());
    String::from_utf8(stdout).unwrap()
}

#[test]
fn a_policy_is_explained_with_rules_settings_and_how_to_opt_out() {
    let page = portreeve(&["explain", "seccomp"]).with_code(0).stdout;
    for part in
        ["seccomp 1.", "\nWHY\n", "\nHOW TO FIX\n", "\nRULES\n", "  unconfined\n", "\nSETTINGS\n", "\nHOW TO OPT OUT\n"]
    {
        assert!(page.contains(part), "{part:?}: {page}");
    }
}

#[test]
fn a_page_in_the_terminal_has_no_marks_and_is_as_wide_as_that() {
    let page = in_columns("60", "privilege-escalation");
    assert!(!page.contains('`') && !page.contains("##") && !page.contains("|--"), "{page}");
    // Addresses and examples are not broken.
    let prose = page.lines().filter(|line| !line.contains("https://") && !line.starts_with("    "));
    assert!(prose.clone().all(|line| line.chars().count() <= 60), "{page}");
    assert!(prose.map(|line| line.chars().count()).max() > Some(50), "{page}");
}

#[test]
fn a_rule_is_explained_by_the_name_that_messages_end_with() {
    let rule = portreeve(&["explain", "seccomp/unconfined"]).with_code(0).stdout;
    assert!(rule.starts_with("seccomp/unconfined\n") && rule.contains("HOW TO FIX"), "{rule}");
    let report = portreeve(&["explain", "seccomp/unconfined", "-o", "json"]).with_code(0).json();
    assert_promised("explain-rule", &report);
    assert!(!report["cases"].as_array().unwrap().is_empty());
}

#[test]
fn the_data_of_a_page_are_those_that_are_promised() {
    let page = portreeve(&["explain", "non-root", "-o", "json"]).with_code(0).json();
    assert_promised("explain", &page);
    assert_eq!(page["profile"]["mode"], "enforce");
    let names: Vec<_> = page["settings"].as_array().unwrap().iter().map(|setting| &setting["name"]).collect();
    assert!(names.contains(&&serde_json::json!("users[].select.images")), "{names:?}");
}

#[test]
fn without_a_name_all_policies_are_listed() {
    let list = portreeve(&["explain", "-o", "json"]).with_code(0).json();
    assert_promised("explain-list", &list);
    let text = portreeve(&["explain"]).with_code(0).stdout;
    assert!(list.as_array().unwrap().iter().all(|title| text.contains(title["name"].as_str().unwrap())), "{text}");
}

#[test]
fn a_page_can_be_had_as_it_stands_in_the_documentation() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policies/seccomp.md");
    let page = portreeve(&["explain", "seccomp", "-o", "markdown"]).with_code(0).stdout;
    assert_eq!(page, std::fs::read_to_string(file).unwrap());
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let ended = portreeve(&["explain", "no-root"]).with_code(2);
    assert!(ended.stderr.contains("did you mean non-root?"), "{}", ended.stderr);
    let ended = portreeve(&["explain", "seccomp/unconfind"]).with_code(2);
    assert!(ended.stderr.contains("unconfined"), "{}", ended.stderr);
}
