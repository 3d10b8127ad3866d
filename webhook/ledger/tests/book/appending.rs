//! Appending: ids, promises, groups, limits, keeping.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portreeve_ledger::{AppendError, Body, Durability, Failure, Ledger, RecordKind, verify};
use tokio::task::JoinSet;

use crate::{append, append_durably, covered, open, options, records, segments};

#[tokio::test]
async fn the_id_is_known_before_the_record_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let mut first = append(&ledger, "one");
    assert_eq!(first.id().to_string(), "prod/portreeve-0/1/0");
    assert_eq!(append(&ledger, "two").id().to_string(), "prod/portreeve-0/1/1");
    first.written().await.unwrap();
    first.durable().await.unwrap();
    assert_eq!(records(folder.path())[0].id, *first.id());
}

#[tokio::test]
async fn a_line_on_disk_is_a_check_and_canonical_json() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(|| "2026-01-02T03:04:05.6Z".parse::<Timestamp>().unwrap());
    let ledger = Ledger::open(folder.path(), options().clock(clock)).unwrap();
    let body = Body::of(&serde_json::json!({"z": 1.0, "a": ["ü", null]})).unwrap();
    ledger.append(&RecordKind::CORRECTION, &body).unwrap().durable().await.unwrap();
    let leaf = concat!(
        r#"{"epoch":1,"kind":"correction","origin":"prod/portreeve-0","record":{"a":["ü",null],"z":1},"#,
        r#""sequence":0,"time":"2026-01-02T03:04:05.600000Z"}"#
    );
    let line = format!("{:08x} {leaf}\n", crc32fast::hash(leaf.as_bytes()));
    assert_eq!(fs::read_to_string(&segments(folder.path(), "leaves")[0]).unwrap(), line);
}

#[tokio::test]
async fn five_hundred_who_wait_together_share_their_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(open(folder.path()));
    let mut waiting = JoinSet::new();
    for n in 0..500 {
        let ledger = Arc::clone(&ledger);
        waiting.spawn(async move { append_durably(&ledger, &format!("record {n}")).await });
    }
    waiting.join_all().await;
    let stats = ledger.stats();
    assert_eq!((stats.records, stats.tree_size, stats.syncs), (500, 500, stats.groups));
    assert!(stats.syncs <= 50, "{} syncs for 500 records", stats.syncs);
    ledger.close().unwrap();
    assert_eq!(ledger.stats().syncs, stats.syncs, "what was synced was synced again for the checkpoint");
}

#[tokio::test]
async fn write_only_promises_durability_without_a_sync_and_still_covers_synced_records_only() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), options().durability(Durability::WriteOnly)).unwrap();
    append_durably(&ledger, "one").await;
    let written = ledger.stats();
    ledger.close().unwrap();
    assert_eq!(covered(folder.path()), 1);
    let closed = ledger.stats();
    assert_eq!((written.syncs + 1, written.covered + 1), (closed.syncs, closed.covered));
}

#[tokio::test]
async fn a_record_that_comes_alone_and_need_not_be_synced_is_written_before_it_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), options().durability(Durability::WriteOnly)).unwrap();
    let mut at_once = 0;
    for n in 1..=20_usize {
        let mut appended = append(&ledger, "alone");
        // Asked once: nobody else had the time to write it.
        at_once += usize::from(tokio::time::timeout(Duration::ZERO, appended.written()).await.is_ok());
        appended.durable().await.unwrap();
        assert_eq!(records(folder.path()).len(), n);
        // The writing thread comes to rest, mostly.
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(at_once >= 5, "{at_once} of 20");
    ledger.close().unwrap();
    assert!(verify(folder.path()).is_ok());
}

#[tokio::test]
async fn records_that_come_soon_after_a_group_make_one_together() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), options().group_interval(Duration::from_secs(3600))).unwrap();
    append_durably(&ledger, "alone").await;
    (0..9).for_each(|_| drop(append(&ledger, "x")));
    ledger.close().unwrap();
    assert_eq!((ledger.stats().records, ledger.stats().groups), (10, 2));
}

