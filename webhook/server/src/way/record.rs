//! What the book holds of a call: who asked for what, by which policies it was judged, what was found and what was
//! answered. Digests in place of objects and facts; no secret, and of persons no more than the user name.

use std::sync::Arc;

use portreeve_admission::case::{GroupVersionKind, GroupVersionResource, Operation};
use portreeve_admission::decision::{Finding, PolicyFailure, Standing};
use portreeve_admission::document::Document;
use portreeve_admission::edit::Claim;
use portreeve_admission::patch::Patch;
use portreeve_admission::review::Review;
use portreeve_admission::verdict::Violation;
use serde::Serialize;
use serde_json::{Value, json};

use super::beside::Beside;
use super::{Correction, Judgement, Met};
use crate::digest::sha256;

/// Characters of a text that stand in a record.
const TEXT: usize = 240;

/// A call, as far as it is recorded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Called<'a> {
    uid: &'a str,
    operation: Operation,
    kind: &'a GroupVersionKind,
    resource: &'a GroupVersionResource,
    #[serde(skip_serializing_if = "Option::is_none")]
    subresource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    name: String,
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_object: Option<String>,
}

/// A record to be written, and what it names.
pub(super) struct Page {
    pub(super) body: Value,
    pub(super) beside: Beside,
}

/// The record of a `/mutate` call.
pub(super) fn correction(met: &Met, correction: &Correction) -> Page {
    let answer = match (
        &correction.object,
        correction.unreadable.is_some() || correction.failures.iter().any(PolicyFailure::refuses),
    ) {
        (_, true) => "failed",
        (Some(_), false) => "corrected",
        (None, false) => "unchanged",
    };
    let mut beside = Beside::default();
    let body = json!({
        "answer": answer,
        "call": Called::of(&met.review),
        "set": met.set.digest(),
        "breakGlass": met.break_glass().map(|glass| shortened(&glass.to_string())),
        "namespace": namespace(met, &mut beside),
        "decidedAt": met.now,
        "version": env!("CARGO_PKG_VERSION"),
        "policies": beside.list(names(&correction.asked)),
        "corrected": correction.object.as_deref().map(digest_of_value),
        "patch": correction.patch.as_ref().and_then(digest_of_patch),
        "edits": beside.list(correction.made.iter().map(edit).collect()),
        "failures": beside.list(correction.failures.iter().map(failure).collect()),
        "exceptions": beside.list(names(&correction.exceptions)),
        "facts": beside.facts(&correction.facts),
        "unreadable": correction.unreadable.as_ref().map(|error| shortened(&error.to_string())),
    });
    Page { body, beside }
}

/// The record of a `/validate` call.
pub(super) fn decision(met: &Met, judgement: &Judgement) -> Page {
    let decision = &judgement.decision;
    let mut beside = Beside::default();
    let body = json!({
        "answer": judgement.answer().name(),
        "call": Called::of(&met.review),
        "set": met.set.digest(),
        "breakGlass": met.break_glass().map(|glass| shortened(&glass.to_string())),
        "namespace": namespace(met, &mut beside),
        "decidedAt": met.now,
        "version": env!("CARGO_PKG_VERSION"),
        "policies": beside.list(names(&judgement.asked)),
        "violations": beside.list(decision.findings.iter().map(finding).collect()),
        "advisories": beside.list(decision.advisories.iter().map(|(policy, told)| advisory(policy, told)).collect()),
        "failures": beside.list(decision.failures.iter().map(failure).collect()),
        "facts": beside.facts(&judgement.facts),
        "unreadable": judgement.unreadable.as_ref().map(|error| shortened(&error.to_string())),
    });
    Page { body, beside }
}

impl<'a> Called<'a> {
    fn of(review: &'a Review) -> Self {
        let request = &review.request;
        Self {
            uid: &review.uid,
            operation: request.operation,
            kind: &request.kind,
            resource: &request.resource,
            subresource: request.subresource.as_deref(),
            namespace: request.namespace.as_deref(),
            name: shortened(&portreeve_admission::message::name(review)),
            user: shortened(&request.user_name),
            object: review.object.as_ref().map(digest_of_text),
            old_object: review.old_object.as_ref().map(digest_of_text),
        }
    }
}

/// Who told of the request's namespace, and the digest of what: policies are chosen by its labels.
fn namespace(met: &Met, beside: &mut Beside) -> Option<Value> {
    met.review.request.namespace.as_deref()?;
    Some(match &met.namespace {
        Ok(namespace) => json!({"knownFrom": namespace.known_from.name(), "known": beside.name(namespace.as_fact())}),
        Err(reason) => json!({"missing": shortened(reason)}),
    })
}

fn names(names: &[String]) -> Vec<Value> {
    names.iter().map(|name| json!(shortened(name))).collect()
}

/// Of the bytes in the review.
fn digest_of_text(document: &Arc<Document>) -> String {
    sha256(document.text().unwrap_or_default().as_bytes())
}

/// Of an object that was made here: its bytes as compact JSON.
fn digest_of_value(document: &Document) -> String {
    sha256(document.value().to_string().as_bytes())
}

fn digest_of_patch(patch: &Patch) -> Option<String> {
    serde_json::to_vec(patch).ok().map(|patch| sha256(&patch))
}

fn edit(claim: &Claim) -> Value {
    json!({"policy": claim.policy, "rule": shortened(&claim.rule), "at": shortened(&claim.pointer.to_string())})
}

fn finding(finding: &Finding) -> Value {
    let violation = &finding.violation;
    let (standing, exception) = match &finding.standing {
        Standing::Counts => ("counts", None),
        Standing::Inherited => ("inherited", None),
        Standing::Excepted(name) => ("excepted", Some(name)),
    };
    json!({
        "policy": finding.policy,
        "mode": finding.mode,
        "rule": shortened(&violation.rule),
        "container": violation.container.as_deref().map(shortened),
        "at": shortened(&violation.pointer.to_string()),
        "message": shortened(&violation.message),
        "standing": standing,
        "exception": exception,
    })
}

fn advisory(policy: &str, advisory: &Violation) -> Value {
    json!({"policy": policy, "rule": shortened(&advisory.rule), "container": advisory.container.as_deref().map(shortened)})
}

fn failure(failure: &PolicyFailure) -> Value {
    json!({
        "policy": failure.policy,
        "mode": failure.mode,
        "failurePolicy": failure.failure_policy,
        "failure": shortened(&failure.failure.to_string()),
    })
}

fn shortened(text: &str) -> String {
    let end = text.char_indices().nth(TEXT).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default().to_owned()
}
