//! The object before an update, judged for comparison: only what is new counts. It is judged just as the new one is, so
//! an object that a controller owns with the edits that its Pods get; and only by policies that found something.

use std::sync::Arc;
use std::time::Instant;

use portreeve_admission::case::{Case, Facts, Operation};
use portreeve_admission::document::Document;
use portreeve_admission::policy::Policy;
use portreeve_admission::verdict::Outcome;

use super::correct::{Correction, Version, cases};
use super::judge::{Judged, as_judged, hindrance};
use super::{Gate, Met};

/// The object before the request, ready to be judged.
pub(super) struct Before<'a> {
    gate: &'a Gate,
    met: &'a Met,
    deadline: Instant,
    /// One for each template that it had; none if nobody asks.
    cases: Vec<Case>,
    correction: Correction,
}

impl<'a> Before<'a> {
    /// What is needed to compare these outcomes: nothing, if the request is no update or nobody found anything.
    pub(super) async fn of(
        gate: &'a Gate,
        met: &'a Met,
        policies: &[&Policy],
        judged: &[Judged],
        deadline: Instant,
    ) -> Self {
        let asks = |index: usize| judged.iter().any(|judged| judged.outcomes.get(index).is_some_and(found));
        let asking: Vec<&Policy> =
            policies.iter().enumerate().filter(|(index, _)| asks(*index)).map(|(_, policy)| *policy).collect();
        let mut before = Self { gate, met, deadline, cases: Vec::new(), correction: Correction::nothing() };
        let (Operation::Update, Some(old)) = (met.review.request.operation, &met.review.old_object) else {
            return before;
        };
        if !asking.is_empty() {
            before.prepare(old, &asking).await;
        }
        before
    }

    /// What each of the policies that found something in this case finds in the template that it was before; none where
    /// nobody has to ask, or nothing was there.
    pub(super) async fn outcomes(
        &self,
        case: &Case,
        policies: &[&Policy],
        outcomes: &[Outcome],
    ) -> Vec<Option<Outcome>> {
        let mut before = vec![None; policies.len()];
        let Some(old) = self.cases.iter().find(|old| is_before(old, case)) else { return before };
        let asking: Vec<(usize, &Policy)> = policies
            .iter()
            .zip(outcomes)
            .enumerate()
            .filter(|(_, (_, outcome))| found(outcome))
            .map(|(index, (policy, _))| (index, *policy))
            .collect();
        let asked: Vec<&Policy> = asking.iter().map(|(_, policy)| *policy).collect();
        let answers = self.gate.run(self.met, Arc::new(old.clone()), &asked, self.deadline).await;
        for ((index, policy), answer) in asking.into_iter().zip(answers) {
            let answer = hindrance(policy, &self.correction).map_or(answer, |failure| Outcome::Failed(failure.clone()));
            if let Some(place) = before.get_mut(index) {
                *place = Some(answer);
            }
        }
        before
    }

    /// The facts that the comparison rests on.
    pub(super) fn into_facts(self) -> impl Iterator<Item = Arc<Facts>> {
        self.correction.facts.into_iter().chain(self.cases.into_iter().map(|case| case.facts))
    }

    async fn prepare(&mut self, old: &Arc<Document>, asking: &[&Policy]) {
        let (object, correction) = as_judged(self.gate, self.met, old, self.deadline).await;
        let version = Version { now: &object, came: old };
        // A template that could not be read before was none: all that is found now is new.
        if let Ok(cases) = cases(self.gate, self.met, version, asking, self.deadline).await {
            (self.cases, self.correction) = (cases, correction);
        }
    }
}

fn found(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Verdict(verdict) if !verdict.violations.is_empty())
}

/// Whether a case of the old object is about what a case of the new one is about.
fn is_before(old: &Case, case: &Case) -> bool {
    match (&case.subject, &case.old_subject, &old.subject) {
        (None, _, old) => old.is_none(),
        (Some(_), Some(before), Some(old)) => {
            (before.at.pointer(), before.at.name()) == (old.at.pointer(), old.at.name())
        }
        _ => false,
    }
}
