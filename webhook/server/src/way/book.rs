//! Recording: a correction is written, a decision is durable, before the answer leaves. Dry runs leave no record. An
//! answer that could not wait for its record is a failure, and a later record says that the earlier one was not told.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use portreeve_ledger::{AppendError, Appended, Body, BodyError, Failure, FileError, Ledger, RecordId, RecordKind};
use serde_json::{Value, json};

use super::beside::Content;
use super::record::{self, Page};
use super::{Correction, Gate, Judgement, Met};
use crate::set::PolicySet;

/// Where decisions are kept.
pub enum Book {
    /// In this replica's ledger.
    Kept(Arc<Shelf>),
    /// Nowhere: for commands that decide nothing.
    Closed,
}

/// A ledger, and which content it holds already.
pub struct Shelf {
    ledger: Arc<Ledger>,
    held: Mutex<HashSet<String>>,
}

/// Digests that are remembered as held; beyond, they are forgotten and written again, which changes nothing.
const REMEMBERED: usize = 100_000;

/// A record that could not be made in time.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BookError {
    /// The record was not there by the deadline.
    #[error("the record was not kept in time")]
    TooLate,
    /// The ledger takes no more.
    #[error("the book takes no record: {0}")]
    Refused(Arc<AppendError>),
    /// The ledger failed.
    #[error("the book failed: {0}")]
    Failed(Failure),
    /// The body can't be a record.
    #[error("the record can't be written: {0}")]
    Body(Arc<BodyError>),
    /// What the record names could not be kept.
    #[error("what the record names could not be kept: {0}")]
    Content(Arc<FileError>),
}

/// The name of a record; none where nothing is recorded.
pub(super) type Recorded = Result<Option<RecordId>, BookError>;

impl Book {
    /// A book in this ledger.
    #[must_use]
    pub fn kept(ledger: Arc<Ledger>) -> Self {
        Self::Kept(Arc::new(Shelf { ledger, held: Mutex::default() }))
    }

    /// The ledger, if there is one.
    #[must_use]
    pub fn ledger(&self) -> Option<&Arc<Ledger>> {
        match self {
            Self::Kept(shelf) => Some(&shelf.ledger),
            Self::Closed => None,
        }
    }

    /// Keeps what the records of this set will name: modules, settings, and the set itself. Blocks on the disk.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn keep_set(&self, set: &PolicySet) -> Result<(), BookError> {
        let Self::Kept(shelf) = self else { return Ok(()) };
        set.content().try_for_each(|content| {
            shelf.ledger.keep(content).map(drop).map_err(|error| BookError::Content(Arc::new(error)))
        })
    }
}

impl Gate {
    pub(super) async fn record_correction(&self, met: &Met, correction: &Correction, deadline: Instant) -> Recorded {
        let Some(shelf) = self.shelf(met) else { return Ok(None) };
        let Page { body, beside } = record::correction(met, correction);
        shelf.keep_in_time(beside.0, deadline).await?;
        let mut appended = shelf.append(&RecordKind::CORRECTION, &body)?;
        shelf.wait(&mut appended, Until::Written, deadline).await
    }

    pub(super) async fn record_decision(&self, met: &Met, judgement: &Judgement, deadline: Instant) -> Recorded {
        let Some(shelf) = self.shelf(met) else { return Ok(None) };
        let Page { body, beside } = record::decision(met, judgement);
        shelf.keep_in_time(beside.0, deadline).await?;
        let mut appended = shelf.append(&RecordKind::DECISION, &body)?;
        shelf.wait(&mut appended, Until::Durable, deadline).await
    }

    /// Nobody stores the object of a dry run, so nobody records it.
    fn shelf(&self, met: &Met) -> Option<&Arc<Shelf>> {
        match &self.book {
            Book::Kept(shelf) if !met.review.dry_run => Some(shelf),
            _ => None,
        }
    }
}

/// What has to have happened to a record.
#[derive(Debug, Clone, Copy)]
enum Until {
    Written,
    Durable,
}

impl Shelf {
    fn append(&self, kind: &RecordKind, body: &Value) -> Result<Appended, BookError> {
        let body = Body::of(body).map_err(|error| BookError::Body(Arc::new(error)))?;
        self.ledger.append(kind, &body).map_err(|error| BookError::Refused(Arc::new(error)))
    }

    async fn wait(self: &Arc<Self>, appended: &mut Appended, until: Until, deadline: Instant) -> Recorded {
        let id = appended.id().clone();
        let promise = async {
            match until {
                Until::Written => appended.written().await,
                Until::Durable => appended.durable().await,
            }
        };
        match tokio::time::timeout_at(deadline.into(), promise).await {
            Ok(Ok(())) => Ok(Some(id)),
            Ok(Err(failure)) => Err(BookError::Failed(failure)),
            Err(_) => {
                self.not_told(&id);
                Err(BookError::TooLate)
            }
        }
    }

    /// The record may yet come to stand in the book, but its answer never left.
    fn not_told(&self, id: &RecordId) {
        if let Err(error) = self.append(&RecordKind::UNDELIVERED, &json!({"record": id.to_string()})) {
            tracing::error!(record = %id, %error, "an answer was not given and the book can't say so");
        }
    }

    async fn keep_in_time(self: &Arc<Self>, named: Vec<Content>, deadline: Instant) -> Result<(), BookError> {
        tokio::time::timeout_at(deadline.into(), self.keep_all(named)).await.unwrap_or(Err(BookError::TooLate))
    }

    /// What a record names is on disk before the record is. Most is known already, and then the disk is left alone.
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
