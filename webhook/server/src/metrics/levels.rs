//! What stands at some level now, and is read when somebody asks: the set in force, the book, the certificate, the
//! runtime, and what is told to others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use portreeve_admission::exception::Term;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;

use super::level;
use crate::app::App;
use crate::traces::Sent;
use crate::way::Gate;

pub(super) type Fraction = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TermLabels {
    term: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SpanLabels {
    outcome: &'static str,
}

/// Levels, and counts that others keep.
#[derive(Default)]
pub(super) struct Levels {
    policies_in_force: Gauge,
    policies_refused: Gauge,
    policies_compiled: Gauge,
    resources_left_out: Gauge,
    break_glass: Gauge,
    exceptions: Family<TermLabels, Gauge>,
    registration_outdated: Gauge,
    ready: Gauge,
    records: Gauge,
    checkpoint_size: Gauge,
    ledger_waiting: Gauge,
    ledger_failed: Gauge,
    checkpoint_failed: Gauge,
    ledger_reopened: Counter,
    ledger_proved: Fraction,
    ledger_proof_failed: Gauge,
    certificate_expiry: Fraction,
    workers: Gauge,
    queued: Gauge,
    busy: Counter<f64, AtomicU64>,
    events_dropped: Counter,
    spans: Family<SpanLabels, Counter>,
}

impl Levels {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let new = Self::default();
        new.register_state(registry);
        new.register_book(registry);
        new.register_machine(registry);
        // What has happened to none yet is told too: whoever asks for a rise finds where it began.
        new.observe_spans(Sent::default());
        Term::ALL.iter().for_each(|term| drop(new.exceptions.get_or_create(&TermLabels { term: term.name() })));
        new
    }

    fn register_state(&self, registry: &mut Registry) {
        registry.register("policies_in_force", "Policies of the set in force", self.policies_in_force.clone());
        registry.register(
            "policies_refused",
            "1 while the newest policies are refused and older ones in force",
            self.policies_refused.clone(),
        );
        registry.register(
            "policies_compiled",
            "0 while the set in force is being compiled, and configured anew for every call",
            self.policies_compiled.clone(),
        );
        registry.register(
            "resources_left_out",
            "Resources that the set in force leaves out, since something is wrong with them",
            self.resources_left_out.clone(),
        );
        registry.register("break_glass", "1 while denials are dropped", self.break_glass.clone());
        registry.register("exceptions", "Exceptions of the set in force, by how they end", self.exceptions.clone());
        registry.register(
            "registration_outdated",
            "1 while what is registered is not what the policies in force ask for",
            self.registration_outdated.clone(),
        );
        registry.register("ready", "1 if ready, else 0", self.ready.clone());
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the serving certificate ends, in Unix time",
            self.certificate_expiry.clone(),
        );
    }

    fn register_book(&self, registry: &mut Registry) {
        registry.register("ledger_records", "Records in the newest epoch of this replica's book", self.records.clone());
        registry.register(
            "ledger_checkpoint_size",
            "Records under the newest checkpoint",
            self.checkpoint_size.clone(),
        );
        registry.register(
            "ledger_waiting_bytes",
            "Bytes of records that wait to be written",
            self.ledger_waiting.clone(),
        );
        registry.register("ledger_failed", "1 if the book takes no more records", self.ledger_failed.clone());
        registry.register(
            "ledger_checkpoint_failed",
            "1 if the newest checkpoint could not be written",
            self.checkpoint_failed.clone(),
        );
        registry.register(
            "ledger_reopened",
            "Times that the book failed and was opened again",
            self.ledger_reopened.clone(),
        );
        registry.register(
            "ledger_proved_timestamp_seconds",
            "When the book was last read again and found whole, in Unix time",
            self.ledger_proved.clone(),
        );
        registry.register(
            "ledger_proof_failed",
            "1 if the book was not whole when it was last read again",
            self.ledger_proof_failed.clone(),
        );
    }

    fn register_machine(&self, registry: &mut Registry) {
        registry.register("runtime_workers", "Threads that answer calls", self.workers.clone());
        registry.register("runtime_queued_tasks", "Tasks that wait for one of them", self.queued.clone());
        registry.register("runtime_busy_seconds", "Time that they were busy, in all", self.busy.clone());
        registry.register("events_dropped", "Happenings that no Event tells of", self.events_dropped.clone());
        registry.register("trace_spans", "Spans of traces, by what became of them", self.spans.clone());
    }

    pub(super) fn ledger_reopened(&self) {
        self.ledger_reopened.inc();
    }

    pub(super) fn ledger_proved(&self, at: Timestamp) {
        self.ledger_proved.set(unix_seconds(at));
        self.ledger_proof_failed.set(0);
    }

    pub(super) fn ledger_not_proved(&self) {
        self.ledger_proof_failed.set(1);
    }

    pub(super) fn break_glass(&self, open: bool) {
        self.break_glass.set(i64::from(open));
    }

    pub(super) fn set_refused(&self, refused: bool) {
        self.policies_refused.set(i64::from(refused));
    }

    pub(super) fn registration_outdated(&self, outdated: bool) {
        self.registration_outdated.set(i64::from(outdated));
    }

    pub(super) fn certificate_ends(&self, at: Timestamp) {
        self.certificate_expiry.set(unix_seconds(at));
    }

    pub(super) fn observe(&self, app: &App) {
        self.ready.set(i64::from(app.health.ready()));
        self.observe_gate(&app.gate);
        self.observe_runtime();
        if let Some(witness) = &app.gate.witness {
            self.events_dropped.inner().store(witness.untold(), Ordering::Relaxed);
        }
        if let Some(traces) = &app.traces {
            self.observe_spans(traces.sent());
        }
    }

    fn observe_gate(&self, gate: &Gate) {
        let (set, now) = (gate.set.load(), (gate.clock)());
        self.policies_in_force.set(level(set.policies().len()));
        self.policies_compiled.set(i64::from(set.is_compiled()));
        self.resources_left_out.set(level(set.resources_left_out()));
        for term in Term::ALL {
            let count = set.exceptions().iter().filter(|exception| exception.term(now) == term).count();
            self.exceptions.get_or_create(&TermLabels { term: term.name() }).set(level(count));
        }
        if let Some(ledger) = gate.book.ledger() {
            let stats = ledger.stats();
            let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            self.records.set(count(stats.tree_size));
            self.checkpoint_size.set(count(stats.covered));
            self.ledger_waiting.set(level(stats.waiting_bytes));
            self.ledger_failed.set(i64::from(stats.failure.is_some()));
            self.checkpoint_failed.set(i64::from(stats.checkpoint_failure.is_some()));
        }
    }

    fn observe_runtime(&self) {
        let runtime = Handle::current().metrics();
        self.workers.set(level(runtime.num_workers()));
        self.queued.set(level(runtime.global_queue_depth()));
        let busy: Duration = (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum();
        self.busy.inner().store(busy.as_secs_f64().to_bits(), Ordering::Relaxed);
    }

    fn observe_spans(&self, sent: Sent) {
        for (outcome, count) in [("taken", sent.taken), ("dropped", sent.dropped), ("failed", sent.failed)] {
            self.spans.get_or_create(&SpanLabels { outcome }).inner().store(count, Ordering::Relaxed);
        }
    }
}

pub(super) fn unix_seconds(at: Timestamp) -> f64 {
    Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0)).as_secs_f64()
}
