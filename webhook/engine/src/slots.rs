//! How many evaluations run at one time. A slot is held for as long as its instance's memory is in use, so that the
//! pool never runs out and memory has a bound.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The free slots.
pub(crate) struct Slots {
    free: Mutex<u32>,
    returned: Condvar,
}

/// One slot, given back when it is dropped.
pub(crate) struct Slot<'a>(&'a Slots);

impl Slots {
    pub(crate) fn new(slots: u32) -> Self {
        Self { free: Mutex::new(slots), returned: Condvar::new() }
    }

    /// A slot as soon as one is free; none if that is not before the deadline.
    pub(crate) fn take(&self, deadline: Instant) -> Option<Slot<'_>> {
        let mut free = self.lock();
        loop {
            if let Some(left) = free.checked_sub(1) {
                *free = left;
                return Some(Slot(self));
            }
            let wait = deadline.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())?;
            free = self.returned.wait_timeout(free, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, u32> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        self.0.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn no_more_slots_are_given_than_there_are() {
        let slots = Slots::new(1);
        let held = slots.take(Instant::now());
        assert!(slots.take(Instant::now()).is_none());
        drop(held);
        assert!(slots.take(Instant::now()).is_some());
    }

    #[test]
    fn who_waits_gets_the_slot_that_is_given_back() {
        let slots = Slots::new(1);
        let held = slots.take(Instant::now());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.take(Instant::now() + Duration::from_secs(60)).is_some());
            drop(held);
            assert!(waiting.join().unwrap());
        });
    }
}
