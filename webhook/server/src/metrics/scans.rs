//! What is counted of scans. Only the replica that leads scans; of the others these stay at nothing.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::levels::{Fraction, unix_seconds};

/// What a scan of all objects came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScannedRound {
    /// Objects that were judged.
    pub judged: u64,
    /// Kinds whose objects could not be listed.
    pub unlisted: u64,
    /// Reports that could not be written or taken away.
    pub unreported: u64,
    /// How long it took.
    pub took: Duration,
    /// When it was done.
    pub finished: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    what: &'static str,
}

/// Scans, and what came of them.
pub(super) struct Scans {
    rounds: Counter,
    objects: Counter,
    failures: Family<FailureLabels, Counter>,
    seconds: Fraction,
    finished: Fraction,
}

impl Scans {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let new = Self {
            rounds: Counter::default(),
            objects: Counter::default(),
            failures: Family::default(),
            seconds: Gauge::default(),
            finished: Gauge::default(),
        };
        registry.register("scan_rounds", "Scans that went through all objects", new.rounds.clone());
        registry.register("scan_objects", "Objects that scans judged", new.objects.clone());
        registry.register("scan_failures", "What scans could not do", new.failures.clone());
        registry.register("scan_round_seconds", "How long the newest scan took", new.seconds.clone());
        registry.register(
            "scan_finished_timestamp_seconds",
            "When a scan last went through all objects, in Unix time",
            new.finished.clone(),
        );
        new
    }

    pub(super) fn finished(&self, round: &ScannedRound) {
        self.rounds.inc();
        self.objects.inc_by(round.judged);
        self.failed("kind", round.unlisted);
        self.failed("report", round.unreported);
        self.seconds.set(round.took.as_secs_f64());
        self.finished.set(unix_seconds(round.finished));
    }

    pub(super) fn interrupted(&self) {
        self.failed("round", 1);
    }

    fn failed(&self, what: &'static str, count: u64) {
        self.failures.get_or_create(&FailureLabels { what }).inc_by(count);
    }
}
