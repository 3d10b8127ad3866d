//! When checkpoints are signed, and what becomes of the book when one can't be written.

use std::fs;
use std::time::{Duration, Instant};

use portreeve_ledger::{Ledger, verify};

use crate::{append, append_durably, covered, epoch, options, signed};

#[tokio::test]
async fn a_checkpoint_follows_the_records_and_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let ledger = Ledger::open(folder.path(), options().checkpoint_interval(Duration::ZERO)).unwrap();
        for n in 0..5 {
            append_durably(&ledger, &n.to_string()).await;
            seen.push(signed(folder.path()));
        }
        ledger.close().unwrap();
        seen.push(signed(folder.path()));
    }
    assert_eq!(seen.last().unwrap().0, 15);
    for pair in seen.windows(2) {
        assert!(pair[0].0 <= pair[1].0, "a smaller tree was signed");
        assert!(pair[0].0 < pair[1].0 || pair[0].1 == pair[1].1, "two trees of one size were signed");
    }
}

#[tokio::test]
async fn a_busy_book_is_signed_while_records_come() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), options().checkpoint_interval(Duration::ZERO)).unwrap();
    let patience = patience();
    while ledger.stats().covered == 0 {
        assert!(Instant::now() < patience, "no checkpoint came");
        append_durably(&ledger, "one").await;
    }
}

#[test]
fn a_quiet_book_is_signed_when_its_time_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), options().checkpoint_interval(Duration::from_millis(1))).unwrap();
    drop(append(&ledger, "one"));
    until(|| ledger.stats().covered == 1);
    assert_eq!(covered(folder.path()), 1);
}

#[tokio::test]
async fn a_checkpoint_that_can_not_be_written_is_told_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = epoch(folder.path(), "0000000001").join("checkpoint");
    let ledger = Ledger::open(folder.path(), options().checkpoint_interval(Duration::ZERO)).unwrap();
    fs::remove_file(&checkpoint).unwrap();
    fs::create_dir(&checkpoint).unwrap();
    append_durably(&ledger, "one").await;
    until(|| ledger.stats().checkpoint_failure.is_some());
    append_durably(&ledger, "two").await;
    assert!(ledger.stats().failure.is_none());

    fs::remove_dir(&checkpoint).unwrap();
    until(|| ledger.stats().checkpoint_failure.is_none());
    ledger.close().unwrap();
    assert_eq!(verify(folder.path()).unwrap().epochs[0].covered, 2);
}

/// Waits for the thread that signs.
fn until(held: impl Fn() -> bool) {
    let patience = patience();
    while !held() {
        assert!(Instant::now() < patience, "no checkpoint came");
        std::thread::yield_now();
    }
}

fn patience() -> Instant {
    Instant::now() + Duration::from_secs(30)
}
