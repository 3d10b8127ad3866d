//! What is counted. Every label has few values: call, answer, a policy in force, its mode and outcome. Never a
//! namespace, a name or any other text from a request. What each metric answers stands in `docs/metrics.md`; here is
//! who counts, and in the modules what.

mod calls;
mod connections;
mod evaluations;
mod exposition;
mod levels;
mod scans;

use std::time::{Duration, SystemTime};

use opentelemetry::TraceId;
use portreeve_admission::api::Mode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::histogram::exponential_buckets;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::traces::Followed;
use crate::way::Answered;

pub use calls::InFlight;
pub use connections::{Cut, Port};
pub use evaluations::Evaluations;
pub use exposition::Exposition;
pub use scans::ScannedRound;

use calls::Calls;
use connections::Connections;
use levels::Levels;
use scans::Scans;

/// Which endpoint was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Call {
    /// `/mutate`.
    Mutate,
    /// `/validate`.
    Validate,
    /// `/resources`.
    Resources,
}

impl Call {
    /// The name of its endpoint.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
            Self::Resources => "resources",
        }
    }
}

/// What a policy came to in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyOutcome {
    /// The policy.
    pub policy: String,
    /// Its mode.
    pub mode: Mode,
    /// One of [`Self::OUTCOMES`].
    pub outcome: &'static str,
}

impl PolicyOutcome {
    /// How a policy can end.
    pub const OUTCOMES: [&str; 4] = ["passed", "violated", "denied", "failed"];
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    calls: Calls,
    evaluations: Evaluations,
    connections: Connections,
    scans: Scans,
    levels: Levels,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("portreeve");
        Self {
            calls: Calls::registered(&mut registry),
            evaluations: Evaluations::registered(&mut registry),
            connections: Connections::registered(&mut registry),
            scans: Scans::registered(&mut registry),
            levels: Levels::registered(&mut registry),
            registry,
        }
    }
}

impl Metrics {
    /// A call that may be made, in flight until what is given back is dropped.
    #[must_use]
    pub fn begun(&self, call: Call) -> InFlight {
        self.calls.begun(call)
    }

    /// A call that was answered by a review. What became of each policy is taken out of the answer.
    pub fn answered(&self, call: Call, answered: &mut Answered, took: Duration, followed: &Followed) {
        self.calls.answered(call, answered, took, followed);
    }

    /// A change of our own resources that was answered so.
    pub(crate) fn looked_at(&self, answer: &'static str, dry_run: bool, took: Duration, followed: &Followed) {
        self.calls.ended(Call::Resources, answer, dry_run, took, followed);
    }

    /// A call that nobody may make.
    pub fn turned_away(&self, call: Call) {
        self.calls.turned_away(call);
    }

    /// A call whose body found no room among those under way.
    pub fn no_room(&self, call: Call) {
        self.calls.no_room(call);
    }

    /// A body that was no review.
    pub fn unreadable(&self, call: Call) {
        self.calls.unreadable(call);
    }

    /// Forgets a policy that is gone: whoever makes and deletes many in his namespace must not fill ours.
    pub fn forget(&self, policy: &str) {
        self.calls.forget(policy);
        self.evaluations.forget(policy);
    }

    /// Where runs of policies are counted.
    #[must_use]
    pub fn evaluations(&self) -> Evaluations {
        self.evaluations.clone()
    }

    /// A connection that was one too many.
    pub fn cut_off(&self, port: Port, whose: Cut) {
        self.connections.cut_off(port, whose);
    }

    /// How many connections are strangers'.
    pub fn strangers(&self, port: Port, count: usize) {
        self.connections.strangers(port, count);
    }

    /// A scan went through all objects.
    pub fn scanned(&self, round: &ScannedRound) {
        self.scans.finished(round);
    }

    /// A scan could not go on, and is tried again.
    pub fn scan_interrupted(&self) {
        self.scans.interrupted();
    }

    /// The book failed and was opened again.
    pub fn ledger_reopened(&self) {
        self.levels.ledger_reopened();
    }

    /// The book was read again, and was whole then.
    pub fn ledger_proved(&self, at: jiff::Timestamp) {
        self.levels.ledger_proved(at);
    }

    /// The book was read again, and is not whole.
    pub fn ledger_not_proved(&self) {
        self.levels.ledger_not_proved();
    }

    /// Whether denials are dropped.
    pub fn break_glass(&self, open: bool) {
        self.levels.break_glass(open);
    }

    /// Whether the newest policies are refused, and older ones in force.
    pub fn set_refused(&self, refused: bool) {
        self.levels.set_refused(refused);
    }

    /// Whether what is registered is not what the policies in force ask for.
    pub fn registration_outdated(&self, outdated: bool) {
        self.levels.registration_outdated(outdated);
    }

    /// When the serving certificate ends.
    pub fn certificate_ends(&self, at: jiff::Timestamp) {
        self.levels.certificate_ends(at);
    }

    /// Reads what is not counted as it happens. On the runtime that serves.
    pub fn observe(&self, app: &App) {
        self.evaluations.observe(&app.gate.runner);
        self.calls.has_room_for(app.room.available_permits());
        self.levels.observe(app);
    }

    /// All of it.
    ///
    /// # Errors
    /// If it can't be written as text.
    pub fn text(&self, exposition: Exposition) -> Result<String, std::fmt::Error> {
        exposition.write(&self.registry)
    }
}

/// By which a trace is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TraceLabels {
    trace_id: String,
}

impl TraceLabels {
    fn of(trace: TraceId) -> Self {
        Self { trace_id: trace.to_string() }
    }
}

/// How long something took, with a trace of the newest in each bucket.
type Seconds = HistogramWithExemplars<TraceLabels>;

/// From a quarter of a millisecond to eight seconds, each twice the one before.
fn latencies() -> Seconds {
    HistogramWithExemplars::new(exponential_buckets(0.000_25, 2.0, 16))
}

/// Puts down how long something took, and the trace in which that is seen.
fn observe(seconds: &Seconds, took: Duration, trace: Option<&TraceLabels>) {
    seconds.observe(took.as_secs_f64(), trace.cloned(), trace.map(|_| SystemTime::now()));
}

/// As a gauge has it.
fn level(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
