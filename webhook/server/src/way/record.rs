//! What the book holds of a call: who asked for what, by which policies it was judged, what was found and what was
//! answered. Digests in place of objects and facts; no secret, and of persons no more than the user name.

use std::sync::Arc;

use portreeve_admission::case::{Facts, GroupVersionKind, GroupVersionResource, Operation};
use portreeve_admission::decision::{Finding, PolicyFailure, Standing};
use portreeve_admission::document::Document;
use portreeve_admission::edit::Claim;
use portreeve_admission::review::Review;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Correction, Judgement, Met};
use crate::digest::sha256;

/// Findings and edits that stand in a record by themselves. What is over is there by count and digest.
const LISTED: usize = 40;
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

/// The record of a `/mutate` call.
pub(super) fn correction(met: &Met, correction: &Correction) -> Value {
    let answer = match (
        &correction.object,
        correction.unreadable.is_some() || correction.failures.iter().any(PolicyFailure::refuses),
    ) {
        (_, true) => "failed",
        (Some(_), false) => "corrected",
        (None, false) => "unchanged",
    };
    let edits: Vec<Value> = correction.made.iter().map(edit).collect();
    json!({
        "answer": answer,
        "call": Called::of(&met.review),
        "set": met.set.digest(),
        "namespaceLabels": met.set.namespace(met.review.request.namespace.as_deref()).known_from.name(),
        "policies": correction.asked,
        "corrected": correction.object.as_deref().map(digest_of_value),
        "patch": patch_digest(met, correction),
        "edits": listed(&edits),
        "failures": correction.failures.iter().map(failure).collect::<Vec<_>>(),
        "exceptions": correction.exceptions,
        "facts": correction.facts.iter().filter_map(|facts| facts_text(facts)).map(|text| sha256(text.as_bytes())).collect::<Vec<_>>(),
        "unreadable": correction.unreadable.as_ref().map(ToString::to_string),
    })
}

/// The record of a `/validate` call.
pub(super) fn decision(met: &Met, judgement: &Judgement) -> Value {
    let decision = &judgement.decision;
    let findings: Vec<Value> = decision.findings.iter().map(finding).collect();
    let advisories: Vec<Value> = decision
        .advisories
        .iter()
        .map(|(policy, advisory)| json!({"policy": policy, "rule": advisory.rule, "container": advisory.container}))
        .collect();
    json!({
        "answer": judgement.answer().name(),
        "call": Called::of(&met.review),
        "set": met.set.digest(),
        "namespaceLabels": met.set.namespace(met.review.request.namespace.as_deref()).known_from.name(),
        "policies": judgement.asked,
        "violations": listed(&findings),
        "advisories": listed(&advisories),
        "failures": decision.failures.iter().map(failure).collect::<Vec<_>>(),
        "facts": judgement.facts.iter().filter_map(|facts| facts_text(facts)).map(|text| sha256(text.as_bytes())).collect::<Vec<_>>(),
        "unreadable": judgement.unreadable.as_ref().map(ToString::to_string),
    })
}

/// The facts of one round as JSON text, in a fixed order; none if there were none.
pub(super) fn facts_text(facts: &Facts) -> Option<String> {
    let mut kinds: Map<String, Value> = Map::new();
    for (kind, key, value) in facts.sorted() {
        let known = match value {
            Ok(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            Err(reason) => json!({"missing": reason}),
        };
        let keys = kinds.entry(kind.name()).or_insert_with(|| json!({}));
        if let Value::Object(keys) = keys {
            keys.insert(key.to_owned(), known);
        }
    }
    (!kinds.is_empty()).then(|| Value::Object(kinds).to_string())
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

/// Of the bytes in the review.
fn digest_of_text(document: &Arc<Document>) -> String {
    sha256(document.text().unwrap_or_default().as_bytes())
}

/// Of an object that was made here: its bytes as compact JSON.
fn digest_of_value(document: &Document) -> String {
    sha256(document.value().to_string().as_bytes())
}

fn patch_digest(met: &Met, correction: &Correction) -> Option<String> {
    let (before, after) = (met.review.object.as_ref()?, correction.object.as_ref()?);
    let patch = portreeve_admission::patch::between(before.value(), after.value())?;
    serde_json::to_vec(&patch).ok().map(|patch| sha256(&patch))
}

/// The first of a list; with the count of all and their digest if there are more.
fn listed(all: &[Value]) -> Value {
    if all.len() <= LISTED {
        return json!(all);
    }
    let text = Value::from(all).to_string();
    json!({"first": all.iter().take(LISTED).collect::<Vec<_>>(), "count": all.len(), "all": sha256(text.as_bytes())})
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

fn failure(failure: &PolicyFailure) -> Value {
    json!({
        "policy": failure.policy,
        "mode": failure.mode,
        "failurePolicy": failure.failure_policy,
        "failure": shortened(&failure.failure.to_string()),
    })
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT).collect()
}
