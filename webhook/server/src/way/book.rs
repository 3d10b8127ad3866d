//! Recording: a correction is written, a decision is durable, before the answer leaves. Dry runs leave no record. An
//! answer that could not wait for its record is a failure, unless it may leave without one, and a later record says
//! which record was not told. A ledger that failed is opened again here; when that is tried is told in `serve::ledger`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use portreeve_ledger::{AppendError, Body, BodyError, Failure, FileError, Ledger, OpenError, RecordId, RecordKind};
use serde_json::json;
use tracing::instrument;

use super::beside::Content;
use super::missed::{Missed, Missing};
use super::record::{self, Page};
use super::shelf::{Shelf, Until};
use super::{Correction, Gate, Judgement, Met};
use crate::config::WithoutRecord;
use crate::digest::sha256;
use crate::set::{PolicySet, chain};
use crate::traces::STEPS;

/// Where decisions are kept.
pub enum Book {
    /// In this replica's ledger, as it was last opened.
    Kept {
        /// The opening.
        shelf: ArcSwap<Shelf>,
        /// What becomes of calls that it can't record.
        without_record: WithoutRecord,
        /// Calls that it could not record of late.
        missed: Missed,
    },
    /// Nowhere: for commands that decide nothing.
    Closed,
}

/// How long the first record after an opening may take, or after calls without one. It shows that the book can be
/// written again.
const FIRST_RECORD: Duration = Duration::from_secs(10);

