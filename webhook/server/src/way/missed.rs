//! Calls whose record could not be made: how many of them the book does not tell of yet, and why the newest has none. A
//! record that is made shows that the book can be written again; what is missing stays missing until a record says so.

use std::sync::{Mutex, MutexGuard, PoisonError};

use portreeve_ledger::AppendError;

use super::book::BookError;

/// What is known of records that are missing.
#[derive(Debug, Default)]
pub struct Missed(Mutex<Option<Missing>>);

/// Records that are missing, and of which no record tells.
#[derive(Debug, Clone)]
pub struct Missing {
    /// How many.
    pub count: u64,
    /// Why the newest is.
    pub error: BookError,
    /// Whether a record is on disk that was made since.
    pub over: bool,
}

impl Missed {
    /// A record could not be made. One that no book would take says nothing of this book.
    pub(super) fn one(&self, error: &BookError) {
        if matches!(error, BookError::Body(_)) || is_too_large(error) {
            return;
        }
        let mut missing = self.lock();
        let count = missing.as_ref().map_or(0, |missing| missing.count).saturating_add(1);
        *missing = Some(Missing { count, error: error.clone(), over: false });
    }

    /// A record is on disk.
    pub(super) fn durable(&self) {
        if let Some(missing) = self.lock().as_mut() {
            missing.over = true;
        }
    }

    /// The record that was to tell of those that are missing could not be made.
    pub(super) fn untold(&self, error: &BookError) {
        if let Some(missing) = self.lock().as_mut() {
            missing.error = error.clone();
            missing.over = false;
        }
    }

    /// A record on disk tells of so many. Others may be missing since.
    pub(super) fn said(&self, count: u64) {
        let mut missing = self.lock();
        *missing = missing.take().and_then(|missing| {
            let count = missing.count.checked_sub(count).filter(|left| *left > 0)?;
            Some(Missing { count, ..missing })
        });
    }

    /// What is missing, if anything is.
    pub(super) fn told(&self) -> Option<Missing> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Missing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_too_large(error: &BookError) -> bool {
    matches!(error, BookError::Refused(refused) if matches!(**refused, AppendError::TooLarge { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn missing_records_are_counted_until_one_tells_of_them() {
        let missed = Missed::default();
        (0..2).for_each(|_| missed.one(&BookError::TooLate));
        missed.durable();
        let told = missed.told().unwrap();
        assert_eq!((told.count, told.over), (2, true));
        missed.one(&BookError::TooLate);
        assert!(!missed.told().unwrap().over);
        missed.said(told.count);
        assert_eq!(missed.told().unwrap().count, 1);
        missed.said(1);
        assert!(missed.told().is_none());
    }

    #[test]
    fn a_record_that_no_book_would_take_is_not_missed() {
        let missed = Missed::default();
        missed.one(&BookError::Refused(Arc::new(AppendError::TooLarge { size: 70_000, limit: 65_534 })));
        assert!(missed.told().is_none());
        missed.one(&BookError::Refused(Arc::new(AppendError::Full { waiting: 9 })));
        assert!(missed.told().is_some());
    }
}
