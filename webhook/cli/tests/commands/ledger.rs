//! `portreeve ledger`.

use std::path::{Path, PathBuf};

use portreeve_ledger::{Body, Ledger, Options, RecordKind};
use serde_json::json;

use super::{assert_promised, portreeve, text};

/// A book with three decisions.
fn book() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("book"), Options::new("test/one".parse().unwrap())).unwrap();
    for answer in ["allowed", "allowed", "denied"] {
        drop(ledger.append(&RecordKind::DECISION, &Body::of(&json!({"answer": answer})).unwrap()).unwrap());
    }
    ledger.close().unwrap();
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Turns one answer in the book into another of the same length.
fn tamper(folder: &Path) -> PathBuf {
    for file in files(folder) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(6).position(|window| window == b"denied");
        if let Some(at) = found {
            let mut bytes = bytes;
            bytes[at..at + 6].copy_from_slice(b"deniee");
            std::fs::write(&file, bytes).unwrap();
            return file;
        }
    }
    panic!("no record of a denial");
}

#[test]
fn a_whole_book_is_proved() {
    let folder = book();
    let book = text(folder.path().join("book"));
    let report = portreeve(&["ledger", "verify", &book, "-o", "json"]).with_code(0).json();
    assert_promised("ledger-verify", &report);
    assert_eq!(report["whole"], true);
    assert!(portreeve(&["ledger", "verify", &book]).with_code(0).stdout.contains("is whole"));
}

#[test]
fn a_book_without_its_segments_is_not_read_as_an_empty_one() {
    let folder = book();
    let segments = folder.path().join("book/epochs/0000000001/segments");
    files(&segments).iter().for_each(|file| std::fs::remove_file(file).unwrap());
    let ended = portreeve(&["ledger", "inspect", &text(folder.path().join("book"))]).with_code(1);
    assert!(ended.stderr.contains("records 0 to 2 are not there"), "{}", ended.stderr);
}

#[test]
fn a_changed_record_is_found_at_its_exact_place() {
    let folder = book();
    let file = tamper(folder.path());
    let book = text(folder.path().join("book"));
    let ended = portreeve(&["ledger", "verify", &book]).with_code(1);
    let place = file.file_name().unwrap().to_str().unwrap();
    assert!(ended.stdout.contains("is NOT whole") && ended.stdout.contains(place), "{}", ended.stdout);
    let report = portreeve(&["ledger", "verify", &book, "-o", "json"]).with_code(1).json();
    assert_eq!(report["whole"], false);
}

#[test]
fn a_book_signed_with_another_key_is_not_trusted() {
    let (folder, other) = (book(), book());
    let other = portreeve(&["ledger", "verify", &text(other.path().join("book")), "-o", "json"]).json();
    let noted = folder.path().join("noted.key");
    std::fs::write(&noted, other["epochs"][0]["key"].as_str().unwrap()).unwrap();
    let book = text(folder.path().join("book"));
    let ended = portreeve(&["ledger", "verify", &book, "--key", &text(&noted)]).with_code(1);
    assert!(ended.stdout.contains("not the trusted key"), "{}", ended.stdout);
}

#[test]
fn a_book_signed_with_the_noted_key_is_proved() {
    let folder = book();
    let book = text(folder.path().join("book"));
    let report = portreeve(&["ledger", "verify", &book, "-o", "json"]).json();
    let noted = folder.path().join("noted.key");
    std::fs::write(&noted, report["epochs"][0]["key"].as_str().unwrap()).unwrap();
    portreeve(&["ledger", "verify", &book, "--key", &text(&noted)]).with_code(0);
}

#[test]
fn a_key_that_is_none_is_input_that_cant_be_read() {
    let folder = book();
    let noted = folder.path().join("noted.key");
    std::fs::write(&noted, "no key").unwrap();
    let ended =
        portreeve(&["ledger", "verify", &text(folder.path().join("book")), "--key", &text(&noted)]).with_code(2);
    assert!(ended.stderr.contains("noted.key"), "{}", ended.stderr);
}

#[test]
fn a_folder_without_a_book_is_told() {
    let empty = tempfile::tempdir().unwrap();
    for command in ["verify", "inspect"] {
        let ended = portreeve(&["ledger", command, &text(empty.path().join("none"))]).with_code(2);
        assert!(ended.stderr.contains("no book"), "{}", ended.stderr);
    }
}

#[test]
fn records_are_counted_by_kind_and_answer() {
    let folder = book();
    let ended = portreeve(&["ledger", "inspect", &text(folder.path().join("book"))]).with_code(0);
    assert!(
        ended.stdout.contains("2  decision allowed") && ended.stdout.contains("1  decision denied"),
        "{}",
        ended.stdout
    );
}

#[test]
fn records_are_listed_as_json() {
    let folder = book();
    let records =
        portreeve(&["ledger", "inspect", &text(folder.path().join("book")), "-o", "json"]).with_code(0).json();
    assert_promised("ledger-inspect", &records);
    let answers: Vec<_> =
        records.as_array().unwrap().iter().filter_map(|record| record["body"]["answer"].as_str()).collect();
    assert_eq!(answers, ["allowed", "allowed", "denied"]);
}

#[test]
fn a_record_that_cant_be_read_is_told_and_the_others_are_listed() {
    let folder = book();
    tamper(folder.path());
    let ended = portreeve(&["ledger", "inspect", &text(folder.path().join("book"))]).with_code(1);
    assert!(ended.stdout.contains("2  decision allowed"), "{}", ended.stdout);
    assert!(ended.stderr.contains("verify the book"), "{}", ended.stderr);
}
