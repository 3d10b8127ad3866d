//! Opening again in the same process, after the book failed: what has to be there, and what is never begun.

use std::fs;
use std::sync::Arc;

use portreeve_ledger::{Durability, Failure, KeepError, Ledger, OpenError, verify};

use crate::{append, append_durably, bodies, copy, epoch, open, options, segments};

/// A book with one record that fails at the next, since its folder was moved away; and where it lies now.
async fn moved_away(folder: &std::path::Path) -> (portreeve_ledger::Ledger, std::path::PathBuf) {
    let (book, elsewhere) = (folder.join("book"), folder.join("elsewhere"));
    let ledger = open(&book);
    append_durably(&ledger, "one").await;
    copy(&book, &elsewhere);
    fs::remove_dir_all(&book).unwrap();
    assert!(matches!(append(&ledger, "lost").durable().await, Err(Failure::FolderGone(_))));
    (ledger, elsewhere)
}

#[tokio::test]
async fn a_book_that_was_put_back_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (failed, elsewhere) = moved_away(folder.path()).await;
    fs::rename(elsewhere, folder.path().join("book")).unwrap();
    let ledger = failed.reopen().unwrap();
    append_durably(&ledger, "two").await;
    ledger.close().unwrap();
    assert_eq!(bodies(&folder.path().join("book")), ["\"one\"", "\"two\""]);
    assert!(verify(&folder.path().join("book")).is_ok());
}

#[tokio::test]
async fn where_the_book_is_gone_none_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let (failed, _elsewhere) = moved_away(folder.path()).await;
    fs::create_dir_all(folder.path().join("book")).unwrap();
    assert!(matches!(failed.reopen(), Err(OpenError::Gone { .. })));
    assert_eq!(fs::read_dir(folder.path().join("book")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_copy_without_its_key_is_not_the_book_and_gets_no_other_key() {
    let folder = tempfile::tempdir().unwrap();
    let (failed, elsewhere) = moved_away(folder.path()).await;
    let key = folder.path().join("book/signing-key.p8");
    fs::rename(elsewhere, folder.path().join("book")).unwrap();
    fs::remove_file(&key).unwrap();
    assert!(matches!(failed.reopen(), Err(OpenError::Gone { .. })));
    assert!(!key.exists());
}

#[tokio::test]
async fn a_list_of_keys_that_is_damaged_is_told_as_that() {
    let folder = tempfile::tempdir().unwrap();
    let (failed, elsewhere) = moved_away(folder.path()).await;
    fs::write(elsewhere.join("verifier-keys"), "no key\n").unwrap();
    fs::rename(elsewhere, folder.path().join("book")).unwrap();
    assert!(matches!(failed.reopen(), Err(OpenError::VerifierKeys { .. })));
}

#[tokio::test]
async fn an_older_copy_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (book, older) = (folder.path().join("book"), folder.path().join("older"));
    let ledger = open(&book);
    copy(&book, &older);
    append_durably(&ledger, "one").await;
    fs::remove_dir_all(&book).unwrap();
    assert!(append(&ledger, "lost").durable().await.is_err());
    fs::rename(older, &book).unwrap();
    assert!(matches!(ledger.reopen(), Err(OpenError::Shorter { held: 0, acknowledged: 1, .. })));
}

#[tokio::test]
async fn where_records_count_once_written_an_older_copy_is_known_before_any_sync() {
    let folder = tempfile::tempdir().unwrap();
    let (book, older) = (folder.path().join("book"), folder.path().join("older"));
    let ledger = Ledger::open(&book, options().durability(Durability::WriteOnly)).unwrap();
    copy(&book, &older);
    append_durably(&ledger, "one").await;
    fs::remove_dir_all(&book).unwrap();
    assert!(append(&ledger, "lost").durable().await.is_err());
    assert_eq!(ledger.stats().synced, 0);
    fs::rename(older, &book).unwrap();
    assert!(matches!(ledger.reopen(), Err(OpenError::Shorter { held: 0, acknowledged: 1, .. })));
}

#[tokio::test]
async fn a_record_that_was_told_as_not_written_does_not_stand_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let (book, elsewhere) = (folder.path().join("book"), folder.path().join("elsewhere"));
    let opened = |folder: &_| {
        let options = options().clock(Arc::new(|| jiff::Timestamp::UNIX_EPOCH));
        Ledger::open(folder, options).unwrap()
    };
    let failed = opened(&book);
    append_durably(&failed, "one").await;
    copy(&book, &elsewhere);
    // The disk takes the line, tells that it did not, and refuses to cut it off.
    fs::remove_dir_all(&book).unwrap();
    assert!(append(&failed, "lost").durable().await.is_err());
    let crashed = crate::crashed(&elsewhere);
    let beside = opened(crashed.path());
    append_durably(&beside, "lost").await;
    fs::copy(&segments(crashed.path(), "leaves")[0], &segments(&elsewhere, "leaves")[0]).unwrap();
    assert_eq!(bodies(&elsewhere), ["\"one\"", "\"lost\""]);

    fs::rename(elsewhere, &book).unwrap();
    let ledger = failed.reopen().unwrap();
    assert_eq!(append(&ledger, "two").id().sequence, 1);
    ledger.close().unwrap();
    assert_eq!(bodies(&book), ["\"one\"", "\"two\""]);
}

#[tokio::test]
async fn a_book_that_was_damaged_meanwhile_is_left_to_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (failed, elsewhere) = moved_away(folder.path()).await;
    let book = folder.path().join("book");
    fs::rename(elsewhere, &book).unwrap();
    let segment = segments(&book, "leaves")[0].clone();
    fs::write(&segment, fs::read_to_string(&segment).unwrap().replace("one", "eno")).unwrap();
    for _ in 0..2 {
        assert!(matches!(failed.reopen(), Err(OpenError::Damaged { .. })));
    }
    assert_eq!(open(&book).opening().set_aside.as_ref().unwrap().code, "check");
}

#[tokio::test]
async fn a_book_that_went_on_in_another_epoch_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (failed, elsewhere) = moved_away(folder.path()).await;
    let book = folder.path().join("book");
    fs::rename(elsewhere, &book).unwrap();
    fs::write(segments(&book, "leaves").pop().unwrap(), "damaged\n").unwrap();
    let ledger = open(&book);
    assert_eq!(ledger.opening().epoch.number(), 2);
    ledger.close().unwrap();
    assert!(matches!(failed.reopen(), Err(OpenError::Gone { .. })));
}

#[tokio::test]
async fn what_a_record_would_name_is_not_kept_by_a_book_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let (failed, _elsewhere) = moved_away(folder.path()).await;
    assert!(matches!(failed.keep(b"settings"), Err(KeepError::Failed(_))));
    assert!(!folder.path().join("book").exists());
}

#[tokio::test]
async fn records_past_the_checkpoint_are_put_on_disk_once_more() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    append_durably(&ledger, "one").await;
    let image = crate::crashed(folder.path());
    let inode = || fs::metadata(&segments(image.path(), "leaves")[0]).unwrap().ino();
    let before = inode();
    let reopened = open(image.path());
    assert_ne!(inode(), before, "the file was not written anew");
    assert_eq!(reopened.opening().records, 1);
    reopened.close().unwrap();
    let before = inode();
    drop(open(image.path()));
    assert_eq!(inode(), before, "a book that was closed in order needs no such thing");
    assert!(epoch(image.path(), "0000000001").exists());
}
