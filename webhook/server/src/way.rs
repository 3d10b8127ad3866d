//! The way of a request, in the order of the design: decode, match, rounds or decision, record, respond. Each word is
//! one call; what a word means is in the module of that name.

mod before;
mod beside;
mod book;
mod correct;
mod facts;
mod judge;
mod line;
mod missed;
mod named;
mod record;
mod respond;
mod run;
mod seats;
mod shelf;
mod spare;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use portreeve_admission::break_glass::{BreakGlass, drop_denials};
use portreeve_admission::case::{Case, FactKind};
use portreeve_admission::decision::{Answer, Decision};
use portreeve_admission::matching::{is_namespace, selected};
use portreeve_admission::plan::{Editable, Plan};
use portreeve_admission::policy::Policy;
use portreeve_admission::response::Response;
use portreeve_admission::review::{Review, ReviewError, decode};
use portreeve_admission::subject::TemplatePaths;
use portreeve_admission::verdict::{Failure, Outcome};
use portreeve_supply::Images;
use tracing::{Instrument as _, instrument};

pub use book::{Book, BookError};
pub use correct::Correction;
pub use judge::Judgement;
pub use missed::Missing;
pub use named::named;
pub use run::{Runner, Weight};

use crate::around::Around;
use crate::config::WithoutRecord;
use crate::deadline::Deadlines;
use crate::metrics::PolicyOutcome;
use crate::set::{Namespace, PolicySet, Seat};
use crate::traces::{self, STEPS};
use crate::witness::Witness;

/// All that requests pass through. One for the whole server; `check` and `render` have one too.
pub struct Gate {
    /// The set in force. Replaced whole.
    pub set: ArcSwap<PolicySet>,
    /// Where facts about images come from.
    pub images: Images,
    /// Where decisions are kept.
    pub book: Book,
    /// Who tells what stands around an object.
    pub around: Around,
    /// The kinds that have pod templates.
    pub paths: TemplatePaths,
    /// Runs policies, so many at once.
    pub runner: Runner,
    /// What time it is: exceptions expire.
    pub clock: fn() -> Timestamp,
    /// Who is told what becomes of requests, if somebody is.
    pub witness: Option<Arc<dyn Witness>>,
}

/// An answered call, with what the metrics ask of it.
#[derive(Debug)]
pub struct Answered {
    /// What goes back.
    pub response: Response,
    /// How it was decided.
    pub answer: Answer,
    /// Whether nothing would have been stored.
    pub dry_run: bool,
    /// What became of it, if a record of it should be in the book and is not.
    pub unrecorded: Option<WithoutRecord>,
    /// How long it took until the record was kept, if there is one.
    pub recorded_in: Option<Duration>,
    /// Rounds of edits.
    pub rounds: u32,
    /// Each policy that took part.
    pub outcomes: Vec<PolicyOutcome>,
}

/// A review with the set that it meets: both stay as they are until it is answered.
pub struct Met {
    /// The call.
    pub review: Review,
    /// What may be done with it.
    pub plan: Plan,
    /// The set.
    pub set: Arc<PolicySet>,
    /// The policies that see the review.
    selected: Vec<Seat>,
    /// Why it can't be told of some of them whether they do, by their ids.
    unclear: HashMap<String, String>,
    /// What is known of the request's namespace, or why nothing is.
    pub namespace: Result<Namespace, String>,
    /// When it came.
    pub now: Timestamp,
    /// The same by a clock that only goes on.
    pub begun: Instant,
}

impl Met {
    /// The policies that see the review.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.selected.iter().filter_map(|seat| self.set.policy(*seat))
    }

    /// The switch by which denials are dropped now, if it is set.
    #[must_use]
    pub fn break_glass(&self) -> Option<&BreakGlass> {
        self.set.break_glass().filter(|glass| glass.is_open(self.now))
    }

    /// Whether it is let pass whatever becomes of its record: a book that fails must not stand in the way of what mends
    /// the cluster, or the volume under the book.
    fn is_never_held_up(&self) -> bool {
        self.plan == Plan::Pass || self.set.index().excludes(&self.review)
    }

    /// Why a policy can't judge the review: whether it is for it, by a condition or by the namespace, is not known.
    fn out_of_reach(&self, policy: &Policy) -> Option<Failure> {
        if let Some(unclear) = self.unclear.get(&policy.id) {
            return Some(Failure::Unclear(unclear.clone()));
        }
        let reason = self.namespace.as_ref().err()?;
        let base = self.set.policies().iter().find(|base| base.id == policy.id)?;
        if is_namespace(&self.review) || !base.asks_for_namespace(&self.review) {
            return None;
        }
        let name = self.review.request.namespace.clone().unwrap_or_default();
        Some(Failure::MissingFact { kind: FactKind::Namespace.name().to_owned(), key: name, reason: reason.clone() })
    }

    /// Annotations of the object, or of what it was where there is none now.
    fn annotations(&self) -> &BTreeMap<String, String> {
        let review = &self.review;
        if review.object.is_some() { &review.meta.annotations } else { &review.old_meta.annotations }
    }
}

/// The review in a body.
#[instrument(name = "decode", target = STEPS, level = "trace", skip_all)]
fn decoded(body: &[u8]) -> Result<Review, ReviewError> {
    decode(body)
}

/// The same, and whoever follows the call is told what it is about.
fn read(body: &[u8]) -> Result<Review, ReviewError> {
    let review = decoded(body)?;
    traces::about(&review);
    Ok(review)
}

