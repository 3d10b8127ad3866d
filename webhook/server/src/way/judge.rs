//! The judgement: every policy on the object, once; on UPDATE those that found something on the old object too, since
//! only what is new counts. An object that a controller owns is judged as its Pods will be, with the edits in memory.

use std::sync::Arc;
use std::time::Instant;

use portreeve_admission::case::{Case, Facts, Operation};
use portreeve_admission::decision::{Answer, Circumstances, Decision, Found};
use portreeve_admission::document::Document;
use portreeve_admission::plan::{Editable, Plan};
use portreeve_admission::policy::Policy;
use portreeve_admission::settle::Settling;
use portreeve_admission::subject::SubjectError;
use portreeve_admission::verdict::{Failure, Outcome};

use super::correct::{Correction, cases, halfway, settle, template_of};
use super::facts::{Sources, gather};
use super::{Gate, Met};

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
}

impl Judgement {
    /// How the request is answered.
    #[must_use]
    pub fn answer(&self) -> Answer {
        self.decision.answer()
    }
}

pub(super) async fn judge(gate: &Gate, met: &Met, deadline: Instant) -> Judgement {
    let policies: Vec<&Policy> = met.policies.iter().filter(|policy| policy.can.validate).collect();
    let mut judgement = Judgement {
        decision: Decision::default(),
        facts: Vec::new(),
        asked: policies.iter().map(|policy| policy.id.clone()).collect(),
        unreadable: None,
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
    let as_pods = matches!(met.plan, Plan::Judge { as_pods_will_be: true, .. });
    let (object, correction) = match &met.review.object {
        Some(object) if as_pods => as_pods_will_be(gate, met, object, deadline).await,
        Some(object) => (Arc::clone(object), Correction::nothing()),
        None => (Arc::new(Document::from_value(serde_json::Value::Null)), Correction::nothing()),
    };
    let policies = &unhindered(policies, &correction);
    judgement.facts.extend(correction.facts);
    let cases = cases(gate, met, &object, policies, deadline).await?;
    let mut found = Vec::new();
    for case in &cases {
        judgement.facts.push(Arc::clone(&case.facts));
        let outcomes = gate.runner.run(&met.set, Arc::new(case.clone()), policies, deadline).await;
        let before = before(gate, met, case, policies, &outcomes, deadline).await;
        for ((policy, outcome), before) in policies.iter().zip(outcomes).zip(before) {
            found.push(Found { policy, subject: case.subject.as_ref(), outcome, before });
        }
    }
    let namespace = met.review.request.namespace.as_deref().unwrap_or_default();
    let circumstances =
        Circumstances { namespace, annotations: met.annotations(), exceptions: met.set.exceptions(), now: met.now };
    judgement.decision = Decision::of(found, &circumstances);
    judgement.decision.failures.extend(correction.failures);
    Ok(())
}

/// The object with the edits that its Pods will get, and what came of the rounds.
async fn as_pods_will_be(
    gate: &Gate,
    met: &Met,
    object: &Arc<Document>,
    deadline: Instant,
) -> (Arc<Document>, Correction) {
    let settling = Settling::new(Arc::clone(object), Editable::Everything);
    let correction = settle(gate, met, settling, halfway(deadline)).await;
    (correction.object.clone().unwrap_or_else(|| Arc::clone(object)), correction)
}

/// The policies whose word counts after these rounds: a failure to edit must not come out as a violation of what the
/// edit would have mended.
fn unhindered<'a>(policies: &[&'a Policy], correction: &Correction) -> Vec<&'a Policy> {
    let failed = |policy: &Policy| correction.failures.iter().any(|failure| failure.policy == policy.id);
    let kept = policies.iter().filter(|policy| !failed(policy) && (!correction.broken || !policy.edits()));
    kept.copied().collect()
}

/// On UPDATE, what the policies that found something find on the old template: one for each policy, none where nobody
/// had to ask.
async fn before(
    gate: &Gate,
    met: &Met,
    case: &Case,
    policies: &[&Policy],
    outcomes: &[Outcome],
    deadline: Instant,
) -> Vec<Option<Outcome>> {
    let mut before = vec![None; policies.len()];
    let (Operation::Update, Some(old)) = (met.review.request.operation, &met.review.old_object) else { return before };
    let found = |outcome: &Outcome| matches!(outcome, Outcome::Verdict(verdict) if !verdict.violations.is_empty());
    let asking: Vec<usize> =
        outcomes.iter().enumerate().filter(|(_, outcome)| found(outcome)).map(|(n, _)| n).collect();
    if asking.is_empty() || (case.subject.is_some() && case.old_subject.is_none()) {
        return before;
    }
    let asked: Vec<&Policy> = asking.iter().filter_map(|index| policies.get(*index).copied()).collect();
    let namespace = met.set.namespace(met.review.request.namespace.as_deref());
    let sources = Sources { images: &gate.images, namespace: &namespace };
    let facts = gather(&sources, &asked, template_of(case.old_subject.as_ref()), None, halfway(deadline)).await;
    let old_case = Case {
        object: Some(Arc::clone(old)),
        subject: case.old_subject.clone(),
        facts: Arc::new(facts),
        ..case.clone()
    };
    let answers = gate.runner.run(&met.set, Arc::new(old_case), &asked, deadline).await;
    for (index, answer) in asking.into_iter().zip(answers) {
        if let Some(place) = before.get_mut(index) {
            *place = Some(answer);
        }
    }
    before
}
