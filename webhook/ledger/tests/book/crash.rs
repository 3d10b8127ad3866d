//! What a crash leaves: lines that were never finished, records that no checkpoint covers yet, files on their way.

use std::fs::{self, OpenOptions};

use portreeve_ledger::{Fault, Ledger, VerifyError, verify};

use crate::{append_durably, bodies, crashed, open, options, segments};

#[tokio::test]
async fn records_beyond_the_checkpoint_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    append_durably(&ledger, "one").await;
    let image = crashed(folder.path());
    let report = verify(image.path()).unwrap();
    assert_eq!((report.epochs[0].covered, report.epochs[0].uncovered), (0, 1));

    let reopened = open(image.path());
    assert_eq!((reopened.opening().epoch.number(), reopened.opening().records), (1, 1));
    append_durably(&reopened, "two").await;
    reopened.close().unwrap();
    assert_eq!(bodies(image.path()), [r#""one""#, r#""two""#]);
    assert_eq!(verify(image.path()).unwrap().epochs[0].covered, 2);
}

#[tokio::test]
async fn a_line_that_breaks_off_anywhere_is_cut_and_nothing_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    append_durably(&ledger, "one").await;
    let whole = fs::metadata(&segments(folder.path(), "leaves")[0]).unwrap().len();
    append_durably(&ledger, "two").await;
    let both = fs::metadata(&segments(folder.path(), "leaves")[0]).unwrap().len();
    let image = crashed(folder.path());
    let segment = segments(image.path(), "leaves")[0].clone();
    let pristine = fs::read(&segment).unwrap();

    for length in whole..both {
        fs::write(&segment, &pristine).unwrap();
        OpenOptions::new().write(true).open(&segment).unwrap().set_len(length).unwrap();
        let torn = verify(image.path());
        let crashed_again = crashed(image.path());
        let reopened = open(crashed_again.path());
        assert_eq!(reopened.opening().records, 1, "after {length} bytes");
        assert_eq!(reopened.opening().cut_off.is_some(), length > whole, "after {length} bytes");
        assert_eq!(fs::metadata(&segments(crashed_again.path(), "leaves")[0]).unwrap().len(), whole);
        assert_eq!(torn.is_err(), length > whole, "after {length} bytes");
    }
}

#[tokio::test]
async fn a_torn_line_is_told_as_such_when_nobody_is_writing() {
    let folder = tempfile::tempdir().unwrap();
    append_durably(&open(folder.path()), "one").await;
    let segment = &segments(folder.path(), "leaves")[0];
    let mut torn = fs::read(segment).unwrap();
    let whole = u64::try_from(torn.len()).unwrap();
    torn.extend_from_slice(b"0123");
    fs::write(segment, torn).unwrap();
    let Err(VerifyError::NotWhole { faults, .. }) = verify(folder.path()) else { panic!("nobody saw the torn line") };
    let Fault::Torn { place, bytes: 4 } = &faults[0] else { panic!("{}", faults[0]) };
    assert_eq!((&place.file, place.line, place.offset, place.sequence), (segment, 2, whole, 1));

    fs::remove_file(folder.path().join("lock")).unwrap();
    assert!(matches!(verify(folder.path()), Err(VerifyError::NotWhole { .. })), "a copy has no writer either");
}

#[tokio::test]
async fn a_torn_line_beside_a_running_writer_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    append_durably(&ledger, "one").await;
    let segment = &segments(folder.path(), "leaves")[0];
    let mut torn = fs::read(segment).unwrap();
    torn.extend_from_slice(b"0123");
    fs::write(segment, torn).unwrap();
    assert_eq!(verify(folder.path()).unwrap().epochs[0].records, 1);
    assert_eq!(bodies(folder.path()), [r#""one""#]);
}

#[tokio::test]
async fn files_on_their_way_are_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let leftovers = [folder.path().join(".unfinished-verifier-keys"), folder.path().join("epochs/.unfinished-2")];
    fs::write(&leftovers[0], "half").unwrap();
    fs::create_dir_all(leftovers[1].join("segments")).unwrap();
    assert!(verify(folder.path()).is_ok());
    drop(open(folder.path()));
    assert!(leftovers.iter().all(|path| !path.exists()));
}

#[tokio::test]
async fn a_crash_before_the_first_key_was_listed_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    append_durably(&open(folder.path()), "one").await;
    fs::remove_file(folder.path().join("verifier-keys")).unwrap();
    assert!(matches!(verify(folder.path()), Err(VerifyError::KeysGone { .. })));
    drop(open(folder.path()));
    assert_eq!(verify(folder.path()).unwrap().epochs[0].records, 1);
}

#[tokio::test]
async fn a_crash_between_a_seal_and_the_next_segment_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), options().segment_bytes(1)).unwrap();
    append_durably(&ledger, "one").await;
    append_durably(&ledger, "two").await;
    let image = crashed(folder.path());
    let next = segments(image.path(), "leaves").pop().unwrap();
    assert!(next.ends_with("00000000000000000001.leaves"));
    fs::remove_file(next).unwrap();

    let reopened = open(image.path());
    assert_eq!((reopened.opening().epoch.number(), reopened.opening().records), (1, 1));
    append_durably(&reopened, "again").await;
    reopened.close().unwrap();
    assert_eq!(bodies(image.path()), [r#""one""#, r#""again""#]);
    assert!(verify(image.path()).is_ok());
}

#[tokio::test]
async fn content_that_a_crash_left_unfinished_goes_at_the_next_opening_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let digest = ledger.keep(b"settings").unwrap();
    ledger.close().unwrap();
    let shelf = folder.path().join("blobs/sha256").join(&digest.hex()[..2]);
    fs::write(shelf.join(".unfinished-abcd"), "sett").unwrap();
    let ledger = open(folder.path());
    assert_eq!(fs::read_dir(&shelf).unwrap().count(), 1);
    assert_eq!(ledger.kept(&digest).unwrap(), b"settings");
}
