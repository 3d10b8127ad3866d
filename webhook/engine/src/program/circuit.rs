//! Leaving a policy alone that keeps running out of time. One evaluation is tried after each pause; when it comes
//! back in time, everything is as before.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Suspension;

/// Of one policy instance.
pub(super) struct Circuit {
    suspension: Suspension,
    epoch: Instant,
    timeouts: AtomicU32,
    /// Milliseconds after `epoch` until which nothing is tried.
    closed_until: AtomicU64,
}

/// Whether to run a policy now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// As ever.
    Run,
    /// To see whether it is well again, away from the others.
    Try,
    /// Not now, after so many time-outs in a row.
    Suspended(u32),
}

impl Circuit {
    pub(super) fn new(suspension: Suspension, now: Instant) -> Self {
        Self { suspension, epoch: now, timeouts: AtomicU32::new(0), closed_until: AtomicU64::new(0) }
    }

    /// From now on it is run as ever, whatever becomes of it.
    pub(super) fn stay_closed(&mut self) {
        self.suspension.after = u32::MAX;
    }

    pub(super) fn admit(&self, now: Instant) -> Admission {
        let timeouts = self.timeouts.load(Ordering::Relaxed);
        if timeouts < self.suspension.after {
            return Admission::Run;
        }
        let until = self.closed_until.load(Ordering::Relaxed);
        // Whoever moves the end of the pause is the one that tries.
        let tries = self.millis(now) >= until
            && self
                .closed_until
                .compare_exchange(until, self.pause_from(now), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if tries { Admission::Try } else { Admission::Suspended(timeouts) }
    }

    /// It ran out of time, on its own.
    pub(super) fn timed_out(&self, now: Instant) {
        self.closed_until.store(self.pause_from(now), Ordering::Relaxed);
        // Wrapping would need four thousand million time-outs in a row, one for each pause.
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }

    /// It ended in time, whichever way.
    pub(super) fn ended(&self) {
        if self.timeouts.load(Ordering::Relaxed) != 0 {
            self.timeouts.store(0, Ordering::Relaxed);
        }
    }

    fn pause_from(&self, now: Instant) -> u64 {
        self.millis(now).saturating_add(millis(self.suspension.pause))
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.epoch))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn failed_twice(now: Instant) -> Circuit {
        let circuit = Circuit::new(Suspension { after: 2, pause: PAUSE }, now);
        circuit.timed_out(now);
        assert_eq!(circuit.admit(now), Admission::Run);
        circuit.timed_out(now);
        circuit
    }

    #[test]
    fn a_policy_is_left_alone_after_enough_time_outs_in_a_row() {
        let now = Instant::now();
        assert_eq!(failed_twice(now).admit(now), Admission::Suspended(2));
    }

    #[test]
    fn an_answer_in_time_starts_the_count_again() {
        let now = Instant::now();
        let circuit = failed_twice(now);
        circuit.ended();
        circuit.timed_out(now);
        assert_eq!(circuit.admit(now), Admission::Run);
    }

    #[test]
    fn after_the_pause_one_evaluation_is_tried_and_no_more() {
        let now = Instant::now();
        let circuit = failed_twice(now);
        assert_eq!(circuit.admit(now + PAUSE), Admission::Try);
        assert_eq!(circuit.admit(now + PAUSE), Admission::Suspended(2));
        assert_eq!(circuit.admit(now + PAUSE + PAUSE), Admission::Try);
    }
}
