//! One opening of the ledger, with what it is known to hold: content, records and their promises, answers that never
//! left. Which calls are recorded, and when it is opened again, is told in `book`.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portreeve_ledger::{Appended, Body, Failure, KeepError, Ledger, RecordId, RecordKind};
use serde_json::json;
use tokio::sync::Semaphore;

use super::beside::Content;
use super::book::BookError;
use crate::config::WithoutRecord;
use crate::set::{PolicySet, chain};

/// A ledger, which content it holds already, and which of its records were never told.
pub struct Shelf {
    ledger: Arc<Ledger>,
    held: Mutex<HashSet<String>>,
    untold: Arc<Mutex<Untold>>,
    /// Sets that are in force and could not be kept yet.
    owed: Mutex<Vec<Arc<PolicySet>>>,
    /// Content that may be on its way to the disk at one time.
    keeping: Arc<Semaphore>,
}

/// Records that may have come to stand in the book, though their answers never left and no record on disk says so.
type Untold = BTreeSet<RecordId>;

/// Digests that are remembered as held; beyond, they are forgotten and written again, which changes nothing.
const REMEMBERED: usize = 100_000;

/// Records whose answers never left that are remembered until it is on disk that they were not told: more than a queue
/// holds.
const UNTOLD: usize = 100_000;

/// Sets that are owed at one time. Calls under one that was in force longer ago have ended.
const OWED: usize = 8;

/// Threads that may wait for the disk with content at one time: one that stalls must not take all that policies run on.
const KEEPING: usize = 16;

/// What has to have happened to a record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// The operating system has it.
    Written,
    /// The disk has it.
    Durable,
}

impl Shelf {
    pub(super) fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            held: Mutex::default(),
            untold: Arc::default(),
            owed: Mutex::default(),
            keeping: Arc::new(Semaphore::new(KEEPING)),
        }
    }

    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Keeps what the records of this set will name. Where that can't be done now, it is owed: no record is made
    /// before. Blocks on the disk.
    pub(super) fn keep_set(&self, set: &Arc<PolicySet>) -> Result<(), BookError> {
        let kept = self.write_set(set);
        if kept.is_err() {
            self.owe(Arc::clone(set));
        }
        kept
    }

    /// What a record names is on disk before the record is, and before the deadline.
    pub(super) async fn keep_in_time(
        self: &Arc<Self>,
        named: Vec<Content>,
        deadline: Instant,
    ) -> Result<(), BookError> {
        tokio::time::timeout_at(deadline.into(), self.keep_all(named)).await.unwrap_or(Err(BookError::TooLate))
    }

    /// Makes a record and waits for it. Where its answer will not leave `without` it, and it comes to stand all the
    /// same, a later record says so.
    pub(super) async fn record(
        &self,
        kind: &RecordKind,
        body: &Body,
        until: Until,
        deadline: Instant,
        without: WithoutRecord,
    ) -> Result<RecordId, BookError> {
        let mut appended = self.append(kind, body)?;
        let promise = async {
            match until {
                Until::Written => appended.written().await,
                Until::Durable => appended.durable().await,
            }
        };
        let kept = tokio::time::timeout_at(deadline.into(), promise).await;
        let id = appended.id().clone();
        match (kept, without) {
            (Ok(Ok(())), _) => Ok(id),
            (Ok(Err(failure)), WithoutRecord::Answer) => Err(BookError::Failed(failure)),
            (Ok(Err(failure)), WithoutRecord::Refuse) => {
                self.remember_untold(id);
                Err(BookError::Failed(failure))
            }
            (Err(_), WithoutRecord::Answer) => Err(BookError::TooLate),
            (Err(_), WithoutRecord::Refuse) => {
                self.say_untold(id);
                Err(BookError::TooLate)
            }
        }
    }

    /// Tries content and a record, which names it. On disk when this returns.
    pub(super) async fn try_a_record(
        self: &Arc<Self>,
        kind: &RecordKind,
        content: Content,
        body: &Body,
        deadline: Instant,
    ) -> Result<RecordId, BookError> {
        self.keep_in_time(vec![content], deadline).await?;
        self.record(kind, body, Until::Durable, deadline, WithoutRecord::Answer).await
    }

    /// Takes over from an opening that failed: the sets that it owes, and to say of its records that nobody was told of
    /// them, as far as they came to stand in the book.
    pub(super) fn take_over(&self, failed: &Self) {
        let owed = std::mem::take(&mut *failed.owed());
        owed.into_iter().for_each(|set| self.owe(set));
        let opening = self.ledger.opening();
        let stands = |id: &RecordId| id.epoch < opening.epoch || id.sequence < opening.records;
        let untold = std::mem::take(&mut *failed.untold());
        untold.into_iter().filter(stands).for_each(|id| self.say_untold(id));
    }

    fn append(&self, kind: &RecordKind, body: &Body) -> Result<Appended, BookError> {
        self.ledger.append(kind, body).map_err(|error| BookError::Refused(Arc::new(error)))
    }

    /// The record may yet come to stand in the book, but its answer never left. It is remembered until it is on disk
    /// that this was said: a disk that stalls may fail yet.
    fn say_untold(&self, id: RecordId) {
        self.remember_untold(id.clone());
        let said = Body::of(&json!({"record": id.to_string()})).map_err(BookError::from);
        match said.and_then(|said| self.append(&RecordKind::UNDELIVERED, &said)) {
            Ok(saying) => drop(tokio::spawn(forget_once_said(Arc::clone(&self.untold), id, saying))),
            Err(error) => {
                tracing::error!(record = %id, error = chain(&error), "an answer was not given and the book can't say so yet");
            }
        }
    }

    fn remember_untold(&self, id: RecordId) {
        let mut untold = self.untold();
        if untold.len() < UNTOLD {
            untold.insert(id);
        }
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Most is known already, and then the disk is left alone.
    async fn keep_all(self: &Arc<Self>, named: Vec<Content>) -> Result<(), BookError> {
        let new: Vec<Content> = named.into_iter().filter(|content| !self.holds(&content.digest)).collect();
        if new.is_empty() && self.owed().is_empty() {
            return Ok(());
        }
        // Nobody closes it.
        let place = Arc::clone(&self.keeping).acquire_owned().await;
        let shelf = Arc::clone(self);
        let work = move || {
            let _held_until_done = place;
            shelf.keep_owed()?;
            new.into_iter().try_for_each(|content| shelf.keep(content))
        };
        let kept = tokio::task::spawn_blocking(work).await;
        kept.unwrap_or(Err(BookError::Failed(Failure::WriterLost)))
    }

    fn keep(&self, Content { digest, text }: Content) -> Result<(), BookError> {
        self.ledger.keep(text.as_bytes()).map_err(not_kept)?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= REMEMBERED {
            held.clear();
        }
        held.insert(digest);
        Ok(())
    }

    fn write_set(&self, set: &PolicySet) -> Result<(), BookError> {
        set.content().try_for_each(|content| self.ledger.keep(content).map(drop).map_err(not_kept))
    }

    fn keep_owed(&self) -> Result<(), BookError> {
        let owed = self.owed().clone();
        for set in owed {
            self.write_set(&set)?;
            self.owed().retain(|other| !Arc::ptr_eq(other, &set));
        }
        Ok(())
    }

    fn owe(&self, set: Arc<PolicySet>) {
        let mut owed = self.owed();
        if owed.len() >= OWED {
            owed.remove(0);
        }
        owed.push(set);
    }

    fn owed(&self) -> MutexGuard<'_, Vec<Arc<PolicySet>>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self, digest: &str) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }
}

