//! What is counted of runs of policies, those of requests and those of scans: how long they take by policy and mode,
//! how many run and how many wait for a turn.

use std::time::Duration;

use opentelemetry::TraceId;
use portreeve_admission::api::Mode;
use portreeve_admission::policy::Policy;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::exponential_buckets;
use prometheus_client::registry::Registry;

use super::{Seconds, TraceLabels, level, observe};
use crate::way::Runner;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    policy: String,
    mode: &'static str,
}

/// Where runs of policies are counted; copies count together.
#[derive(Debug, Clone)]
pub struct Evaluations {
    seconds: Family<PolicyLabels, Seconds, fn() -> Seconds>,
    turns: Gauge,
    running: Gauge,
    waiting: Gauge,
}

/// A run that waits for its turn.
pub(crate) struct Waiting(Gauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Evaluations {
    fn default() -> Self {
        Self {
            seconds: Family::new_with_constructor(times),
            turns: Gauge::default(),
            running: Gauge::default(),
            waiting: Gauge::default(),
        }
    }
}

impl Evaluations {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register(
            "policy_seconds",
            "Time of the runs that a policy took part in, by mode; policies of one module share a run",
            new.seconds.clone(),
        );
        registry.register("evaluation_turns", "Runs of policies that there may be at once", new.turns.clone());
        registry.register("evaluations_running", "Runs of policies under way", new.running.clone());
        registry.register("evaluations_waiting", "Runs of policies that wait for a turn", new.waiting.clone());
        new
    }

    /// A run that these policies took part in, and the trace in which it is seen.
    pub(crate) fn took(&self, policies: &[&Policy], took: Duration, trace: Option<TraceId>) {
        let trace = trace.map(TraceLabels::of);
        for policy in policies {
            let labels = PolicyLabels { policy: policy.id.clone(), mode: policy.mode.name() };
            observe(&self.seconds.get_or_create(&labels), took, trace.as_ref());
        }
    }

    pub(super) fn forget(&self, policy: &str) {
        for mode in Mode::ALL.map(Mode::name) {
            self.seconds.remove(&PolicyLabels { policy: policy.to_owned(), mode });
        }
    }

    /// A run that waits from now on, until what is given back is dropped.
    pub(crate) fn waits(&self) -> Waiting {
        self.waiting.inc();
        Waiting(self.waiting.clone())
    }

    pub(super) fn observe(&self, runner: &Runner) {
        self.turns.set(level(runner.turns()));
        self.running.set(level(runner.running()));
    }
}

/// From a sixteenth of a millisecond to sixteen seconds, each four times the one before.
fn times() -> Seconds {
    Seconds::new(exponential_buckets(0.000_062_5, 4.0, 10))
}
