//! A call that is followed: the span that its steps belong to, what it says of the call, and the name by which others
//! find the trace.

use opentelemetry::TraceId;
use opentelemetry::trace::TraceContextExt as _;
use portreeve_admission::response::AuditKey;
use portreeve_admission::review::Review;
use tracing::Span;
use tracing::field::{Empty, display};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::STEPS;
use crate::metrics::Call;
use crate::way::Answered;

/// The name of a call's span in the code. Collectors are told that of its endpoint.
pub(super) const CALL: &str = "call";

/// A call, with its span if somebody follows it.
pub struct Followed(Span);

impl Followed {
    /// A call that nobody follows.
    #[must_use]
    pub fn by_nobody() -> Self {
        Self(Span::none())
    }

    /// A call that begins now. It is followed if somebody listens, and the sampler says so.
    pub(super) fn begin(call: Call) -> Self {
        Self(tracing::trace_span!(
            target: STEPS,
            parent: None,
            CALL,
            otel.name = call.name(),
            otel.kind = "server",
            otel.status_code = Empty,
            portreeve.uid = Empty,
            portreeve.operation = Empty,
            portreeve.kind = Empty,
            k8s.namespace.name = Empty,
            portreeve.answer = Empty,
            portreeve.rounds = Empty,
            portreeve.record = Empty,
        ))
    }

    /// What steps of the call happen in.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.0
    }

    /// The trace, if there is one that can be found.
    #[must_use]
    pub fn trace(&self) -> Option<TraceId> {
        trace_of(&self.0)
    }

    /// Puts down what came of the call.
    pub(crate) fn came_to(&self, answered: &Answered) {
        if self.0.is_disabled() {
            return;
        }
        self.0.record("portreeve.rounds", answered.rounds);
        if let Some(record) = answered.response.audit.get(&AuditKey::Record) {
            self.0.record("portreeve.record", record.as_str());
        }
        self.ended(answered.label());
    }

    /// Puts down by which answer it ended.
    pub(crate) fn ended(&self, answer: &'static str) {
        self.0.record("portreeve.answer", answer);
        if answer == "failed" {
            self.0.record("otel.status_code", "ERROR");
        }
    }
}

/// The trace that a step happens in, if there is one that can be found.
pub(crate) fn trace_of(step: &Span) -> Option<TraceId> {
    if step.is_disabled() {
        return None;
    }
    let context = step.context();
    let span = context.span().span_context().clone();
    span.is_sampled().then(|| span.trace_id())
}

/// Puts down, for the call that goes on here, what it is about.
pub(crate) fn about(review: &Review) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    let request = &review.request;
    span.record("portreeve.uid", review.uid.as_str());
    span.record("portreeve.operation", display(request.operation));
    span.record("portreeve.kind", request.kind.kind.as_str());
    if let Some(namespace) = request.namespace.as_deref() {
        span.record("k8s.namespace.name", namespace);
    }
}
