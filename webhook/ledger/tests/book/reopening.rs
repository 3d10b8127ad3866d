//! Opening again: going on with an epoch, setting one aside and beginning the next, and who is turned away.

use std::fs;
use std::path::Path;

use portreeve_ledger::{Fault, Ledger, OpenError, Options, RecordKind, VerifyError, verify};

use crate::{append_durably, bodies, book_of, crashed, epoch, open, records, segments};

/// What is left when the last record of a closed book is taken away: its checkpoint covers more than there is.
fn book_that_lost_its_end() -> tempfile::TempDir {
    let folder = book_of(&["one", "two", "three"]);
    fs::write(segments(folder.path(), "leaves").pop().unwrap(), "").unwrap();
    folder
}

fn codes(folder: &Path) -> Vec<&'static str> {
    match verify(folder) {
        Err(VerifyError::NotWhole { faults, .. }) => faults.iter().map(Fault::code).collect(),
        Err(error) => panic!("{error}"),
        Ok(_) => Vec::new(),
    }
}

#[tokio::test]
async fn a_book_that_was_closed_goes_on_in_its_epoch() {
    let folder = book_of(&["one", "two", "three"]);
    let ledger = open(folder.path());
    assert_eq!(ledger.opening().records, 3);
    assert!(ledger.opening().set_aside.is_none());
    append_durably(&ledger, "four").await;
    ledger.close().unwrap();
    assert_eq!(records(folder.path()).last().unwrap().id.to_string(), "prod/portreeve-0/1/3");
    assert_eq!(verify(folder.path()).unwrap().epochs[0].covered, 4);
}

#[tokio::test]
async fn a_book_that_lost_records_is_set_aside_and_the_next_epoch_says_why() {
    let folder = book_that_lost_its_end();
    let checkpoint = fs::read_to_string(epoch(folder.path(), "0000000001").join("checkpoint")).unwrap();
    let ledger = open(folder.path());
    assert_eq!(ledger.opening().set_aside.as_ref().unwrap().code, "checkpoint-ahead");
    append_durably(&ledger, "four").await;
    ledger.close().unwrap();

    let records = records(folder.path());
    let ids: Vec<_> = records.iter().map(|record| record.id.to_string().replace("prod/portreeve-0/", "")).collect();
    assert_eq!(ids, ["1/0", "1/1", "2/0", "2/1"]);
    assert_eq!(records[2].kind, RecordKind::OPENED);
    let body: serde_json::Value = serde_json::from_str(records[2].body.get()).unwrap();
    assert_eq!(body["previous"], serde_json::json!({"epoch": 1, "checkpoint": checkpoint}));
    assert_eq!(body["reason"]["code"], "checkpoint-ahead");
    assert!(epoch(folder.path(), "0000000001.set-aside").join("segments").exists());
}

#[tokio::test]
async fn a_book_with_an_epoch_set_aside_is_not_whole_and_the_epoch_after_it_is() {
    let folder = book_that_lost_its_end();
    drop(open(folder.path()));
    let Err(VerifyError::NotWhole { faults, report, .. }) = verify(folder.path()) else { panic!("it was whole") };
    assert!(matches!(&faults[..], [Fault::CheckpointAhead { covered: 3, held: 2, .. }]));
    assert_eq!(report.epochs.iter().map(|e| (e.epoch.number(), e.records)).collect::<Vec<_>>(), [(2, 1)]);
}

#[tokio::test]
async fn damage_in_the_middle_is_never_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    append_durably(&ledger, "one").await;
    append_durably(&ledger, "two").await;
    let image = crashed(folder.path());
    let segment = segments(image.path(), "leaves")[0].clone();
    let damaged = fs::read_to_string(&segment).unwrap().replace("one", "eno");
    fs::write(&segment, &damaged).unwrap();

    let reopened = open(image.path());
    assert_eq!(reopened.opening().set_aside.as_ref().unwrap().code, "check");
    let aside = epoch(image.path(), "0000000001.set-aside").join("segments/00000000000000000000.leaves");
    assert_eq!(fs::read_to_string(aside).unwrap(), damaged);
}

#[tokio::test]
async fn a_covered_record_that_was_cut_short_is_damage_and_not_a_torn_line() {
    let folder = book_of(&["one"]);
    let segment = segments(folder.path(), "leaves")[0].clone();
    let text = fs::read_to_string(&segment).unwrap();
    fs::write(&segment, text.trim_end()).unwrap();
    assert_eq!(open(folder.path()).opening().set_aside.as_ref().unwrap().code, "cut");
}

#[tokio::test]
async fn records_that_were_replaced_are_set_aside_by_their_root() {
    let folder = book_of(&["one"]);
    let segment = segments(folder.path(), "leaves")[0].clone();
    let leaf = fs::read_to_string(&segment).unwrap().trim_end()[9..].replace("one", "eno");
    fs::write(&segment, format!("{:08x} {leaf}\n", crc32fast::hash(leaf.as_bytes()))).unwrap();
    assert_eq!(open(folder.path()).opening().set_aside.as_ref().unwrap().code, "root-differs");
}

