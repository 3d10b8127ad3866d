//! A full disk. A limit on the size of files stands in for it: the system refuses a write halfway in the same manner.
//! Such a limit holds for a whole process, so the writer is this test binary itself, started anew.

use std::path::Path;
use std::process::Command;

use portreeve_ledger::{AppendError, Body, Durability, Failure, Ledger, RecordKind, verify};

use crate::{append, append_durably, open, options, records};

/// Names the writer's folder.
const FOLDER: &str = "PORTREEVE_TEST_LEDGER_FULL";

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_can_be_mended() {
    fills_and_is_mended("full::writer_on_a_full_disk").await;
}

#[tokio::test]
async fn a_full_disk_is_told_to_whoever_writes_a_record_alone() {
    fills_and_is_mended("full::maker_on_a_full_disk").await;
}

async fn fills_and_is_mended(writes: &str) {
    let folder = tempfile::tempdir().unwrap();
    // Ignoring SIGXFSZ turns the signal into the error EFBIG; an ignored signal stays so through exec.
    let mut writer = Command::new("sh");
    writer.args(["-c", r#"trap "" XFSZ; ulimit -f 20; exec "$0" --exact "$1" --nocapture"#]);
    let output = writer.arg(std::env::current_exe().unwrap()).arg(writes).env(FOLDER, folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let acknowledged = std::fs::read_to_string(folder.path().join("acknowledged")).unwrap().parse::<usize>().unwrap();
    assert!(acknowledged > 0);
    let reopened = open(folder.path());
    assert!(reopened.opening().set_aside.is_none());
    assert!(reopened.opening().cut_off.is_none(), "the writer had cut the torn line off itself");
    append_durably(&reopened, "there is room again").await;
    reopened.close().unwrap();
    assert_eq!(records(folder.path()).len(), acknowledged + 1);
    assert!(verify(folder.path()).is_ok());
}

#[tokio::test]
async fn writer_on_a_full_disk() {
    fill(Durability::Durable).await;
}

#[tokio::test]
async fn maker_on_a_full_disk() {
    fill(Durability::WriteOnly).await;
}

async fn fill(durability: Durability) {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let ledger = Ledger::open(Path::new(&folder), options().durability(durability)).unwrap();
    let mut acknowledged = 0_usize;
    let failure = loop {
        match append(&ledger, &"x".repeat(700)).durable().await {
            Ok(()) => acknowledged += 1,
            Err(failure) => break failure,
        }
    };
    assert!(matches!(failure, Failure::DiskFull(_)), "{failure}");
    let refused = ledger.append(&RecordKind::DECISION, &Body::of(&"next").unwrap());
    assert!(matches!(refused, Err(AppendError::Failed(Failure::DiskFull(_)))));
    assert!(matches!(ledger.close(), Err(Failure::DiskFull(_))));
    std::fs::write(Path::new(&folder).join("acknowledged"), acknowledged.to_string()).unwrap();
}
