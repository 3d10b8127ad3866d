//! What the book holds of a call: who asked for what, by which policies it was judged, what was found and what was
//! answered. Digests in place of objects and facts; no secret, and of persons no more than the user name.

mod edited;

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use jiff::Timestamp;
use portreeve_admission::api::{FailurePolicy, Mode};
use portreeve_admission::case::{GroupVersionKind, GroupVersionResource, Operation};
use portreeve_admission::decision::{Answer, Finding, PolicyFailure, Standing};
use portreeve_admission::document::Document;
use portreeve_admission::patch::Patch;
use portreeve_admission::review::Review;
use portreeve_admission::verdict::Violation;
use portreeve_ledger::{Body, BodyError};
use serde::Serialize;

use edited::Edited;

use super::beside::{Beside, Listed};
use super::{Correction, Judgement, Met};
use crate::digest::sha256;

/// Characters of a text that stand in a record.
const TEXT: usize = 240;

/// The record of a `/mutate` call. Fields of records are in the order of the JSON, which is that of the alphabet: what
/// is canonical as it stands takes a fraction of the time.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Corrected<'a> {
    answer: &'static str,
    break_glass: Option<String>,
    call: Called<'a>,
    corrected: Option<String>,
    decided_at: Timestamp,
    edits: Listed<Edited<'a>>,
    exceptions: Listed<Cow<'a, str>>,
    facts: Listed<String>,
    failures: Listed<Failed<'a>>,
    namespace: Option<Around<'a>>,
    patch: Option<String>,
    policies: Listed<Cow<'a, str>>,
    set: &'a str,
    unreadable: Option<String>,
    version: &'static str,
}

/// The record of a `/validate` call.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Decided<'a> {
    advisories: Listed<Advised<'a>>,
    answer: &'static str,
    break_glass: Option<String>,
    call: Called<'a>,
    decided_at: Timestamp,
    facts: Listed<String>,
    failures: Listed<Failed<'a>>,
    namespace: Option<Around<'a>>,
    policies: Listed<Cow<'a, str>>,
    set: &'a str,
    unreadable: Option<String>,
    version: &'static str,
    violations: Listed<Found<'a>>,
}

/// A call, as far as it is recorded.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Called<'a> {
    kind: Kind<'a>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_object: Option<String>,
    operation: Operation,
    resource: Resource<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subresource: Option<&'a str>,
    uid: &'a str,
    user: Cow<'a, str>,
}

#[derive(Serialize)]
struct Kind<'a> {
    group: &'a str,
    kind: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Resource<'a> {
    group: &'a str,
    resource: &'a str,
    version: &'a str,
}

/// What is known of the request's namespace: who told, and the digest of what. Policies are chosen by its labels.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Around<'a> {
    Known { known: String, known_from: &'static str },
    Missing { missing: Cow<'a, str> },
}

#[derive(Serialize)]
struct Found<'a> {
    at: String,
    container: Option<Cow<'a, str>>,
    exception: Option<&'a str>,
    message: Cow<'a, str>,
    mode: Mode,
    policy: &'a str,
    rule: Cow<'a, str>,
    standing: &'static str,
}

#[derive(Serialize)]
struct Advised<'a> {
    container: Option<Cow<'a, str>>,
    policy: &'a str,
    rule: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed<'a> {
    failure: String,
    failure_policy: FailurePolicy,
    mode: Mode,
    policy: &'a str,
}

/// A record to be written, and what it names.
pub(super) struct Page {
    pub(super) body: Body,
    pub(super) beside: Beside,
}

