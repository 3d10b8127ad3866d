//! `portreeve certs`.

use super::{assert_promised, portreeve, text};

fn created() -> (tempfile::TempDir, String) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = text(scratch.path().join("tls"));
    portreeve(&["certs", "create", "--folder", &folder, "--names", "portreeve.example,127.0.0.1"]).with_code(0);
    (scratch, folder)
}

#[test]
fn what_was_created_is_shown() {
    let (_scratch, folder) = created();
    let shown = portreeve(&["certs", "show", "--folder", &folder, "-o", "json"]).with_code(0).json();
    assert_promised("certs-show", &shown);
    assert_eq!(shown["leaf"]["names"], serde_json::json!(["portreeve.example", "127.0.0.1"]));
    assert!(portreeve(&["certs", "show", "--folder", &folder]).with_code(0).stdout.contains("portreeve.example"));
}

#[test]
fn keys_that_are_there_are_kept() {
    let (_scratch, folder) = created();
    let ended = portreeve(&["certs", "create", "--folder", &folder, "--names", "a.example"]).with_code(1);
    assert!(ended.stderr.contains("is there already"), "{}", ended.stderr);
}

#[test]
fn keys_that_are_there_are_replaced_when_asked() {
    let (_scratch, folder) = created();
    portreeve(&["certs", "create", "--folder", &folder, "--names", "a.example", "--replace"]).with_code(0);
    let shown = portreeve(&["certs", "show", "--folder", &folder, "-o", "json"]).json();
    assert_eq!(shown["leaf"]["names"], serde_json::json!(["a.example"]));
}

#[test]
fn a_renewal_keeps_the_names_and_does_nothing_before_time() {
    let (_scratch, folder) = created();
    let renewed = portreeve(&["certs", "renew", "--folder", &folder, "-o", "json"]).with_code(0).json();
    assert_promised("certs-rotation", &renewed);
    assert_eq!(renewed["done"], serde_json::json!([]));
}

#[test]
fn a_renewal_for_other_names_makes_a_certificate_for_them() {
    let (_scratch, folder) = created();
    let ended = portreeve(&["certs", "renew", "--folder", &folder, "--names", "b.example"]).with_code(0);
    assert!(ended.stdout.contains("the names changed"), "{}", ended.stdout);
}

#[test]
fn the_token_is_printed_and_shown_nowhere_else() {
    let (_scratch, folder) = created();
    let token = portreeve(&["certs", "token", "--folder", &folder]).with_code(0).stdout;
    assert_eq!(token.trim().len(), 64);
    let shown = portreeve(&["certs", "show", "--folder", &folder, "-o", "json"]).with_code(0).stdout;
    assert!(!shown.contains(token.trim()));
}

#[test]
fn names_that_are_none_are_usage() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = text(scratch.path().join("tls"));
    portreeve(&["certs", "create", "--folder", &folder, "--names", "no name"]).with_code(2);
    portreeve(&["certs", "create", "--folder", &folder, "--names", "a.example", "--leaf-days", "400"]).with_code(2);
    assert!(!scratch.path().join("tls").exists());
}

#[test]
fn a_folder_without_certificates_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let ended = portreeve(&["certs", "show", "--folder", &text(scratch.path())]).with_code(1);
    assert!(ended.stderr.contains("tls.crt"), "{}", ended.stderr);
}