impl Gate {
    /// Answers `/mutate`: the defaults that are missing, as a patch. Violations are for `/validate`.
    ///
    /// # Errors
    /// If the body is no review that can be judged.
    pub async fn mutate(&self, body: &[u8], deadlines: Deadlines) -> Result<Answered, ReviewError> {
        let review = read(body)?;
        let line = line::of_mutate(&review);
        Ok(self.correction_of(review, deadlines).instrument(line).await)
    }

    async fn correction_of(&self, review: Review, deadlines: Deadlines) -> Answered {
        let met = self.meet(review, deadlines.judged).await;
        let correction = self.correct(&met, deadlines.judged).await;
        let recorded = self.record_correction(&met, &correction, deadlines.recorded).await;
        if correction.answer() != Answer::Allowed {
            self.tell(&met, &Decision { failures: correction.failures.clone(), ..Decision::default() });
        }
        let answered = respond::to_mutate(&met, &correction, recorded);
        line::end(&met.review, &answered);
        answered
    }

    /// Answers `/validate`: the decision.
    ///
    /// # Errors
    /// If the body is no review that can be judged.
    pub async fn validate(&self, body: &[u8], deadlines: Deadlines) -> Result<Answered, ReviewError> {
        let review = read(body)?;
        let line = line::of_validate(&review);
        Ok(self.decision_of(review, deadlines).instrument(line).await)
    }

    async fn decision_of(&self, review: Review, deadlines: Deadlines) -> Answered {
        let met = self.meet(review, deadlines.judged).await;
        let judgement = self.judge(&met, deadlines.judged).await;
        let recorded = self.record_decision(&met, &judgement, deadlines.recorded).await;
        self.tell(&met, &judgement.decision);
        let answered = respond::to_validate(&met, &judgement, recorded);
        line::end(&met.review, &answered);
        answered
    }

    /// Tells of a request that somebody should look after.
    fn tell(&self, met: &Met, decision: &Decision) {
        let says_nothing = decision.findings.is_empty() && decision.failures.is_empty();
        if let Some(witness) = self.witness.as_ref().filter(|_| !(met.review.dry_run || says_nothing)) {
            witness.saw(&met.review, decision);
        }
    }

    /// Which policies see the review. What is known of its namespace may have to be asked for.
    #[instrument(name = "match", target = STEPS, level = "trace", skip_all)]
    pub async fn meet(&self, review: Review, deadline: Instant) -> Met {
        let begun = Instant::now();
        let set = self.set.load_full();
        let plan = Plan::of(&review, &self.paths);
        let candidates = set.index().candidates(&review, plan, &self.paths);
        let name = review.request.namespace.as_deref();
        let namespace = self.around.namespace(&set, name, correct::halfway(deadline)).await;
        let labels = namespace.as_ref().map(|namespace| &namespace.labels).ok();
        let selected = selected(set.policies(), &candidates, &review, labels);
        let mut selected = seats::seated(&set, &review, selected, labels);
        let unclear = seats::meet_conditions(&set, &review, &mut selected);
        Met { review, plan, set, selected, unclear, namespace, now: (self.clock)(), begun }
    }

    /// The rounds of `/mutate`: what is missing is put in until nothing changes.
    pub async fn correct(&self, met: &Met, deadline: Instant) -> Correction {
        let (Some(object), Plan::Judge { edit, .. }) = (&met.review.object, met.plan) else {
            return Correction::nothing();
        };
        let correction = correct::settle(self, met, object, edit, deadline).await;
        if edit == Editable::BackToBefore && !self.leads_back(met, &correction) {
            return correction.without_edits();
        }
        correction.patched(object)
    }

    /// Whether the corrected object has the templates that it had before.
    fn leads_back(&self, met: &Met, correction: &Correction) -> bool {
        let objects = correction.object.as_ref().zip(met.review.old_object.as_ref());
        objects.is_some_and(|(new, old)| self.paths.same_templates(&met.review.request.kind, new, old))
    }

    /// What each of these policies says of a case, in their order.
    async fn run(&self, met: &Met, case: Arc<Case>, policies: &[&Policy], deadline: Instant) -> Vec<Outcome> {
        let out_of_reach: Vec<Option<Failure>> = policies.iter().map(|policy| met.out_of_reach(policy)).collect();
        let within = policies.iter().zip(&out_of_reach).filter(|(_, failure)| failure.is_none());
        let within: Vec<&Policy> = within.map(|(policy, _)| *policy).collect();
        let weight = Weight::of(&met.review);
        let outcomes = self.runner.run(&met.set, case, weight, &within, deadline).await;
        let mut outcomes = within.iter().zip(outcomes).map(|(policy, outcome)| remediable(policy, outcome));
        let outcome = |failure: Option<Failure>| match failure {
            Some(failure) => Outcome::Failed(failure),
            None => outcomes.next().unwrap_or(Outcome::Failed(Failure::NoTurn)),
        };
        out_of_reach.into_iter().map(outcome).collect()
    }

    /// The judgement of `/validate`: of the object as sent, or as its Pods will be.
    pub async fn judge(&self, met: &Met, deadline: Instant) -> Judgement {
        let mut judgement = judge::judge(self, met, deadline).await;
        if met.break_glass().is_some() {
            judgement.spared = judgement.answer() != Answer::Allowed;
            drop_denials(&mut judgement.decision);
        }
        judgement
    }
}

/// The same, with a remedy that its author has: nobody can grant a namespace's own policy a fact.
fn remediable(policy: &Policy, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(Failure::MissingFact { kind, key, .. }) if policy.of_namespace.is_some() => {
            let reason = "a Policy can't be granted facts: ask for a ClusterPolicy in its place".to_owned();
            Outcome::Failed(Failure::MissingFact { kind, key, reason })
        }
        outcome => outcome,
    }
}
