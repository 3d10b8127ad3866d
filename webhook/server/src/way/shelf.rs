//! One opening of the ledger, with what it is known to hold: content, records and their promises, answers that never
//! left. Which calls are recorded, and when it is opened again, is told in `book`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portreeve_ledger::{Appended, Body, Failure, Ledger, RecordId, RecordKind};
use serde_json::json;

use super::beside::Content;
use super::book::BookError;
use crate::set::PolicySet;

/// A ledger, which content it holds already, and which of its records were never told.
pub struct Shelf {
    ledger: Arc<Ledger>,
    held: Mutex<HashSet<String>>,
    untold: Mutex<Vec<RecordId>>,
}

/// Digests that are remembered as held; beyond, they are forgotten and written again, which changes nothing.
const REMEMBERED: usize = 100_000;

/// Records whose answers never left that are remembered until the ledger is opened again: what its queue holds, and more.
const UNTOLD: usize = 100_000;

/// What has to have happened to a record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    Written,
    Durable,
}

impl Shelf {
    pub(super) fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger, held: Mutex::default(), untold: Mutex::default() }
    }

    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Keeps what the records of this set will name. Blocks on the disk.
    pub(super) fn keep_set(&self, set: &PolicySet) -> Result<(), BookError> {
        set.content().try_for_each(|content| {
            self.ledger.keep(content).map(drop).map_err(|error| BookError::Content(Arc::new(error)))
        })
    }

    /// What a record names is on disk before the record is, and before the deadline.
    pub(super) async fn keep_in_time(
        self: &Arc<Self>,
        named: Vec<Content>,
        deadline: Instant,
    ) -> Result<(), BookError> {
        tokio::time::timeout_at(deadline.into(), self.keep_all(named)).await.unwrap_or(Err(BookError::TooLate))
    }

    /// Makes a record and waits for it.
    pub(super) async fn record(
        &self,
        kind: &RecordKind,
        body: &Body,
        until: Until,
        deadline: Instant,
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
        match kept {
            Ok(Ok(())) => Ok(id),
            Ok(Err(failure)) => {
                self.remember_untold(id);
                Err(BookError::Failed(failure))
            }
            Err(_) => {
                self.say_untold(id);
                Err(BookError::TooLate)
            }
        }
    }

    /// Says of records of an opening that failed that nobody was told of them, as far as they came to stand in the book.
    pub(super) fn take_over(&self, failed: &Self) {
        let opening = self.ledger.opening();
        let stands = |id: &RecordId| id.epoch < opening.epoch || id.sequence < opening.records;
        let untold = std::mem::take(&mut *failed.untold());
        untold.into_iter().filter(stands).for_each(|id| self.say_untold(id));
    }

    fn append(&self, kind: &RecordKind, body: &Body) -> Result<Appended, BookError> {
        self.ledger.append(kind, body).map_err(|error| BookError::Refused(Arc::new(error)))
    }

    /// The record may yet come to stand in the book, but its answer never left.
    fn say_untold(&self, id: RecordId) {
        let said = Body::of(&json!({"record": id.to_string()})).map_err(BookError::from);
        if let Err(error) = said.and_then(|said| self.append(&RecordKind::UNDELIVERED, &said)) {
            tracing::error!(record = %id, %error, "an answer was not given and the book can't say so yet");
            self.remember_untold(id);
        }
    }

    fn remember_untold(&self, id: RecordId) {
        let mut untold = self.untold();
        if untold.len() < UNTOLD {
            untold.push(id);
        }
    }

    fn untold(&self) -> MutexGuard<'_, Vec<RecordId>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Most is known already, and then the disk is left alone.
    async fn keep_all(self: &Arc<Self>, named: Vec<Content>) -> Result<(), BookError> {
        let new: Vec<Content> = named.into_iter().filter(|content| !self.holds(&content.digest)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let shelf = Arc::clone(self);
        let work = move || new.into_iter().try_for_each(|content| shelf.keep(content));
        let kept = tokio::task::spawn_blocking(work).await;
        kept.unwrap_or(Err(BookError::Failed(Failure::WriterLost)))
    }

    fn keep(&self, Content { digest, text }: Content) -> Result<(), BookError> {
        self.ledger.keep(text.as_bytes()).map_err(|error| BookError::Content(Arc::new(error)))?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= REMEMBERED {
            held.clear();
        }
        held.insert(digest);
        Ok(())
    }

    fn holds(&self, digest: &str) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ledger::Options;

    #[tokio::test]
    async fn what_stands_in_the_book_and_was_never_told_is_named_by_the_next_opening() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Shelf::new(Arc::new(Ledger::open(folder.path(), Options::new("a/b".parse().unwrap())).unwrap()));
        let deadline = Instant::now() + std::time::Duration::from_secs(20);
        let failed = open();
        let stands = failed
            .record(&RecordKind::DECISION, &Body::of(&json!({})).unwrap(), Until::Durable, deadline)
            .await
            .unwrap();
        failed.remember_untold(stands.clone());
        failed.remember_untold(RecordId { sequence: stands.sequence + 1, ..stands.clone() });
        failed.ledger.close().unwrap();

        let fresh = open();
        fresh.take_over(&failed);
        fresh.ledger.close().unwrap();
        let records: Vec<_> = portreeve_ledger::read(folder.path()).unwrap().map(Result::unwrap).collect();
        let told: Vec<&str> = records.iter().skip(1).map(|record| record.body.get()).collect();
        assert_eq!(told, [format!("{{\"record\":\"{stands}\"}}")]);
    }
}
