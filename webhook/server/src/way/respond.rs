//! Responding: what the API server is told of a correction or a decision. The decision is made before; here it gets its
//! form.

use std::collections::BTreeMap;

use portreeve_admission::api::Mode;
use portreeve_admission::decision::{Answer, Decision, Finding, PolicyFailure, Standing};
use portreeve_admission::message;
use portreeve_admission::plan::Plan;
use portreeve_admission::policy::Policy;
use portreeve_admission::response::{AuditKey, RefusalKind, Response};
use portreeve_admission::review::Review;

use tracing::instrument;

use super::book::{BookError, Recorded};
use super::{Answered, Correction, Judgement, Met};
use crate::config::WithoutRecord;
use crate::metrics::PolicyOutcome;
use crate::set::chain;
use crate::traces::STEPS;

#[instrument(name = "respond", target = STEPS, level = "trace", skip_all)]
pub(super) fn to_mutate(met: &Met, correction: &Correction, recorded: Recorded) -> Answered {
    let uid = &met.review.uid;
    let answer = correction.answer();
    let response = match (&correction.unreadable, answer) {
        (_, Answer::Allowed) => corrected(met, correction),
        (Some(unreadable), _) => Response::refused(uid, RefusalKind::BadRequest, unreadable.to_string()),
        (None, _) => {
            let failed = Decision { failures: correction.failures.clone(), ..Decision::default() };
            let message = message::denial(&met.review, &failed);
            let audit = audit(&failed, answer);
            Response { audit, ..Response::refused(uid, RefusalKind::InternalError, message) }
        }
    };
    let outcomes = outcomes(met, &correction.asked, &correction.failures, &[]);
    let answered = Answered { rounds: correction.rounds, ..judged(met, response, answer, outcomes) };
    finish(met, answered, recorded)
}

#[instrument(name = "respond", target = STEPS, level = "trace", skip_all)]
pub(super) fn to_validate(met: &Met, judgement: &Judgement, recorded: Recorded) -> Answered {
    let (uid, decision) = (&met.review.uid, &judgement.decision);
    let answer = judgement.answer();
    let response = match (&judgement.unreadable, answer) {
        (_, Answer::Allowed) => Response::allowed(uid),
        (Some(unreadable), _) => Response::refused(uid, RefusalKind::BadRequest, unreadable.to_string()),
        (None, Answer::Denied) => {
            Response::refused(uid, RefusalKind::Forbidden, message::denial(&met.review, decision))
        }
        (None, Answer::Failed) => {
            Response::refused(uid, RefusalKind::InternalError, message::denial(&met.review, decision))
        }
    };
    let spared = met.break_glass().filter(|_| judgement.spared).map(message::spared);
    let lines = || spared.into_iter().chain(message::warnings(met.plan, decision)).collect();
    let warnings = || message::about(&met.review, lines());
    let warnings = if may_be_told(met) { warnings() } else { Vec::new() };
    let audit = audit(decision, answer);
    let outcomes = outcomes(met, &judgement.asked, &decision.failures, &decision.findings);
    finish(met, judged(met, Response { warnings, audit, ..response }, answer, outcomes), recorded)
}

/// An answer whose record is not looked at yet.
fn judged(met: &Met, response: Response, answer: Answer, outcomes: Vec<PolicyOutcome>) -> Answered {
    let dry_run = met.review.dry_run;
    Answered { response, answer, dry_run, unrecorded: None, recorded_in: None, rounds: 0, outcomes }
}

/// The patch, and in words what was put right.
fn corrected(met: &Met, correction: &Correction) -> Response {
    let warnings = if may_be_told(met) { message::about(&met.review, told(correction)) } else { Vec::new() };
    let audit = failures(&correction.failures).map(|failed| (AuditKey::Failures, failed)).into_iter().collect();
    Response { patch: correction.patch.clone(), warnings, audit, ..Response::allowed(&met.review.uid) }
}

fn told(correction: &Correction) -> Vec<String> {
    message::corrections(&correction.made).into_iter().chain(message::let_pass(&correction.failures)).collect()
}

