//! Calls whose record could not be made: how many there were since the last one that was, and why the newest was not.

use std::sync::{Mutex, MutexGuard, PoisonError};

use portreeve_ledger::AppendError;

use super::book::BookError;

/// What is known of records that are missing.
#[derive(Debug, Default)]
pub struct Missed(Mutex<Option<Missing>>);

/// Records that are missing, since the last that was made.
#[derive(Debug, Clone)]
pub struct Missing {
    /// How many.
    pub count: u64,
    /// Why the newest is.
    pub error: BookError,
}

impl Missed {
    /// A record could not be made. One that no book would take says nothing of this book.
    pub(super) fn one(&self, error: &BookError) {
        if matches!(error, BookError::Body(_)) || is_too_large(error) {
            return;
        }
        let mut missing = self.lock();
        let count = missing.as_ref().map_or(0, |missing| missing.count).saturating_add(1);
        *missing = Some(Missing { count, error: error.clone() });
    }

    /// A record was made.
    pub(super) fn none(&self) {
        *self.lock() = None;
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
    fn missing_records_are_counted_until_one_is_made() {
        let missed = Missed::default();
        (0..2).for_each(|_| missed.one(&BookError::TooLate));
        assert_eq!(missed.told().unwrap().count, 2);
        missed.none();
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