#[tokio::test]
async fn a_full_group_is_not_kept_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let options = options().group_interval(Duration::from_secs(3600)).group_bytes(2_000);
    let ledger = Ledger::open(folder.path(), options).unwrap();
    append_durably(&ledger, "alone").await;
    let mut waiting: Vec<_> = (0..20).map(|_| append(&ledger, &"x".repeat(100))).collect();
    waiting[0].durable().await.unwrap();
    ledger.close().unwrap();
}

#[tokio::test]
async fn a_record_too_large_is_refused_by_its_size_and_the_largest_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let empty = Body::of(&"").unwrap();
    let appended = ledger.append(&RecordKind::DECISION, &empty).unwrap().durable().await;
    appended.unwrap();
    let envelope = usize::try_from(fs::metadata(&segments(folder.path(), "leaves")[0]).unwrap().len()).unwrap() - 10;
    let room = 65_534 - envelope;
    append_durably(&ledger, &"x".repeat(room)).await;
    let error = ledger.append(&RecordKind::DECISION, &Body::of(&"x".repeat(room + 1)).unwrap()).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { size: 65_535, limit: 65_534 }), "{error}");
    ledger.close().unwrap();
    assert_eq!(verify(folder.path()).unwrap().epochs[0].records, 2);
}

#[tokio::test]
async fn a_closed_book_takes_nothing_and_lost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let mut waiting: Vec<_> = (0..20).map(|n| append(&ledger, &n.to_string())).collect();
    ledger.close().unwrap();
    for appended in &mut waiting {
        appended.durable().await.unwrap();
    }
    let refused = ledger.append(&RecordKind::DECISION, &Body::of(&"late").unwrap());
    assert!(matches!(refused, Err(AppendError::Closed)));
    assert_eq!((covered(folder.path()), records(folder.path()).len()), (20, 20));
    ledger.close().unwrap();
}

#[tokio::test]
async fn dropping_a_book_closes_it() {
    let folder = tempfile::tempdir().unwrap();
    drop(append(&open(folder.path()), "one"));
    assert_eq!(covered(folder.path()), 1);
}

#[tokio::test]
async fn a_removed_folder_is_a_failure_and_not_a_success_into_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    fs::remove_dir_all(folder.path()).unwrap();
    let failure = append(&ledger, "lost").written().await.unwrap_err();
    assert!(matches!(failure, Failure::FolderGone(_)), "{failure}");
    assert!(failure.to_string().contains(folder.path().to_str().unwrap()));
    let refused = ledger.append(&RecordKind::DECISION, &Body::of(&"next").unwrap());
    assert!(matches!(refused, Err(AppendError::Failed(Failure::FolderGone(_)))));
    assert!(matches!(ledger.stats().failure, Some(Failure::FolderGone(_))));
    assert!(ledger.close().is_err());
}

#[tokio::test]
async fn kept_content_lies_beside_the_log_and_outlasts_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    let digest = ledger.keep(b"settings").unwrap();
    let hex = digest.to_string().replace("sha256:", "");
    assert_eq!(fs::read(folder.path().join("blobs/sha256").join(&hex[..2]).join(&hex)).unwrap(), b"settings");
    ledger.close().unwrap();
    assert_eq!(portreeve_ledger::kept(folder.path(), &digest).unwrap(), b"settings");
    assert_eq!(verify(folder.path()).unwrap().blobs.count, 1);
}

#[tokio::test]
async fn nobody_else_can_read_the_book_or_its_key() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("deep/ledger");
    let ledger = open(&folder);
    append_durably(&ledger, "one").await;
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.clone()), 0o700);
    assert_eq!(mode(folder.join("signing-key.p8")), 0o600);
    assert_eq!(mode(segments(&folder, "leaves")[0].clone()), 0o600);
}
