//! kill -9 while records are appended. The victim is this test binary itself, started anew for one "test" that appends
//! and tells what was acknowledged until it dies.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use portreeve_ledger::{Durability, Ledger, verify};

use crate::{append, open, options, records};

/// Names the victim's folder.
const FOLDER: &str = "PORTREEVE_TEST_LEDGER_FOLDER";
/// Set where the victim's records count as soon as they are written, by it or for it.
const WRITE_ONLY: &str = "PORTREEVE_TEST_LEDGER_WRITE_ONLY";
const ACKNOWLEDGED: &str = "acknowledged ";
const ROUNDS: u64 = 8;

#[test]
fn every_acknowledged_record_is_there_after_kill_9_at_any_moment() {
    [Durability::Durable, Durability::WriteOnly].into_iter().for_each(loses_nothing_when_it_is_killed);
}

fn loses_nothing_when_it_is_killed(durability: Durability) {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    let random = RandomState::new();
    for round in 0..ROUNDS {
        // From the very first record to a few thousand, which is several segments and checkpoints on.
        let moment = random.hash_one(round) % (10 << round);
        acknowledged.extend(kill_after(moment, folder.path(), durability));
        let reopened = open(folder.path());
        assert!(
            reopened.opening().set_aside.is_none(),
            "{durability:?}, round {round}, killed after {moment}: {:?}",
            reopened.opening()
        );
        reopened.close().unwrap();
        let there: HashSet<_> = records(folder.path()).iter().map(|record| record.id.to_string()).collect();
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "{durability:?}, round {round}, killed after {moment}: lost {lost:?}");
        assert!(verify(folder.path()).is_ok(), "{durability:?}, round {round}, killed after {moment}");
    }
}

/// Starts the victim, kills it after it acknowledged so many records, and gives all that it acknowledged.
fn kill_after(moment: u64, folder: &Path, durability: Durability) -> Vec<String> {
    let mut victim = victim(folder, durability);
    let mut acknowledged = Vec::new();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).split(b'\n').map(Result::unwrap);
    let mut next = || {
        lines.by_ref().find_map(|line| Some(String::from_utf8(line).unwrap().strip_prefix(ACKNOWLEDGED)?.to_owned()))
    };
    while u64::try_from(acknowledged.len()).unwrap() <= moment {
        acknowledged.push(next().expect("the victim goes on until it is killed"));
    }
    victim.kill().unwrap();
    acknowledged.extend(std::iter::from_fn(next));
    victim.wait().unwrap();
    // The last line may have been cut by the kill, and is not an acknowledgement then.
    acknowledged.pop();
    acknowledged
}

fn victim(folder: &Path, durability: Durability) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    if durability == Durability::WriteOnly {
        command.env(WRITE_ONLY, "yes");
    }
    command.args(["--exact", "kill::victim_that_appends_until_it_dies", "--nocapture"]);
    command.env(FOLDER, folder).stdout(Stdio::piped()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim_that_appends_until_it_dies() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let durability = if std::env::var(WRITE_ONLY).is_ok() { Durability::WriteOnly } else { Durability::Durable };
    // Room for some hundred records, so that most need not end a segment.
    let options = options().durability(durability).segment_bytes(200_000).checkpoint_interval(Duration::from_millis(5));
    let ledger = Arc::new(Ledger::open(Path::new(&folder), options).unwrap());
    let appenders = (0..16_usize).map(|n| tokio::spawn(append_for_ever(Arc::clone(&ledger), n * 100)));
    for appender in appenders.collect::<Vec<_>>() {
        appender.await.unwrap();
    }
}

async fn append_for_ever(ledger: Arc<Ledger>, size: usize) {
    let text = "x".repeat(size);
    loop {
        let mut appended = append(&ledger, &text);
        appended.durable().await.unwrap();
        // Directly, since println! would be caught by the test harness, and in one write.
        let line = format!("{ACKNOWLEDGED}{}\n", appended.id());
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}
