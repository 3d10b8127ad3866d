//! The judgement: every policy on the object, once; an object that a controller owns as its Pods will be, with the
//! edits in memory. What an update inherited is told by `before`.

use std::sync::Arc;
use std::time::Instant;

use portreeve_admission::case::{Case, Facts};
use portreeve_admission::decision::{Answer, Circumstances, Decision, Found};
use portreeve_admission::document::Document;
use portreeve_admission::plan::{Editable, Plan};
use portreeve_admission::policy::Policy;
use portreeve_admission::subject::SubjectError;
use portreeve_admission::verdict::{Failure, Outcome};
use tracing::instrument;

use super::before::Before;
use super::correct::{Correction, Version, cases, halfway, settle};
use super::{Gate, Met};
use crate::traces::STEPS;

/// What came of judging.
#[derive(Debug)]
pub struct Judgement {
    /// The decision.
    pub decision: Decision,
    /// The facts that it rests on.
    pub facts: Vec<Arc<Facts>>,
    /// Policies that took part.
    pub asked: Vec<String>,
    /// Set if the template can't be read: then no policy could judge it, and each takes its failure mode.
    pub unreadable: Option<SubjectError>,
    /// Whether it would have been held up, had denials not been dropped.
    pub spared: bool,
}

impl Judgement {
    /// How the request is answered.
    #[must_use]
    pub fn answer(&self) -> Answer {
        self.decision.answer()
    }
}

pub(super) async fn judge(gate: &Gate, met: &Met, deadline: Instant) -> Judgement {
    let policies: Vec<&Policy> = met.policies().filter(|policy| policy.can.validate).collect();
    let mut judgement = Judgement {
        decision: Decision::default(),
        facts: Vec::new(),
        asked: policies.iter().map(|policy| policy.id.clone()).collect(),
        unreadable: None,
        spared: false,
    };
    if policies.is_empty() {
        return judgement;
    }
    if let Err(unreadable) = judge_into(gate, met, &policies, deadline, &mut judgement).await {
        for policy in &policies {
            judgement.decision.fail(policy, Failure::Unreadable(unreadable.to_string()));
        }
        judgement.unreadable = Some(unreadable);
    }
    judgement
}

async fn judge_into(
    gate: &Gate,
    met: &Met,
    policies: &[&Policy],
    deadline: Instant,
    judgement: &mut Judgement,
) -> Result<(), SubjectError> {
    let nothing = || Arc::new(Document::from_value(serde_json::Value::Null));
    let came = met.review.object.clone().unwrap_or_else(nothing);
    let (object, correction) = as_judged(gate, met, &came, deadline).await;
    let policies = &unhindered(policies, &correction);
    judgement.facts.extend(correction.facts.iter().map(Arc::clone));
    let mut judged = Vec::new();
    let is_compared = met.review.old_object.is_some();
    for case in cases(gate, met, Version { now: &object, came: &came }, policies, deadline).await? {
        judgement.facts.push(Arc::clone(&case.facts));
        let until = if is_compared { halfway(deadline) } else { deadline };
        let outcomes = gate.run(met, Arc::new(case.clone()), policies, until).await;
        judged.push(Judged { case, outcomes });
    }
    let before = Before::of(gate, met, policies, &judged, deadline).await;
    let mut found = Vec::new();
    for Judged { case, outcomes } in &judged {
        let before = before.outcomes(case, policies, outcomes).await;
        for ((policy, outcome), before) in policies.iter().zip(outcomes).zip(before) {
            found.push(Found { policy, subject: case.subject.as_ref(), outcome: outcome.clone(), before });
        }
    }
    judgement.facts.extend(before.into_facts());
    // Whoever was neither asked nor failed has not passed.
    let failed = |id: &String| correction.failures.iter().any(|failure| failure.policy == *id);
    judgement.asked.retain(|id| failed(id) || policies.iter().any(|policy| policy.id == *id));
    judgement.decision = decide(met, found);
    judgement.decision.failures.extend(correction.failures);
    Ok(())
}

#[instrument(name = "decide", target = STEPS, level = "trace", skip_all)]
fn decide(met: &Met, found: Vec<Found<'_>>) -> Decision {
    let namespace = met.review.request.namespace.as_deref().unwrap_or_default();
    let circumstances =
        Circumstances { namespace, annotations: met.annotations(), exceptions: met.set.exceptions(), now: met.now };
    Decision::of(found, &circumstances)
}

/// What the policies said of one template.
pub(super) struct Judged {
    pub(super) case: Case,
    pub(super) outcomes: Vec<Outcome>,
}

/// An object as it is judged: as it came, or with the edits that its Pods will get and what came of the rounds.
pub(super) async fn as_judged(
    gate: &Gate,
    met: &Met,
    came: &Arc<Document>,
    deadline: Instant,
) -> (Arc<Document>, Correction) {
    if !matches!(met.plan, Plan::Judge { as_pods_will_be: true, .. }) || met.review.object.is_none() {
        return (Arc::clone(came), Correction::nothing());
    }
    let correction = settle(gate, met, came, Editable::Everything, halfway(deadline)).await;
    (correction.object.clone().unwrap_or_else(|| Arc::clone(came)), correction)
}

/// The policies whose word counts after these rounds: a failure to edit must not come out as a violation of what the
/// edit would have mended.
fn unhindered<'a>(policies: &[&'a Policy], correction: &Correction) -> Vec<&'a Policy> {
    policies.iter().copied().filter(|policy| hindrance(policy, correction).is_none()).collect()
}

/// Why the word of a policy does not count after these rounds. Rounds that broke off leave no edit of anybody's. Where
/// that refuses, nobody else has a word about it; where it is let pass, the Pods will be judged as they are written,
/// and so is this template.
pub(super) fn hindrance<'a>(policy: &Policy, correction: &'a Correction) -> Option<&'a Failure> {
    let own = correction.failures.iter().find(|failure| failure.policy == policy.id);
    let refusing = correction.failures.iter().find(|failure| failure.refuses());
    let of_all = || refusing.filter(|_| correction.broken && policy.edits());
    own.or_else(of_all).map(|failure| &failure.failure)
}