async fn forget_once_said(untold: Arc<Mutex<Untold>>, id: RecordId, mut saying: Appended) {
    if saying.durable().await.is_ok() {
        untold.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

fn not_kept(error: KeepError) -> BookError {
    match error {
        KeepError::Failed(failure) => BookError::Failed(failure),
        KeepError::File(error) => BookError::Content(Arc::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ledger::Options;
    use std::path::Path;
    use std::time::Duration;

    fn options() -> Options {
        Options::new("a/b".parse().unwrap())
    }

    fn open(folder: &Path) -> Shelf {
        Shelf::new(Arc::new(Ledger::open(folder, options()).unwrap()))
    }

    async fn a_record(shelf: &Shelf) -> RecordId {
        let (body, deadline) = (Body::of(&json!({})).unwrap(), Instant::now() + Duration::from_secs(20));
        shelf.record(&RecordKind::DECISION, &body, Until::Durable, deadline, WithoutRecord::Refuse).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_not_told_is_remembered_until_it_is_on_disk_that_it_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().join("book");
        let shelf = open(&book);
        let id = a_record(&shelf).await;
        shelf.say_untold(id.clone());
        assert!(shelf.untold().contains(&id));
        while !shelf.untold().is_empty() {
            tokio::task::yield_now().await;
        }
        std::fs::remove_dir_all(&book).unwrap();
        shelf.say_untold(id.clone());
        while shelf.ledger.stats().failure.is_none() {
            tokio::task::yield_now().await;
        }
        // Whoever waited for the saying is gone.
        while Arc::strong_count(&shelf.untold) > 1 {
            tokio::task::yield_now().await;
        }
        assert!(shelf.untold().contains(&id), "the book failed before it could say so");
    }

    #[tokio::test]
    async fn an_answer_that_leaves_without_its_record_is_not_said_to_have_stayed() {
        let folder = tempfile::tempdir().unwrap();
        let seldom = options().group_interval(Duration::from_secs(3600));
        let shelf = Shelf::new(Arc::new(Ledger::open(folder.path(), seldom).unwrap()));
        a_record(&shelf).await;
        let (body, late) = (Body::of(&json!({})).unwrap(), Instant::now());
        for (without, untold) in [(WithoutRecord::Answer, 0), (WithoutRecord::Refuse, 1)] {
            let outcome = shelf.record(&RecordKind::DECISION, &body, Until::Durable, late, without).await;
            assert!(matches!(outcome, Err(BookError::TooLate)), "{outcome:?}");
            assert_eq!(shelf.untold().len(), untold);
        }
    }

    #[tokio::test]
    async fn what_stands_in_the_book_and_was_never_told_is_named_by_the_next_opening() {
        let folder = tempfile::tempdir().unwrap();
        let failed = open(folder.path());
        let stands = a_record(&failed).await;
        failed.remember_untold(stands.clone());
        failed.remember_untold(RecordId { sequence: stands.sequence + 1, ..stands.clone() });
        failed.ledger.close().unwrap();

        let fresh = open(folder.path());
        fresh.take_over(&failed);
        fresh.ledger.close().unwrap();
        let records: Vec<_> = portreeve_ledger::read(folder.path()).unwrap().map(Result::unwrap).collect();
        let told: Vec<&str> = records.iter().skip(1).map(|record| record.body.get()).collect();
        assert_eq!(told, [format!("{{\"record\":\"{stands}\"}}")]);
    }
}