/// A record that could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BookError {
    /// The record was not there by the deadline.
    #[error("the record was not kept in time")]
    TooLate,
    /// The ledger takes no more.
    #[error("the book takes no record")]
    Refused(#[source] Arc<AppendError>),
    /// The ledger failed.
    #[error("the book failed")]
    Failed(#[source] Failure),
    /// The ledger failed and can't be opened again.
    #[error("the book can't be opened again")]
    Reopen(#[source] Arc<OpenError>),
    /// The body can't be a record.
    #[error("the record can't be written")]
    Body(#[source] Arc<BodyError>),
    /// What the record names could not be kept.
    #[error("what the record names could not be kept")]
    Content(#[source] Arc<FileError>),
}

impl BookError {
    /// For whoever sent the object: our files are none of theirs.
    pub(super) fn for_users(&self) -> &'static str {
        match self {
            Self::TooLate => "its record was not kept in time",
            Self::Refused(_) | Self::Failed(_) | Self::Reopen(_) | Self::Body(_) | Self::Content(_) => {
                "its record could not be kept; the log of portreeve says why"
            }
        }
    }
}

impl From<BodyError> for BookError {
    fn from(error: BodyError) -> Self {
        Self::Body(Arc::new(error))
    }
}

/// What became of the record of a call.
pub(super) enum Recorded {
    /// Such calls are not recorded.
    Nowhere,
    /// It has this name, and took so long to be kept.
    Under(RecordId, Duration),
    /// There is none, and this is what becomes of the call.
    Missing(BookError, WithoutRecord),
}

impl Book {
    /// A book in this ledger.
    #[must_use]
    pub fn kept(ledger: Arc<Ledger>, without_record: WithoutRecord) -> Self {
        Self::Kept { shelf: ArcSwap::from_pointee(Shelf::new(ledger)), without_record, missed: Missed::default() }
    }

    /// The ledger as it was last opened, if there is one.
    #[must_use]
    pub fn ledger(&self) -> Option<Arc<Ledger>> {
        match self {
            Self::Kept { shelf, .. } => Some(Arc::clone(shelf.load().ledger())),
            Self::Closed => None,
        }
    }

    /// Keeps what the records of this set will name: modules, settings, and the set itself. Blocks on the disk.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn keep_set(&self, set: &Arc<PolicySet>) -> Result<(), BookError> {
        let Self::Kept { shelf, .. } = self else { return Ok(()) };
        loop {
            let asked = shelf.load_full();
            let kept = asked.keep_set(set);
            // What an opening owes is taken over by the next; one that has been, takes over nothing more.
            if Arc::ptr_eq(&asked, &shelf.load_full()) {
                return kept;
            }
        }
    }

    /// Opens a ledger that failed once more, and puts it in the place of the old one when a first record is on disk: it
    /// says why there was none for a while.
    ///
    /// # Errors
    /// If the cause is not mended; then nothing has changed.
    pub async fn reopen(&self, set: Arc<PolicySet>, failure: &Failure) -> Result<(), BookError> {
        let Self::Kept { shelf, missed, .. } = self else { return Ok(()) };
        let failed = shelf.load_full();
        let ledger = Arc::clone(failed.ledger());
        let open = move || {
            let opened = ledger.reopen().map_err(|error| BookError::Reopen(Arc::new(error)))?;
            let fresh = Shelf::new(Arc::new(opened));
            fresh.keep_set(&set).map(|()| fresh)
        };
        let fresh = tokio::task::spawn_blocking(open).await.unwrap_or(Err(BookError::Failed(Failure::WriterLost)))?;
        let count = missed.told().map_or(0, |missing| missing.count);
        let said = Body::of(&json!({"failure": chain(failure), "missing": count}))?;
        let (until, deadline) = (Until::Durable, Instant::now() + FIRST_RECORD);
        if let Err(error) = fresh.record(&RecordKind::REOPENED, &said, until, deadline, WithoutRecord::Answer).await {
            // Its end waits for a disk that stalls.
            tokio::task::spawn_blocking(move || drop(fresh));
            return Err(error);
        }
        let fresh = Arc::new(fresh);
        shelf.store(Arc::clone(&fresh));
        fresh.take_over(&failed);
        missed.said(count);
        Ok(())
    }

    /// The records that it could not make, as long as none tells of them.
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        match self {
            Self::Kept { missed, .. } => missed.told(),
            Self::Closed => None,
        }
    }

    /// Tries to make a record after calls that have none: it says how many and why. A replica that is not ready gets no
    /// call that would show that its book can be written again.
    ///
    /// # Errors
    /// If it can't be made either.
    pub async fn resume(&self, Missing { count, error, .. }: &Missing) -> Result<(), BookError> {
        let Self::Kept { shelf, missed, .. } = self else { return Ok(()) };
        let failure = chain(error);
        let said = json!({"at": Timestamp::now(), "failure": failure, "missing": count}).to_string();
        // Content that is there already would say nothing of the disk.
        let content = Content { digest: sha256(said.as_bytes()), text: said };
        let body = Body::of(&json!({"failure": failure, "missing": count, "said": content.digest}))?;
        let (shelf, deadline) = (shelf.load_full(), Instant::now() + FIRST_RECORD);
        match shelf.try_a_record(&RecordKind::RESUMED, content, &body, deadline).await {
            Ok(_) => missed.said(*count),
            Err(error) => {
                missed.untold(&error);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Gate {
    pub(super) async fn record_correction(&self, met: &Met, correction: &Correction, deadline: Instant) -> Recorded {
        let page = || record::correction(met, correction);
        self.record(met, &RecordKind::CORRECTION, page, Until::Written, deadline).await
    }

    pub(super) async fn record_decision(&self, met: &Met, judgement: &Judgement, deadline: Instant) -> Recorded {
        let page = || record::decision(met, judgement);
        self.record(met, &RecordKind::DECISION, page, Until::Durable, deadline).await
    }

    /// Nobody stores the object of a dry run, so nobody records it.
    #[instrument(name = "record", target = STEPS, level = "trace", skip_all, fields(kind = kind.as_str()))]
    async fn record(
        &self,
        met: &Met,
        kind: &RecordKind,
        page: impl FnOnce() -> Result<Page, BodyError>,
        until: Until,
        deadline: Instant,
    ) -> Recorded {
        let (shelf, without_record, missed) = match &self.book {
            Book::Kept { shelf, without_record, missed } if !met.review.dry_run => {
                (shelf.load_full(), *without_record, missed)
            }
            _ => return Recorded::Nowhere,
        };
        let without = if met.is_never_held_up() { WithoutRecord::Answer } else { without_record };
        let begun = Instant::now();
        let outcome = async {
            let Page { body, beside } = page()?;
            shelf.keep_in_time(beside.0, deadline).await?;
            shelf.record(kind, &body, until, deadline, without).await
        };
        match outcome.await {
            Ok(id) => {
                if matches!(until, Until::Durable) {
                    missed.durable();
                }
                Recorded::Under(id, begun.elapsed())
            }
            Err(error) => {
                missed.one(&error);
                Recorded::Missing(error, without)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_led_to_a_missing_record_is_told() {
        let append = BookError::Refused(Arc::new(AppendError::Failed(Failure::WriterLost)));
        let told = "the book takes no record: the book takes no more records: the book's writer ended unexpectedly: \
                    open the book again";
        assert_eq!(chain(&append), told);
        let failed = chain(&BookError::Failed(Failure::FolderGone("/book".into())));
        assert!(failed.starts_with("the book failed: /book was removed while the book was open"), "{failed}");
        let body = BookError::from(Body::of(&u64::MAX).unwrap_err());
        assert!(chain(&body).starts_with("the record can't be written: the record's body "), "{}", chain(&body));
    }
}
