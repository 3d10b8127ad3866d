//! What is counted of calls: how many come, how many are under way, how long they take, what becomes of them and of
//! each policy in them.

use std::time::Duration;

use portreeve_admission::api::Mode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Call, PolicyOutcome, Seconds, TraceLabels, latencies, level, observe};
use crate::config::WithoutRecord;
use crate::traces::Followed;
use crate::way::Answered;

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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnrecordedLabels {
    call: Call,
    answered: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    call: Call,
    policy: String,
    mode: &'static str,
    outcome: &'static str,
}

type Latencies = Family<CallLabels, Seconds, fn() -> Seconds>;

/// Calls, and what came of them.
pub(super) struct Calls {
    answers: Family<AnswerLabels, Counter>,
    seconds: Latencies,
    record_seconds: Latencies,
    in_flight: Family<CallLabels, Gauge>,
    policies: Family<PolicyLabels, Counter>,
    turned_away: Family<CallLabels, Counter>,
    no_room: Family<CallLabels, Counter>,
    free_bytes: Gauge,
    unreadable: Family<CallLabels, Counter>,
    unrecorded: Family<UnrecordedLabels, Counter>,
}

/// A call that is under way.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Calls {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let new = Self {
            answers: Family::default(),
            seconds: Family::new_with_constructor(latencies),
            record_seconds: Family::new_with_constructor(latencies),
            in_flight: Family::default(),
            policies: Family::default(),
            turned_away: Family::default(),
            no_room: Family::default(),
            free_bytes: Gauge::default(),
            unreadable: Family::default(),
            unrecorded: Family::default(),
        };
        registry.register("requests", "Calls answered, by answer", new.answers.clone());
        registry.register("request_seconds", "Time from the body's arrival to the answer", new.seconds.clone());
        registry.register("record_seconds", "Time until a call's record was kept", new.record_seconds.clone());
        registry.register("requests_in_flight", "Calls that are not answered yet", new.in_flight.clone());
        registry.register("policy_outcomes", "How each policy ended, by call and mode", new.policies.clone());
        registry.register("turned_away", "Calls without a token in force", new.turned_away.clone());
        registry.register("no_room", "Calls whose bodies found no room in time", new.no_room.clone());
        registry.register("body_free_bytes", "Room that is left for bodies under way", new.free_bytes.clone());
        registry.register("unreadable", "Bodies that were no review", new.unreadable.clone());
        registry.register(
            "unrecorded",
            "Calls whose record could not be made, by whether they were answered as decided all the same",
            new.unrecorded.clone(),
        );
        new
    }

    pub(super) fn begun(&self, call: Call) -> InFlight {
        let gauge = self.in_flight.get_or_create_owned(&CallLabels { call });
        gauge.inc();
        InFlight(gauge)
    }

    pub(super) fn answered(&self, call: Call, answered: &mut Answered, took: Duration, followed: &Followed) {
        self.ended(call, answered.label(), answered.dry_run, took, followed);
        if let Some(took) = answered.recorded_in {
            let trace = followed.trace().map(TraceLabels::of);
            observe(&self.record_seconds.get_or_create(&CallLabels { call }), took, trace.as_ref());
        }
        if let Some(without_record) = answered.unrecorded {
            let answered = if without_record == WithoutRecord::Answer { "yes" } else { "no" };
            self.unrecorded.get_or_create(&UnrecordedLabels { call, answered }).inc();
        }
        for PolicyOutcome { policy, mode, outcome } in std::mem::take(&mut answered.outcomes) {
            self.policies.get_or_create(&PolicyLabels { call, policy, mode: mode.name(), outcome }).inc();
        }
    }

    /// Counts how a call ended and how long it took.
    pub(super) fn ended(&self, call: Call, answer: &'static str, dry_run: bool, took: Duration, followed: &Followed) {
        let trace = followed.trace().map(TraceLabels::of);
        observe(&self.seconds.get_or_create(&CallLabels { call }), took, trace.as_ref());
        let dry_run = if dry_run { "yes" } else { "no" };
        self.answers.get_or_create(&AnswerLabels { call, answer, dry_run }).inc();
    }

    pub(super) fn forget(&self, policy: &str) {
        for call in [Call::Mutate, Call::Validate] {
            for mode in Mode::ALL.map(Mode::name) {
                for outcome in PolicyOutcome::OUTCOMES {
                    self.policies.remove(&PolicyLabels { call, policy: policy.to_owned(), mode, outcome });
                }
            }
        }
    }

    pub(super) fn no_room(&self, call: Call) {
        self.no_room.get_or_create(&CallLabels { call }).inc();
    }

    pub(super) fn has_room_for(&self, bytes: usize) {
        self.free_bytes.set(level(bytes));
    }

    pub(super) fn turned_away(&self, call: Call) {
        self.turned_away.get_or_create(&CallLabels { call }).inc();
    }

    pub(super) fn unreadable(&self, call: Call) {
        self.unreadable.get_or_create(&CallLabels { call }).inc();
    }
}
