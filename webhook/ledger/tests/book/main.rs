//! The book as its callers and its readers see it. Each file holds the tests of one side; here is what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

mod appending;
mod checkpoints;
mod crash;
mod damage;
mod full;
mod kill;
mod mending;
mod reopening;
mod verifying;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve_ledger::{Appended, Body, Ledger, Options, ReadError, Record, RecordKind, read};
use tempfile::TempDir;

/// Far longer than any test: no checkpoint comes between.
const NEVER: Duration = Duration::from_secs(3600);

fn options() -> Options {
    Options::new("prod/portreeve-0".parse().unwrap()).checkpoint_interval(NEVER)
}

fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, options()).unwrap()
}

/// Appends a decision that says `text`.
fn append(ledger: &Ledger, text: &str) -> Appended {
    ledger.append(&RecordKind::DECISION, &Body::of(&text).unwrap()).unwrap()
}

async fn append_durably(ledger: &Ledger, text: &str) {
    append(ledger, text).durable().await.unwrap();
}

/// A closed book with these texts in it, one segment for every two records.
fn book_of(texts: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), options().segment_bytes(300).group_bytes(1)).unwrap();
    texts.iter().for_each(|text| drop(append(&ledger, text)));
    ledger.close().unwrap();
    folder
}

/// What is on disk of a book right now, as a crash would leave it.
fn crashed(folder: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    copy(folder, image.path());
    image
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The records that are there, all of which can be read.
fn records(folder: &Path) -> Vec<Record> {
    let is_missing = |read: &Result<Record, ReadError>| matches!(read, Err(ReadError::Missing { .. }));
    read(folder).unwrap().filter(|read| !is_missing(read)).map(Result::unwrap).collect()
}

/// The bodies of a book's records, as JSON.
fn bodies(folder: &Path) -> Vec<String> {
    records(folder).iter().map(|record| record.body.get().to_owned()).collect()
}

fn epoch(folder: &Path, name: &str) -> PathBuf {
    folder.join("epochs").join(name)
}

/// The files of the first epoch's segments with this ending, in order.
fn segments(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let segments = epoch(folder, "0000000001").join("segments");
    let entries = fs::read_dir(segments).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    found.sort();
    found
}

/// The newest checkpoint of the first epoch, and the size in it.
fn signed(folder: &Path) -> (u64, String) {
    let note = fs::read_to_string(epoch(folder, "0000000001").join("checkpoint")).unwrap();
    (note.lines().nth(1).unwrap().parse().unwrap(), note)
}

/// The size in the newest checkpoint of the first epoch.
fn covered(folder: &Path) -> u64 {
    signed(folder).0
}