/// The record of a `/mutate` call.
pub(super) fn correction(met: &Met, correction: &Correction) -> Result<Page, BodyError> {
    let answer = match (correction.answer(), &correction.object) {
        (Answer::Allowed, Some(_)) => "corrected",
        (Answer::Allowed, None) => "unchanged",
        (answer, _) => answer.name(),
    };
    let mut beside = Beside::default();
    let record = Corrected {
        answer,
        break_glass: break_glass(met),
        call: Called::of(&met.review),
        corrected: correction.object.as_deref().map(digest_of_value),
        decided_at: met.now,
        edits: beside.list(correction.made.iter().map(|claim| Edited::of(claim, &met.review)).collect()),
        exceptions: beside.list(names(&correction.exceptions)),
        facts: beside.facts(&correction.facts),
        failures: beside.list(correction.failures.iter().map(Failed::of).collect()),
        namespace: namespace(met, &mut beside),
        patch: correction.patch.as_ref().and_then(digest_of_patch),
        policies: beside.list(names(&correction.asked)),
        set: met.set.digest(),
        unreadable: correction.unreadable.as_ref().map(told),
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(Page { body: Body::of(&record)?, beside })
}

/// The record of a `/validate` call.
pub(super) fn decision(met: &Met, judgement: &Judgement) -> Result<Page, BodyError> {
    let decision = &judgement.decision;
    let mut beside = Beside::default();
    let record = Decided {
        advisories: beside.list(decision.advisories.iter().map(|(policy, told)| Advised::of(policy, told)).collect()),
        answer: judgement.answer().name(),
        break_glass: break_glass(met),
        call: Called::of(&met.review),
        decided_at: met.now,
        facts: beside.facts(&judgement.facts),
        failures: beside.list(decision.failures.iter().map(Failed::of).collect()),
        namespace: namespace(met, &mut beside),
        policies: beside.list(names(&judgement.asked)),
        set: met.set.digest(),
        unreadable: judgement.unreadable.as_ref().map(told),
        version: env!("CARGO_PKG_VERSION"),
        violations: beside.list(decision.findings.iter().map(Found::of).collect()),
    };
    Ok(Page { body: Body::of(&record)?, beside })
}

impl<'a> Called<'a> {
    fn of(review: &'a Review) -> Self {
        let request = &review.request;
        let GroupVersionKind { group, version, kind } = &request.kind;
        let GroupVersionResource { group: of_group, version: of_version, resource } = &request.resource;
        Self {
            kind: Kind { group, kind, version },
            name: shortened(&portreeve_admission::message::name(review)).into_owned(),
            namespace: request.namespace.as_deref(),
            object: review.object.as_ref().map(digest_of_text),
            old_object: review.old_object.as_ref().map(digest_of_text),
            operation: request.operation,
            resource: Resource { group: of_group, resource, version: of_version },
            subresource: request.subresource.as_deref(),
            uid: &review.uid,
            user: shortened(&request.user_name),
        }
    }
}

impl<'a> Found<'a> {
    fn of(finding: &'a Finding) -> Self {
        let violation = &finding.violation;
        let (standing, exception) = match &finding.standing {
            Standing::Counts => ("counts", None),
            Standing::Inherited => ("inherited", None),
            Standing::Excepted(name) => ("excepted", Some(name.as_str())),
        };
        Self {
            at: told(&violation.pointer),
            container: violation.container.as_deref().map(shortened),
            exception,
            message: shortened(&violation.message),
            mode: finding.mode,
            policy: &finding.policy,
            rule: shortened(&violation.rule),
            standing,
        }
    }
}

impl<'a> Advised<'a> {
    fn of(policy: &'a str, advisory: &'a Violation) -> Self {
        let container = advisory.container.as_deref().map(shortened);
        Self { container, policy, rule: shortened(&advisory.rule) }
    }
}

impl<'a> Failed<'a> {
    fn of(failure: &'a PolicyFailure) -> Self {
        Self {
            failure: told(&failure.failure),
            failure_policy: failure.failure_policy,
            mode: failure.mode,
            policy: &failure.policy,
        }
    }
}

fn namespace<'a>(met: &'a Met, beside: &mut Beside) -> Option<Around<'a>> {
    met.review.request.namespace.as_deref()?;
    Some(match &met.namespace {
        Ok(namespace) => {
            Around::Known { known: beside.name(namespace.as_fact()), known_from: namespace.known_from.name() }
        }
        Err(reason) => Around::Missing { missing: shortened(reason) },
    })
}

