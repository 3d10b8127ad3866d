//! Verification: what it proves of a good book, whom it trusts, and that it needs nobody to stand still.

use std::fs;
use std::path::Path;

use portreeve_ledger::{Fault, Ledger, Named, Record, Standing, VerifierKey, VerifyError, verify, verify_naming};

use crate::{append, append_durably, book_of, options};

#[test]
fn a_good_book_is_proved_with_all_its_figures() {
    let folder = book_of(&["one", "two", "three", "four", "five"]);
    let report = verify(folder.path()).unwrap();
    let [epoch] = &report.epochs[..] else { panic!("{} epochs", report.epochs.len()) };
    assert_eq!((epoch.records, epoch.covered, epoch.uncovered), (5, 5, 0));
    assert_eq!((epoch.segments, epoch.sealed, epoch.standing), (3, 2, Standing::Current));
    assert!(epoch.checkpoint.starts_with("prod/portreeve-0/1\n5\n"));
    assert_eq!(epoch.key.name(), "prod/portreeve-0/1");
}

#[test]
fn a_report_is_stable_json() {
    let report = serde_json::to_value(verify(book_of(&["one"]).path()).unwrap()).unwrap();
    assert_eq!(report["origin"], "prod/portreeve-0");
    assert_eq!(report["epochs"][0]["standing"], "current");
    assert_eq!(report["epochs"][0]["records"], 1);
}

#[test]
fn only_the_trusted_key_is_trusted() {
    let (one, other) = (book_of(&["one"]), book_of(&["one"]));
    let key = |folder: &tempfile::TempDir| -> VerifierKey {
        fs::read_to_string(folder.path().join("verifier-keys")).unwrap().trim_end().parse().unwrap()
    };
    let trusting = |folder: &Path, key| verify_naming(folder, Some(&key), |_| Vec::new());
    assert!(trusting(one.path(), key(&one)).is_ok());
    let Err(VerifyError::NotWhole { faults, .. }) = trusting(one.path(), key(&other)) else {
        panic!("another key was trusted")
    };
    assert!(matches!(faults[0], Fault::Untrusted { .. }), "{}", faults[0]);
}

/// Records of this test name their content by its digest alone.
fn named(record: &Record) -> Vec<Named> {
    let text: String = serde_json::from_str(record.body.get()).unwrap();
    vec![Named { digest: text.parse().unwrap(), within: Some(named_in_turn) }]
}

fn named_in_turn(content: &[u8]) -> Vec<Named> {
    let text = str::from_utf8(content).unwrap();
    text.parse().map(|digest| Named { digest, within: None }).into_iter().collect()
}

#[test]
fn content_that_was_taken_away_is_missed_by_the_record_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), options()).unwrap();
    let inner = ledger.keep(b"inner").unwrap();
    let outer = ledger.keep(inner.to_string().as_bytes()).unwrap();
    drop(append(&ledger, &outer.to_string()));
    drop(append(&ledger, &outer.to_string()));
    ledger.close().unwrap();
    verify_naming(folder.path(), None, named).unwrap();
    for digest in [inner, outer] {
        let hex = digest.hex();
        let file = folder.path().join("blobs/sha256").join(&hex[..2]).join(&hex);
        let content = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let Err(VerifyError::NotWhole { faults, .. }) = verify_naming(folder.path(), None, named) else {
            panic!("nobody missed {}", file.display())
        };
        let [Fault::BlobMissing { file: missed, record }] = &faults[..] else { panic!("{faults:?}") };
        assert_eq!((missed, record.to_string().as_str()), (&file, "prod/portreeve-0/1/0"));
        fs::write(&file, content).unwrap();
    }
}

#[test]
fn a_folder_without_a_book_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let error = verify(folder.path()).unwrap_err();
    assert!(matches!(error, VerifyError::NoBook { .. }));
    assert!(error.to_string().contains(folder.path().to_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_is_proved_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let options = options().segment_bytes(3000).checkpoint_interval(std::time::Duration::ZERO);
    let ledger = Ledger::open(folder.path(), options).unwrap();
    append_durably(&ledger, "first").await;
    let path = folder.path().to_owned();
    let verifying = tokio::task::spawn_blocking(move || -> Vec<u64> {
        (0..20).map(|_| verify(&path).unwrap().epochs[0].records).collect()
    });
    while !verifying.is_finished() {
        append_durably(&ledger, "more").await;
    }
    let sizes = verifying.await.unwrap();
    assert!(sizes.is_sorted() && sizes[0] >= 1, "{sizes:?}");
}
