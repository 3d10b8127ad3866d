//! What is counted, in OpenMetrics. Every label has few values: call, answer, a policy in force, its outcome. Never a
//! namespace, a name or any other text from a request. What each metric answers stands in `docs/metrics.md`.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use portreeve_admission::exception::Term;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::way::Answered;

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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    call: Call,
    answer: &'static str,
    dry_run: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    call: Call,
}

/// Which port a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Port {
    /// That of the webhook.
    Webhook,
    /// That of probes and metrics.
    Operations,
}

/// Whose connection could not stay, since there were too many of the sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Cut {
    /// A stranger's.
    Stranger,
    /// A caller's.
    Caller,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CutLabels {
    port: Port,
    whose: Cut,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PortLabels {
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    call: Call,
    policy: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TermLabels {
    term: &'static str,
}

type Level = Gauge<i64, AtomicI64>;
type Fraction = Gauge<f64, AtomicU64>;

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    answers: Family<AnswerLabels, Counter>,
    seconds: Family<CallLabels, Histogram>,
    policies: Family<PolicyLabels, Counter>,
    turned_away: Family<CallLabels, Counter>,
    unreadable: Family<CallLabels, Counter>,
    unrecorded: Family<CallLabels, Counter>,
    ledger_reopened: Counter,
    cut_off: Family<CutLabels, Counter>,
    strangers: Family<PortLabels, Level>,
    policies_in_force: Level,
    exceptions: Family<TermLabels, Level>,
    ready: Level,
    records: Level,
    tree_size: Level,
    ledger_waiting: Level,
    ledger_failed: Level,
    certificate_expiry: Fraction,
    break_glass: Level,
    refused_sets: Level,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("portreeve");
        let new = Self {
            answers: Family::default(),
            seconds: Family::new_with_constructor(latencies),
            policies: Family::default(),
            turned_away: Family::default(),
            unreadable: Family::default(),
            unrecorded: Family::default(),
            ledger_reopened: Counter::default(),
            cut_off: Family::default(),
            strangers: Family::default(),
            policies_in_force: Gauge::default(),
            exceptions: Family::default(),
            ready: Gauge::default(),
            records: Gauge::default(),
            tree_size: Gauge::default(),
            ledger_waiting: Gauge::default(),
            ledger_failed: Gauge::default(),
            certificate_expiry: Gauge::default(),
            break_glass: Gauge::default(),
            refused_sets: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Calls answered, by answer", new.answers.clone());
        registry.register("request_seconds", "Time from the body's arrival to the answer", new.seconds.clone());
        registry.register("policy_outcomes", "How each policy ended, by call", new.policies.clone());
        registry.register("turned_away", "Calls without a token in force", new.turned_away.clone());
        registry.register("unreadable", "Bodies that were no review", new.unreadable.clone());
        registry.register("connections_cut_off", "Connections beyond what may be", new.cut_off.clone());
        registry.register("stranger_connections", "Connections without an admitted call", new.strangers.clone());
        registry.register("unrecorded", "Calls whose record could not be made", new.unrecorded.clone());
        registry.register("policies_in_force", "Policies of the set in force", new.policies_in_force.clone());
        registry.register("exceptions", "Exceptions of the set in force, by how they end", new.exceptions.clone());
        registry.register("ready", "1 if ready, else 0", new.ready.clone());
        registry.register("ledger_records", "Records in this replica's book", new.records.clone());
        registry.register("ledger_checkpoint_size", "Records under the newest checkpoint", new.tree_size.clone());
        registry.register(
            "ledger_waiting_bytes",
            "Bytes of records that wait to be written",
            new.ledger_waiting.clone(),
        );
        registry.register("ledger_failed", "1 if the book takes no more records", new.ledger_failed.clone());
        registry.register(
            "ledger_reopened",
            "Times that the book failed and was opened again",
            new.ledger_reopened.clone(),
        );
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the serving certificate ends, in Unix time",
            new.certificate_expiry.clone(),
        );
        registry.register("break_glass", "1 while denials are dropped", new.break_glass.clone());
        registry.register(
            "policies_refused",
            "1 while the newest policies are refused and older ones in force",
            new.refused_sets.clone(),
        );
        Self { registry, ..new }
    }
}

/// From a quarter of a millisecond to eight seconds, each twice the one before.
fn latencies() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
}

impl Metrics {
    /// A call that was answered by a review.
    pub fn answered(&self, call: Call, answered: &Answered, took: Duration) {
        self.answers
            .get_or_create(&AnswerLabels {
                call,
                answer: answered.label(),
                dry_run: if answered.dry_run { "yes" } else { "no" },
            })
            .inc();
        if answered.unrecorded {
            self.unrecorded.get_or_create(&CallLabels { call }).inc();
        }
        self.seconds.get_or_create(&CallLabels { call }).observe(took.as_secs_f64());
        for (policy, outcome) in &answered.outcomes {
            self.policies.get_or_create(&PolicyLabels { call, policy: policy.clone(), outcome }).inc();
        }
    }

    /// A call that nobody may make.
    pub fn turned_away(&self, call: Call) {
        self.turned_away.get_or_create(&CallLabels { call }).inc();
    }

    /// A body that was no review.
    pub fn unreadable(&self, call: Call) {
        self.unreadable.get_or_create(&CallLabels { call }).inc();
    }

    /// A connection that was one too many.
    pub fn cut_off(&self, port: Port, whose: Cut) {
        self.cut_off.get_or_create(&CutLabels { port, whose }).inc();
    }

    /// How many connections are strangers'.
    pub fn strangers(&self, port: Port, count: usize) {
        self.strangers.get_or_create(&PortLabels { port }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The book failed and was opened again.
    pub fn ledger_reopened(&self) {
        self.ledger_reopened.inc();
    }

    /// Whether denials are dropped.
    pub fn break_glass(&self, open: bool) {
        self.break_glass.set(i64::from(open));
    }

    /// Whether the newest policies are refused, and older ones in force.
    pub fn set_refused(&self, refused: bool) {
        self.refused_sets.set(i64::from(refused));
    }

    /// When the serving certificate ends.
    pub fn certificate_ends(&self, at: jiff::Timestamp) {
        let seconds = std::time::Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
        self.certificate_expiry.set(seconds.as_secs_f64());
    }

    /// Reads what is not counted as it happens.
    pub fn observe(&self, app: &App) {
        let level = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.ready.set(i64::from(app.health.ready()));
        self.policies_in_force.set(i64::try_from(app.gate.set.load().policies().len()).unwrap_or(i64::MAX));
        let (set, now) = (app.gate.set.load(), (app.gate.clock)());
        for term in Term::ALL {
            let count = set.exceptions().iter().filter(|exception| exception.term(now) == term).count();
            let labels = TermLabels { term: term.name() };
            self.exceptions.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        if let Some(ledger) = app.gate.book.ledger() {
            let stats = ledger.stats();
            self.records.set(level(stats.records));
            self.tree_size.set(level(stats.tree_size));
            self.ledger_waiting.set(i64::try_from(stats.waiting_bytes).unwrap_or(i64::MAX));
            self.ledger_failed.set(i64::from(stats.failure.is_some()));
        }
    }

    /// All of it, as OpenMetrics text.
    ///
    /// # Errors
    /// If it can't be written as text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