#[tokio::test]
async fn a_line_after_the_checkpoint_that_is_not_the_next_record_is_set_aside() {
    let folder = book_of(&["one"]);
    let segment = segments(folder.path(), "leaves")[0].clone();
    fs::write(&segment, fs::read_to_string(&segment).unwrap().repeat(2)).unwrap();
    assert_eq!(open(folder.path()).opening().set_aside.as_ref().unwrap().code, "leaf");
}

#[tokio::test]
async fn another_key_means_another_epoch() {
    let folder = book_of(&["one"]);
    fs::remove_file(folder.path().join("signing-key.p8")).unwrap();
    let ledger = open(folder.path());
    assert_eq!(ledger.opening().set_aside.as_ref().unwrap().code, "checkpoint");
    ledger.close().unwrap();
    assert_eq!(codes(folder.path()), [""; 0], "both epochs are whole, each by its own key");
}

#[tokio::test]
async fn an_epoch_that_was_taken_away_is_missed_and_never_begun_again() {
    let folder = book_of(&["one"]);
    fs::remove_dir_all(epoch(folder.path(), "0000000001")).unwrap();
    let ledger = open(folder.path());
    assert_eq!(ledger.opening().epoch.number(), 2);
    ledger.close().unwrap();
    let record = records(folder.path()).remove(0);
    assert!(record.body.get().contains("epoch-missing"), "{}", record.body);
    assert_eq!(codes(folder.path()), ["epoch-missing"]);
}

#[tokio::test]
async fn a_crash_after_an_epoch_was_set_aside_changes_nothing() {
    let folder = book_that_lost_its_end();
    let ledger = open(folder.path());
    let image = crashed(folder.path());
    drop(ledger);
    fs::remove_dir_all(epoch(image.path(), "0000000002")).unwrap();
    let keys = fs::read_to_string(image.path().join("verifier-keys")).unwrap();
    fs::write(image.path().join("verifier-keys"), format!("{}\n", keys.lines().next().unwrap())).unwrap();

    drop(open(image.path()));
    assert_eq!(bodies(image.path()), bodies(folder.path()));
    assert_eq!(codes(image.path()), ["checkpoint-ahead"]);
}

#[tokio::test]
async fn a_crash_before_the_new_epoch_said_why_is_mended() {
    let folder = book_that_lost_its_end();
    let ledger = open(folder.path());
    let image = crashed(folder.path());
    drop(ledger);
    fs::write(epoch(image.path(), "0000000002").join("segments/00000000000000000000.leaves"), "").unwrap();
    let reopened = open(image.path());
    assert_eq!(reopened.opening().epoch.number(), 2);
    drop(reopened);
    assert_eq!(bodies(image.path()), bodies(folder.path()));
}

#[tokio::test]
async fn a_reason_that_was_changed_later_is_found() {
    let folder = book_that_lost_its_end();
    drop(open(folder.path()));
    let reason = epoch(folder.path(), "0000000001.set-aside").join("reason.json");
    let text = fs::read_to_string(&reason).unwrap();
    fs::write(&reason, text.replace("checkpoint-ahead", "all-is-well")).unwrap();
    assert_eq!(codes(folder.path()), ["checkpoint-ahead", "succession"]);
}

#[tokio::test]
async fn two_writers_of_one_book_can_not_be() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let error = Ledger::open(folder.path(), crate::options()).unwrap_err();
    assert!(matches!(&error, OpenError::InUse { folder: named } if named == folder.path()), "{error}");
    first.close().unwrap();
    open(folder.path());
}

#[test]
fn the_book_of_another_origin_is_left_alone() {
    let folder = book_of(&["one"]);
    let error = Ledger::open(folder.path(), Options::new("prod/portreeve-1".parse().unwrap())).unwrap_err();
    assert!(matches!(error, OpenError::OtherOrigin { .. }));
    assert!(error.to_string().contains("prod/portreeve-0, not of prod/portreeve-1"), "{error}");
    assert!(verify(folder.path()).is_ok());
}

#[test]
fn a_folder_that_can_not_be_written_is_named() {
    // /proc takes no folders, not even from root, whom permissions do not stop.
    let folder = Path::new("/proc/portreeve-ledger");
    let error = Ledger::open(folder, crate::options()).unwrap_err();
    assert!(error.to_string().contains("/proc/portreeve-ledger"), "{error}");
}

#[test]
fn a_damaged_private_key_is_refused_and_replaced_by_nothing() {
    let folder = book_of(&["one"]);
    let path = folder.path().join("signing-key.p8");
    fs::write(&path, "no key").unwrap();
    let error = Ledger::open(folder.path(), crate::options()).unwrap_err();
    assert!(matches!(error, OpenError::Key { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"no key");
}
