//! Counters of one engine, for metrics. They only go up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portreeve_admission::verdict::{Failure, Outcome};

/// What an engine has done since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Calls of `Program::evaluate`.
    pub evaluations: u64,
    /// Outcomes that were `Failure::Trap`.
    pub traps: u64,
    /// Outcomes that were `Failure::Deadline`.
    pub deadlines: u64,
    /// Outcomes that were `Failure::Limit`.
    pub limits: u64,
    /// Outcomes that were `Failure::Contract`.
    pub breaches: u64,
    /// Outcomes that were `Failure::Suspended`.
    pub suspended: u64,
    /// Outcomes that were `Failure::NoTurn`: all slots taken, or the time used up by others.
    pub no_turn: u64,
    /// Runs of several policies that failed as a whole, so that each was run alone.
    pub run_alone: u64,
    /// Lines of policies' logs that were over the limit.
    pub log_lines_dropped: u64,
    /// Loads that found their compiled component.
    pub cache_hits: u64,
    /// Loads that found none.
    pub cache_misses: u64,
    /// Loads that found one that was damaged, stale or not ours, and made it again.
    pub cache_rebuilt: u64,
    /// Time spent on compiling.
    pub compiling: Duration,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) evaluations: Counter,
    pub(crate) traps: Counter,
    pub(crate) deadlines: Counter,
    pub(crate) limits: Counter,
    pub(crate) breaches: Counter,
    pub(crate) suspended: Counter,
    pub(crate) no_turn: Counter,
    pub(crate) run_alone: Counter,
    pub(crate) log_lines_dropped: Counter,
    pub(crate) cache_hits: Counter,
    pub(crate) cache_misses: Counter,
    pub(crate) cache_rebuilt: Counter,
    pub(crate) compiling_micros: Counter,
}

/// A number that only goes up.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// Counts how a policy ended.
    pub(crate) fn outcome(&self, outcome: &Outcome) {
        let Outcome::Failed(failure) = outcome else { return };
        match failure {
            Failure::Trap(_) => self.traps.add(1),
            Failure::Deadline => self.deadlines.add(1),
            Failure::Limit(_) => self.limits.add(1),
            Failure::Contract(_) => self.breaches.add(1),
            Failure::Suspended(_) => self.suspended.add(1),
            Failure::NoTurn => self.no_turn.add(1),
            // The policy's own words, or failures that only the host can see after the run.
            Failure::MissingFact { .. }
            | Failure::Reported(_)
            | Failure::Unreadable(_)
            | Failure::Unclear(_)
            | Failure::Conflict { .. }
            | Failure::Unsettled(_)
            | Failure::BadEdit { .. } => {}
        }
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            evaluations: self.evaluations.get(),
            traps: self.traps.get(),
            deadlines: self.deadlines.get(),
            limits: self.limits.get(),
            breaches: self.breaches.get(),
            suspended: self.suspended.get(),
            no_turn: self.no_turn.get(),
            run_alone: self.run_alone.get(),
            log_lines_dropped: self.log_lines_dropped.get(),
            cache_hits: self.cache_hits.get(),
            cache_misses: self.cache_misses.get(),
            cache_rebuilt: self.cache_rebuilt.get(),
            compiling: Duration::from_micros(self.compiling_micros.get()),
        }
    }
}
