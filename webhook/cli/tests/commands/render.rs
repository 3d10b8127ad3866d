//! `portreeve render`.

use super::{POD, PRIVILEGED, folder, judging, text};

#[test]
fn defaults_are_put_in_and_comments_stay() {
    let ended = judging(POD, &["render", "-"]).with_code(0);
    assert!(ended.stdout.contains("  name: web # as it is called\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("allowPrivilegeEscalation: false"), "{}", ended.stdout);
}

#[test]
fn what_was_rendered_needs_nothing_more() {
    let once = judging(POD, &["render", "-"]).with_code(0).stdout;
    let twice = judging(&once, &["render", "-"]).with_code(0).stdout;
    assert_eq!(once, twice);
    judging(&once, &["check", "-", "--as-written"]).with_code(0);
}

#[test]
fn what_no_policy_sees_stays_to_the_byte() {
    let text = "# a comment\n'apiVersion': v1\nkind:   ConfigMap\nmetadata: {name: \"x\"}\n";
    assert_eq!(judging(text, &["render", "-"]).with_code(0).stdout, text);
}

#[test]
fn the_api_servers_own_defaults_are_not_written_down() {
    let pod =
        format!("{POD}      resources: {{limits: {{cpu: \"1\", memory: 1Gi}}}}\n  volumes: [{{name: scratch}}]\n");
    let rendered = judging(&pod, &["render", "-"]).with_code(0).stdout;
    assert!(!rendered.contains("requests"), "{rendered}");
    assert!(!rendered.contains("name: scratch, emptyDir"), "{rendered}");
    assert!(!rendered.contains("kube-api-access"), "{rendered}");
}

#[test]
fn a_diff_shows_what_would_change_and_nothing_else() {
    let ended = judging(POD, &["render", "-", "--diff"]).with_code(0);
    assert!(ended.stdout.starts_with("--- a/stdin\n+++ b/stdin\n@@"), "{}", ended.stdout);
    assert!(ended.stdout.lines().any(|line| line.starts_with('+') && line.contains("allowPrivilegeEscalation: false")));
}

#[test]
fn what_would_be_denied_is_told_on_stderr_and_printed_all_the_same() {
    let ended = judging(PRIVILEGED, &["render", "-"]).with_code(1);
    assert!(ended.stdout.contains("privileged: true"), "{}", ended.stdout);
    assert!(ended.stderr.contains("stdin:15: Deployment root would be denied: "), "{}", ended.stderr);
}

#[test]
fn several_files_become_one_stream() {
    let folder = folder(&[("a.yaml", POD), ("b.yaml", &POD.replace("name: web #", "name: other #"))]);
    let rendered = judging("", &["render", &text(folder.path())]).with_code(0).stdout;
    let report = judging(&rendered, &["check", "-", "-o", "json"]).with_code(0).json();
    assert_eq!(report["summary"]["workloads"], 2);
}

#[test]
fn everything_that_can_not_be_read_is_told_at_once() {
    let folder = folder(&[("a.yaml", "a: ["), ("b.yaml", "kind: Pod"), ("c.yaml", POD)]);
    let ended = judging("", &["render", &text(folder.path())]).with_code(2);
    assert!(ended.stderr.contains("a.yaml") && ended.stderr.contains("b.yaml"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}
