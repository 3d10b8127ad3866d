//! What a caller gets for a record: its id at once, and two promises to wait for. They are kept by the writer.

use tokio::sync::oneshot::{self, Receiver, Sender};

use crate::failure::Failure;
use crate::identity::RecordId;

type Outcome = Result<(), Failure>;

/// A record that has its place in the book and is on its way there.
///
/// Dropping it takes nothing back: the record is written all the same. Both waits can be given up and taken up again.
#[derive(Debug)]
#[must_use = "a record counts once written() or durable() has returned"]
pub struct Appended {
    id: RecordId,
    written: Promised,
    durable: Promised,
}

impl Appended {
    /// The record's name, for ever. It is fixed, though the record may still fail to be written.
    #[must_use]
    pub fn id(&self) -> &RecordId {
        &self.id
    }

    /// Waits until the record's bytes are with the operating system: they outlast this process.
    ///
    /// # Errors
    /// When the write failed; the record is not in the book. Where the disk has taken it and refuses to cut it off,
    /// that holds once the book is [opened again](crate::Ledger::reopen); after the end of the process nobody knows of
    /// it.
    pub async fn written(&mut self) -> Result<(), Failure> {
        self.written.outcome().await
    }

    /// Waits until the record counts as durable ([`crate::Durability`] says when).
    ///
    /// # Errors
    /// When the write or the sync failed. If [`Self::written`] succeeds, the record may be in the book all the same.
    pub async fn durable(&mut self) -> Result<(), Failure> {
        self.durable.outcome().await
    }
}

/// The writer's side of an [`Appended`].
#[derive(Debug)]
pub(crate) struct Promise {
    written: Sender<Outcome>,
    durable: DurablePromise,
}

/// What is still promised once the bytes are written.
#[derive(Debug)]
pub(crate) struct DurablePromise(Sender<Outcome>);

impl Promise {
    /// The two sides for the record `id`.
    pub(crate) fn of(id: RecordId) -> (Appended, Self) {
        let (tell_written, written) = oneshot::channel();
        let (tell_durable, durable) = oneshot::channel();
        let appended = Appended { id, written: Promised::of(written), durable: Promised::of(durable) };
        (appended, Self { written: tell_written, durable: DurablePromise(tell_durable) })
    }

    /// Tells that the bytes are written. A caller who no longer waits is no fault, here and below.
    pub(crate) fn written(self) -> DurablePromise {
        let _ = self.written.send(Ok(()));
        self.durable
    }

    /// Tells that the record is not in the book.
    pub(crate) fn failed(self, failure: &Failure) {
        let _ = self.written.send(Err(failure.clone()));
        self.durable.settle(Err(failure.clone()));
    }
}

impl DurablePromise {
    pub(crate) fn settle(self, outcome: Outcome) {
        let _ = self.0.send(outcome);
    }
}

/// One promise; its outcome stays readable once it is known.
#[derive(Debug)]
struct Promised {
    receiver: Receiver<Outcome>,
    known: Option<Outcome>,
}

impl Promised {
    fn of(receiver: Receiver<Outcome>) -> Self {
        Self { receiver, known: None }
    }

    async fn outcome(&mut self) -> Outcome {
        if let Some(known) = &self.known {
            return known.clone();
        }
        // A promise that was dropped was not kept.
        let outcome = (&mut self.receiver).await.unwrap_or(Err(Failure::WriterLost));
        self.known.insert(outcome).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Epoch;

    fn promise() -> (Appended, Promise) {
        Promise::of(RecordId { origin: "a/b".parse().unwrap(), epoch: Epoch::FIRST, sequence: 0 })
    }

    #[tokio::test]
    async fn an_outcome_can_be_asked_for_twice() {
        let (mut appended, promise) = promise();
        promise.written().settle(Err(Failure::WriterLost));
        for _ in 0..2 {
            assert!(appended.written().await.is_ok());
            assert!(appended.durable().await.is_err());
        }
    }

    #[tokio::test]
    async fn a_promise_that_was_dropped_was_not_kept() {
        let (mut appended, promise) = promise();
        drop(promise);
        assert!(matches!(appended.durable().await, Err(Failure::WriterLost)));
    }
}