fn break_glass(met: &Met) -> Option<String> {
    met.break_glass().map(told)
}

fn names(names: &[String]) -> Vec<Cow<'_, str>> {
    names.iter().map(|name| shortened(name)).collect()
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

/// In words, as far as they stand in a record.
fn told(what: &impl Display) -> String {
    shortened(&what.to_string()).into_owned()
}

fn shortened(text: &str) -> Cow<'_, str> {
    let end = text.char_indices().nth(TEXT).map_or(text.len(), |(end, _)| end);
    Cow::Borrowed(text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called() -> Called<'static> {
        Called {
            kind: Kind { group: "", kind: "Pod", version: "v1" },
            name: "web".to_owned(),
            namespace: Some("shop"),
            object: Some("sha256:00".to_owned()),
            old_object: Some("sha256:00".to_owned()),
            operation: Operation::Update,
            resource: Resource { group: "", resource: "pods", version: "v1" },
            subresource: Some("resize"),
            uid: "u-1",
            user: "jane".into(),
        }
    }

    fn failed() -> Listed<Failed<'static>> {
        let (failure, policy) = ("trap".to_owned(), "p");
        Listed::Whole(vec![Failed { failure, failure_policy: FailurePolicy::Ignore, mode: Mode::Warn, policy }])
    }

    /// Records are right in any order, and cheap in this one.
    #[track_caller]
    fn assert_in_order(record: &impl Serialize) {
        assert_eq!(serde_json::to_string(record).unwrap(), Body::of(record).unwrap().as_str());
    }

    #[test]
    fn fields_of_a_correction_are_in_the_order_of_the_alphabet() {
        assert_in_order(&Corrected {
            answer: "corrected",
            break_glass: Some("open".to_owned()),
            call: called(),
            corrected: Some("sha256:00".to_owned()),
            decided_at: Timestamp::UNIX_EPOCH,
            edits: Listed::Whole(vec![Edited {
                at: "/spec".to_owned(),
                now: Some("a:1".into()),
                policy: "p",
                rule: "r".into(),
                was: Some("a".into()),
            }]),
            exceptions: Listed::Whole(vec!["e".into()]),
            facts: Listed::Whole(Vec::new()),
            failures: failed(),
            namespace: Some(Around::Known { known: "sha256:00".to_owned(), known_from: "cluster" }),
            patch: Some("sha256:00".to_owned()),
            policies: Listed::Cut { all: "sha256:00".to_owned(), count: 41, first: vec!["p".into()] },
            set: "sha256:00",
            unreadable: None,
            version: "0",
        });
    }

    #[test]
    fn fields_of_a_decision_are_in_the_order_of_the_alphabet() {
        assert_in_order(&Decided {
            advisories: Listed::Whole(vec![Advised { container: Some("app".into()), policy: "p", rule: "r".into() }]),
            answer: "denied",
            break_glass: None,
            call: called(),
            decided_at: Timestamp::UNIX_EPOCH,
            facts: Listed::Whole(vec!["sha256:00".to_owned()]),
            failures: failed(),
            namespace: Some(Around::Missing { missing: "nobody answered".into() }),
            policies: Listed::Whole(vec!["p".into()]),
            set: "sha256:00",
            unreadable: Some("it is text".to_owned()),
            version: "0",
            violations: Listed::Whole(vec![Found {
                at: "/spec".to_owned(),
                container: Some("app".into()),
                exception: Some("e"),
                message: "m".into(),
                mode: Mode::Enforce,
                policy: "p",
                rule: "r".into(),
                standing: "excepted",
            }]),
        });
    }
}
