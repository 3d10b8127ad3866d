//! `portreeve policy test`.

use super::{Ended, assert_promised, folder, portreeve, text};

const CASES: &str = "\
- name: gives a profile to a pod without one
  object: {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: a}]}}
  expect:
    after: [{at: /spec/securityContext/seccompProfile/type, value: RuntimeDefault}]
";

/// Plays these cases with these arguments.
fn tested(cases: &str, arguments: &[&str]) -> Ended {
    let folder = folder(&[("mine.yaml", cases)]);
    portreeve(&[&["policy", "test", &text(folder.path().join("mine.yaml"))], arguments].concat())
}

#[test]
fn the_policies_that_ship_pass_their_own_cases() {
    let report = portreeve(&["policy", "test", "-o", "json"]).with_code(0).json();
    assert_promised("policy-test", &report);
    assert!(report["passed"].as_u64().unwrap() > 150, "{}", report["passed"]);
    assert_eq!(report["failed"], 0);
}

#[test]
fn the_cases_of_one_policy_can_be_played_alone() {
    let played = portreeve(&["policy", "test", "--builtin", "seccomp"]).with_code(0).stdout;
    assert!(played.lines().filter(|line| line.starts_with("ok ")).all(|line| line.contains("seccomp")), "{played}");
    assert!(played.ends_with(" passed, 0 failed\n"), "{played}");
}

#[test]
fn a_case_that_ends_otherwise_is_told_with_its_place_and_the_difference() {
    let ended =
        tested(&CASES.replace("value: RuntimeDefault", "value: Localhost"), &["--builtin", "seccomp"]).with_code(1);
    let told = ended.stdout;
    assert!(told.contains("FAIL  seccomp  gives a profile") && told.contains("mine.yaml:1\n"), "{told}");
    let difference = r#"- at /spec/securityContext/seccompProfile/type stands "RuntimeDefault", not "Localhost""#;
    assert!(told.contains(difference), "{told}");
}

#[test]
fn differences_are_data_too() {
    let cases = CASES.replace("expect:", "mutate: false\n  expect:\n    advisories: [{rule: none}]");
    let report = tested(&cases, &["--builtin", "seccomp", "-o", "json"]).with_code(1).json();
    assert_promised("policy-test", &report);
    let differences = report["cases"][0]["differences"].as_array().unwrap();
    let kinds: Vec<_> = differences.iter().map(|difference| difference["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["unexpected", "absent", "standing"]);
}

#[test]
fn settings_that_are_refused_fail_their_case_and_no_other() {
    let cases = format!(
        "{CASES}\n{}",
        CASES.replace("  expect", "  settings: {nonsense: 1}\n  expect").replace("gives", "also gives")
    );
    let ended = tested(&cases, &["--builtin", "seccomp"]).with_code(1);
    assert!(ended.stdout.contains("the settings are refused at \"/nonsense\": "), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("\n1 passed, 1 failed\n"), "{}", ended.stdout);
}

#[test]
fn a_file_may_say_which_policy_it_is_about() {
    tested(&format!("policy: seccomp\ncases:\n{CASES}"), &[]).with_code(0);
}

#[test]
fn a_file_that_is_about_nobody_is_asked_whose_it_is() {
    let ended = tested(CASES, &[]).with_code(2);
    assert!(ended.stderr.contains("mine.yaml: which policy is it about?"), "{}", ended.stderr);
}

#[test]
fn an_unknown_policy_is_answered_with_the_nearest() {
    let ended = portreeve(&["policy", "test", "--builtin", "secomp"]).with_code(2);
    assert!(ended.stderr.contains("did you mean seccomp?"), "{}", ended.stderr);
    let ended = tested(&format!("policy: secomp\ncases:\n{CASES}"), &[]).with_code(2);
    assert!(
        ended.stderr.contains("mine.yaml: there is no policy \"secomp\"; did you mean seccomp?"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_module_in_a_file_is_tried() {
    let modules = tempfile::tempdir().unwrap();
    let module = text(modules.path().join("mine.wasm"));
    std::fs::write(&module, portreeve_builtin::CATALOGUE).unwrap();
    tested(&format!("policy: seccomp\ncases:\n{CASES}"), &["--module", &module]).with_code(0);
    portreeve(&["policy", "test", "--module", &module]).with_code(2);
}

#[test]
fn a_file_that_holds_no_cases_is_told_with_its_line() {
    let ended = tested(&CASES.replace("expect:", "expects:"), &["--builtin", "seccomp"]).with_code(2);
    assert!(ended.stderr.contains("mine.yaml") && ended.stderr.contains("expects"), "{}", ended.stderr);
    portreeve(&["policy", "test", "/nowhere/at-all"]).with_code(2);
}

#[test]
fn cases_are_what_their_schema_promises() {
    let cases: serde_json::Value = serde_saphyr::from_str(CASES).unwrap();
    assert_promised("cases", &cases);
    let of_policy: serde_json::Value = serde_saphyr::from_str(&format!("policy: seccomp\ncases:\n{CASES}")).unwrap();
    assert_promised("cases", &of_policy);
}
