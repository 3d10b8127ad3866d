//! The pages in docs/policies, and a test that they are what the policies say. `cargo xtask pages` writes them anew, by
//! `PORTREEVE_WRITE_PAGES`; review the difference.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::document::Document;
use super::report::PageReport;
use super::{markdown, pages};

/// The text of each page by the name of its file; the list of all is the folder's README.
fn current() -> BTreeMap<String, String> {
    let pages = pages().unwrap();
    let titles: Vec<_> = pages.iter().map(PageReport::title).collect();
    let page = |page: &PageReport| (format!("{}.md", page.name()), markdown::of(&Document::of_page(page)));
    let list = ("README.md".to_owned(), markdown::of(&Document::of_titles(&titles)));
    pages.iter().map(page).chain([list]).collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies")
}

#[test]
fn pages_are_current() {
    let write = std::env::var_os("PORTREEVE_WRITE_PAGES").is_some();
    let mut stale = Vec::new();
    for (name, text) in current() {
        let file = folder().join(&name);
        if write {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&file, &text).unwrap();
        } else if std::fs::read_to_string(&file).ok().as_deref() != Some(&text) {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "`cargo xtask pages` writes them anew: {stale:?}");
}

#[test]
fn every_page_has_an_example_of_what_is_denied() {
    for page in pages().unwrap() {
        assert!(page.examples.iter().any(|example| !example.findings.is_empty()), "{}", page.name());
    }
}
