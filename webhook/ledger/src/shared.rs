//! What the threads of a book and its callers share: the queue, and figures of how the book does.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::disk::FileError;
use crate::failure::Failure;
use crate::queue::Queue;
use crate::segment::{Leaves, Unwritten};
use crate::stats::Stats;

/// What the threads of a book and its callers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    stats: Mutex<Stats>,
    unwritten: OnceLock<Unwritten>,
}

impl Shared {
    pub(crate) fn of(queue: Queue, stats: Stats) -> Self {
        Self { queue, stats: Mutex::new(stats), unwritten: OnceLock::new() }
    }

    /// Notes what was to be written when a write failed. One that failed ends the book, so there is no other.
    pub(crate) fn note_unwritten(&self, unwritten: Unwritten) {
        let _ = self.unwritten.set(unwritten);
    }

    /// What was to be written when a write failed, if one did.
    pub(crate) fn unwritten(&self) -> Option<&Unwritten> {
        self.unwritten.get()
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That the book has not failed.
    ///
    /// # Errors
    /// If it has, with the reason.
    pub(crate) fn holds(&self) -> Result<(), Failure> {
        self.stats().failure.clone().map_or(Ok(()), Err)
    }

    /// Ends the book: nothing more is taken, everyone is told why. The first reason is the one that counts.
    pub(crate) fn fail(&self, failure: &Failure) {
        self.stats().failure.get_or_insert_with(|| failure.clone());
        self.queue.fail(failure);
    }

    /// Makes the first `size` records durable, if they are not: those that may not be are in the segment `leaves`.
    pub(crate) fn sync(&self, leaves: &Leaves, size: u64) -> Result<(), FileError> {
        if self.stats().synced >= size {
            return Ok(());
        }
        let begun = Instant::now();
        leaves.sync()?;
        let mut stats = self.stats();
        stats.syncs += 1;
        stats.synced = stats.synced.max(size);
        stats.last_sync = Some(begun.elapsed());
        Ok(())
    }
}

/// Ends the book if the thread that holds it panics, so that nobody waits for ever.
pub(crate) struct Fuse(Arc<Shared>);

impl Fuse {
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&Failure::WriterLost);
        }
    }
}