/// Adds the record's name, or does what is to be done without one.
fn finish(met: &Met, mut answered: Answered, recorded: Recorded) -> Answered {
    match recorded {
        Recorded::Nowhere => {}
        Recorded::Under(id, took) => {
            answered.response.audit.insert(AuditKey::Record, id.to_string());
            answered.recorded_in = Some(took);
        }
        Recorded::Missing(error, WithoutRecord::Answer) => {
            let why = if met.is_never_held_up() { "it is never held up" } else { "as is configured" };
            tracing::error!(error = chain(&error), "answered without a record: {why}");
            answered.unrecorded = Some(WithoutRecord::Answer);
        }
        Recorded::Missing(error, WithoutRecord::Refuse) => return unrecorded(met, answered, &error),
    }
    answered
}

fn unrecorded(met: &Met, answered: Answered, error: &BookError) -> Answered {
    tracing::error!(error = chain(error), "refused, since no record could be kept");
    let message = format!("{} could not be admitted: {}", message::object(&met.review), error.for_users());
    let response = Response::refused(&met.review.uid, RefusalKind::InternalError, message);
    Answered { response, answer: Answer::Failed, unrecorded: Some(WithoutRecord::Refuse), ..answered }
}

/// People are told, on CREATE or when they changed a template; controllers are not.
fn may_be_told(met: &Met) -> bool {
    matches!(met.plan, Plan::Judge { .. }) && !is_controller(&met.review)
}

fn is_controller(review: &Review) -> bool {
    review.meta.controller.is_some() || review.request.is_by_control_plane()
}

fn audit(decision: &Decision, answer: Answer) -> BTreeMap<AuditKey, String> {
    let mut audit = BTreeMap::from([(AuditKey::Decision, answer.name().to_owned())]);
    let counted = decision.findings.iter().filter(|finding| finding.standing == Standing::Counts);
    let violations = joined(counted.map(violation).collect());
    let failures = failures(&decision.failures);
    let exceptions = joined(decision.findings.iter().filter_map(exception).collect());
    let given =
        [(AuditKey::Violations, violations), (AuditKey::Failures, failures), (AuditKey::Exceptions, exceptions)];
    audit.extend(given.into_iter().filter_map(|(key, text)| text.map(|text| (key, text))));
    audit
}

/// The policies that failed, if any did.
fn failures(failures: &[PolicyFailure]) -> Option<String> {
    joined(failures.iter().map(|failure| failure.policy.clone()).collect())
}

fn joined(mut lines: Vec<String>) -> Option<String> {
    lines.dedup();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn violation(finding: &Finding) -> String {
    let container = finding.violation.container.as_deref().map(|name| format!("@{name}")).unwrap_or_default();
    format!("{}:{}/{}{container}", finding.mode.name(), finding.policy, finding.violation.rule)
}

fn exception(finding: &Finding) -> Option<String> {
    match &finding.standing {
        Standing::Excepted(name) => Some(name.clone()),
        _ => None,
    }
}

/// Each policy that was asked, with how it ended.
fn outcomes(met: &Met, asked: &[String], failures: &[PolicyFailure], findings: &[Finding]) -> Vec<PolicyOutcome> {
    let seeing = met.policies().filter(|policy| asked.contains(&policy.id));
    seeing
        .map(|Policy { id, mode, .. }| {
            let outcome = outcome(id, failures, findings);
            PolicyOutcome { policy: id.clone(), mode: *mode, outcome }
        })
        .collect()
}

fn outcome(policy: &str, failures: &[PolicyFailure], findings: &[Finding]) -> &'static str {
    let mut own = findings.iter().filter(|finding| finding.policy == policy && finding.standing == Standing::Counts);
    if failures.iter().any(|failure| failure.policy == policy) {
        return "failed";
    }
    match own.next() {
        None => "passed",
        // With break-glass the same weighs less.
        Some(finding) if finding.mode == Mode::Enforce => "denied",
        Some(_) => "violated",
    }
}
