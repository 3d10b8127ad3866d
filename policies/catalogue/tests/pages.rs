//! What each policy says about itself agrees in all the places where it stands: its manifest, its page and the
//! schema of its settings.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use portreeve_cases::Page;

fn file(policy: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(policy).join(name)
}

fn page(policy: &str) -> Page {
    let path = file(policy, "policy.yaml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Page::read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_page_agrees_with_its_manifest() {
    for manifest in portreeve_catalogue::policies().iter().map(|policy| policy.manifest()) {
        let page = page(manifest.name);
        assert_eq!(
            (page.name.as_str(), page.title.as_str(), page.controls),
            (manifest.name, manifest.title, manifest.controls.iter().map(|control| control.to_string()).collect())
        );
    }
}

#[test]
fn every_page_says_all_that_a_reader_needs() {
    for manifest in portreeve_catalogue::policies().iter().map(|policy| policy.manifest()) {
        let page = page(manifest.name);
        let texts = [&page.why, &page.remedy, &page.breaks, &page.opt_out];
        assert!(texts.into_iter().all(|text| text.trim().len() > 40), "{}", manifest.name);
        assert!(page.references.iter().all(|reference| reference.starts_with("https://")), "{}", manifest.name);
        assert!(page.rules.values().chain(page.edits.values()).all(|rule| rule.ends_with('.')), "{}", manifest.name);
        assert!(!page.rules.is_empty() && !page.references.is_empty(), "{}: {:?}", manifest.name, page.risk);
    }
}

/// With `PORTREEVE_REWRITE=1` the files are written anew, to be reviewed as a diff.
#[test]
fn schemas_are_current() {
    let rewrite = std::env::var_os("PORTREEVE_REWRITE").is_some();
    let mut stale = Vec::new();
    for (policy, schema) in portreeve_catalogue::schemas() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = file(policy, "schema.json");
        if rewrite {
            std::fs::write(&path, text).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            stale.push(policy);
        }
    }
    assert!(stale.is_empty(), "rewrite with PORTREEVE_REWRITE=1: {stale:?}");
}

#[test]
fn every_policy_works_without_settings() {
    for policy in portreeve_catalogue::policies() {
        let result = policy.configure("{}");
        assert!(result.is_ok(), "{}: {:?}", policy.manifest().name, result.err());
    }
}

#[test]
fn an_unknown_setting_is_refused_by_name() {
    for policy in portreeve_catalogue::policies() {
        let error = policy.configure(r#"{"noSuchSetting": 1}"#).err().unwrap();
        assert!(error.reason.contains("noSuchSetting"), "{}: {error:?}", policy.manifest().name);
    }
}
