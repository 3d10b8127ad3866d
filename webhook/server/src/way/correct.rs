//! The rounds of edits: facts, policies, edits, until nothing changes, stage by stage.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use portreeve_admission::break_glass::drop_refusals;
use portreeve_admission::case::{Case, Facts, Subject};
use portreeve_admission::decision::{Answer, Decision, PolicyFailure};
use portreeve_admission::document::Document;
use portreeve_admission::edit::Claim;
use portreeve_admission::exception::{Exception, Occasion};
use portreeve_admission::patch::{self, Patch};
use portreeve_admission::plan::Editable;
use portreeve_admission::policy::Policy;
use portreeve_admission::settle::{Asked, Round, Settling};
use portreeve_admission::subject::{Seat, SubjectError};
use portreeve_admission::template::Template;
use portreeve_admission::verdict::{Edit, Failure, Outcome, Root, Verdict, Violation};
use tracing::instrument;

use super::facts::{Sources, gather};
use super::spare::around_spared;
use super::{Gate, Met};
use crate::traces::STEPS;

/// What came of the rounds.
#[derive(Debug, Default)]
pub struct Correction {
    /// The object as it settled; none if it is as it came.
    pub object: Option<Arc<Document>>,
    /// What leads there from the object as it came; none until it is asked for by [`Correction::patched`].
    pub patch: Option<Patch>,
    /// All edits, in the order they were made; none if the rounds broke off.
    pub made: Vec<Claim>,
    /// Policies that came to no verdict, or whose edits could not be made.
    pub failures: Vec<PolicyFailure>,
    /// The facts of every round.
    pub facts: Vec<Arc<Facts>>,
    /// Exceptions that stopped an edit, each once, by the name under which its use is recorded.
    pub exceptions: Vec<String>,
    /// Policies that took part.
    pub asked: Vec<String>,
    /// Rounds that there were.
    pub rounds: u32,
    /// Set if the rounds broke off: then nothing was edited, and what edits would have mended stands.
    pub broken: bool,
    /// Set if the template can't be read.
    pub unreadable: Option<SubjectError>,
}

impl Correction {
    /// Nothing was there to correct.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// How the call is answered. Violations are for `/validate`: here only a failure refuses.
    #[must_use]
    pub fn answer(&self) -> Answer {
        if self.failures.iter().any(PolicyFailure::refuses) { Answer::Failed } else { Answer::Allowed }
    }

    /// The same with the object as it came.
    #[must_use]
    pub fn without_edits(self) -> Self {
        Self { object: None, made: Vec::new(), ..self }
    }

    /// The same with the patch that leads from the object as it came.
    #[must_use]
    pub fn patched(self, came: &Document) -> Self {
        let patch = self.object.as_ref().and_then(|object| patch::between(came.value(), object.value()));
        Self { patch, ..self }
    }
}

/// Settles an object, of which so much may be edited. A policy that fails halfway is as if it had never been asked: the
/// object comes to rest once more without it, since nobody has looked at what half of its edits make.
pub(super) async fn settle(
    gate: &Gate,
    met: &Met,
    came: &Arc<Document>,
    edit: Editable,
    deadline: Instant,
) -> Correction {
    let mut rounds = Rounds {
        gate,
        met,
        came: Arc::clone(came),
        edit,
        settling: settling(met, came, edit),
        out: HashSet::new(),
        failed: Decision::default(),
        done: Correction::nothing(),
    };
    loop {
        match rounds.stages(deadline).await {
            Ended::AtRest if rounds.is_half_done() => rounds.begin_anew(),
            Ended::AtRest => return rounds.finish(),
            Ended::Broken => return rounds.broken(),
            Ended::Unreadable(policies, error) => return rounds.unreadable(&policies, error),
        }
    }
}

fn settling(met: &Met, came: &Arc<Document>, edit: Editable) -> Settling {
    Settling::new(Arc::clone(came), edit).after(met.review.old_object.as_deref())
}

/// Who edits, stage by stage. Facts about images have to be about the images that will run: so what renames them comes
/// first, then what rewrites them by what is known of them, then all others.
fn stages<'a>(policies: impl Iterator<Item = &'a Policy>) -> [Vec<&'a Policy>; 3] {
    let mut stages: [Vec<&Policy>; 3] = Default::default();
    let [renaming, rewriting, others] = &mut stages;
    for policy in policies.filter(|policy| policy.edits()) {
        match (policy.can.rewrite_images, policy.facts.iter().any(|kind| kind.is_about_images())) {
            (true, false) => renaming.push(policy),
            (true, true) => rewriting.push(policy),
            (false, _) => others.push(policy),
        }
    }
    stages
}

struct Rounds<'a> {
    gate: &'a Gate,
    met: &'a Met,
    came: Arc<Document>,
    edit: Editable,
    settling: Settling,
    /// Policies that are no longer asked.
    out: HashSet<String>,
    failed: Decision,
    done: Correction,
}

/// What one policy asked for, of one template.
struct Wish {
    policy: String,
    at: Seat,
    edits: Vec<Edit>,
}

/// How the rounds of all stages ended.
enum Ended<'a> {
    AtRest,
    Broken,
    /// These policies were to look at it.
    Unreadable(Vec<&'a Policy>, SubjectError),
}

impl<'a> Rounds<'a> {
    async fn stages(&mut self, deadline: Instant) -> Ended<'a> {
        for stage in stages(self.met.policies()).into_iter().filter(|stage| !stage.is_empty()) {
            self.settling.next_stage();
            match self.stage(&stage, deadline).await {
                Ok(true) => {}
                Ok(false) => return Ended::Broken,
                Err(unreadable) => return Ended::Unreadable(stage, unreadable),
            }
        }
        Ended::AtRest
    }

    /// Whether something stands there of a policy that failed since. Where its failure refuses, nothing will stand.
    fn is_half_done(&self) -> bool {
        let mut made = self.settling.made().iter();
        !self.failed.failures.iter().any(PolicyFailure::refuses) && made.any(|claim| self.out.contains(&claim.policy))
    }

    fn begin_anew(&mut self) {
        self.settling = settling(self.met, &self.came, self.edit);
        self.done.asked.clear();
        self.done.exceptions.clear();
    }

    /// Rounds of one stage. False if they broke off.
    async fn stage(&mut self, policies: &[&Policy], deadline: Instant) -> Result<bool, SubjectError> {
        self.done.asked.extend(policies.iter().map(|policy| policy.id.clone()));
        loop {
            let asked: Vec<&Policy> =
                policies.iter().copied().filter(|policy| !self.out.contains(&policy.id)).collect();
            let wishes = self.ask(&asked, deadline).await?;
            match self.make(&wishes) {
                Round::Settled => return Ok(true),
                Round::Edited => {}
                Round::Refused(failures) => self.fail(failures),
                Round::Broken(failures) => {
                    self.fail(failures);
                    return Ok(false);
                }
            }
        }
    }

    async fn ask(&mut self, policies: &[&Policy], deadline: Instant) -> Result<Vec<Wish>, SubjectError> {
        self.done.rounds = self.done.rounds.saturating_add(1);
        let mut wishes = Vec::new();
        let version = Version { now: self.settling.object(), came: &self.came };
        for case in cases(self.gate, self.met, version, policies, deadline).await? {
            self.done.facts.push(Arc::clone(&case.facts));
            let subject = case.subject.clone();
            // Somebody has to look again: one that takes all the time there is must not cost the others their verdict.
            let outcomes = self.gate.run(self.met, Arc::new(case), policies, halfway(deadline)).await;
            for (policy, outcome) in policies.iter().zip(outcomes) {
                wishes.extend(self.wish(policy, subject.as_ref(), outcome));
            }
        }
        Ok(wishes)
    }

    fn wish(&mut self, policy: &Policy, subject: Option<&Subject>, outcome: Outcome) -> Option<Wish> {
        match outcome {
            Outcome::Verdict(verdict) => {
                let edits = self.unexcepted(policy, template_of(subject), verdict);
                let at = subject.map(|subject| subject.at.clone()).unwrap_or_default();
                Some(Wish { policy: policy.id.clone(), at, edits })
            }
            Outcome::Failed(failure) => {
                self.fail(vec![(policy.id.clone(), failure)]);
                None
            }
        }
    }

    /// The edits that no exception stops, none of which reaches a container that one spares.
    fn unexcepted(&mut self, policy: &Policy, template: Option<&Template>, verdict: Verdict) -> Vec<Edit> {
        let mut edits = Vec::new();
        let wanted = distinct(verdict.edits);
        if !self.may_be_excepted(policy) {
            return wanted;
        }
        for edit in wanted {
            let container = template.and_then(|template| container_of(&edit, template));
            if self.excepted(policy, &edit.rule, container, template) {
                continue;
            }
            let Some(within) = template else {
                edits.push(edit);
                continue;
            };
            let is_spared = |violation: &Violation| {
                self.excepted(policy, &violation.rule, violation.container.as_deref(), template)
            };
            edits.extend(around_spared(edit, within, &verdict.violations, is_spared));
        }
        edits
    }

    fn may_be_excepted(&self, policy: &Policy) -> bool {
        let namespace = self.met.review.request.namespace.as_deref().unwrap_or_default();
        self.met.set.exceptions().iter().any(|exception| exception.is_about(namespace, &policy.id))
    }

    fn excepted(&mut self, policy: &Policy, rule: &str, container: Option<&str>, template: Option<&Template>) -> bool {
        let occasion = Occasion {
            namespace: self.met.review.request.namespace.as_deref().unwrap_or_default(),
            policy: &policy.id,
            rule,
            container,
            template,
            annotations: self.met.annotations(),
            now: self.met.now,
        };
        let covering = self.met.set.exceptions().iter().find(|exception| exception.covers(&occasion));
        let Some(used) = covering.map(Exception::use_name) else { return false };
        if !self.done.exceptions.contains(&used) {
            self.done.exceptions.push(used);
        }
        true
    }

    #[instrument(
        name = "edit", target = STEPS, level = "trace", skip_all,
        fields(round = self.done.rounds, edits = wishes.iter().map(|wish| wish.edits.len()).sum::<usize>())
    )]
    fn make(&mut self, wishes: &[Wish]) -> Round {
        let standing = wishes.iter().filter(|wish| !self.out.contains(&wish.policy));
        let asked: Vec<Asked<'_>> = standing
            .map(|wish| Asked { policy: &wish.policy, template: &wish.at, edits: wish.edits.iter().collect() })
            .collect();
        self.settling.round(&asked)
    }

    fn fail(&mut self, failures: Vec<(String, Failure)>) {
        let known: HashMap<&str, &Policy> = self.met.policies().map(|policy| (policy.id.as_str(), policy)).collect();
        for (id, failure) in failures {
            if let (true, Some(policy)) = (self.out.insert(id.clone()), known.get(id.as_str())) {
                self.failed.fail(policy, failure);
            }
        }
        // Before anybody asks which of them refuse: what stands and what goes depends on it.
        if self.met.break_glass().is_some() {
            drop_refusals(&mut self.failed.failures);
        }
    }

    fn finish(mut self) -> Correction {
        self.done.made = self.settling.made().to_vec();
        let object = self.settling.object();
        self.done.object = (!Arc::ptr_eq(&self.came, object)).then(|| Arc::clone(object));
        Correction { failures: self.failed.failures, ..self.done }
    }

    /// No policy can look at what can't be read.
    fn unreadable(mut self, policies: &[&Policy], error: SubjectError) -> Correction {
        self.fail(policies.iter().map(|policy| (policy.id.clone(), Failure::Unreadable(error.to_string()))).collect());
        Correction { unreadable: Some(error), ..self.broken() }
    }

    /// Without a patch: nothing that was made is kept.
    fn broken(self) -> Correction {
        Correction { failures: self.failed.failures, broken: true, ..self.done }
    }
}

/// An object in its rounds, and as it was before them: what the request left as it was is told by the latter.
#[derive(Clone, Copy)]
pub(super) struct Version<'a> {
    pub(super) now: &'a Arc<Document>,
    pub(super) came: &'a Arc<Document>,
}

/// One case for each template of the object, or one for the object itself if it has none.
#[instrument(name = "facts", target = STEPS, level = "trace", skip_all)]
pub(super) async fn cases(
    gate: &Gate,
    met: &Met,
    Version { now, came }: Version<'_>,
    policies: &[&Policy],
    deadline: Instant,
) -> Result<Vec<Case>, SubjectError> {
    let review = &met.review;
    let subjects = gate.paths.compared(&review.request.kind, now, came, review.old_object.as_deref())?;
    let gathered = halfway(deadline);
    let sources = Sources::of(gate, met);
    let mut cases = Vec::new();
    let each = subjects.into_iter().map(|compared| (Some(compared.subject), compared.before));
    let each: Vec<_> = if each.len() == 0 { vec![(None, None)] } else { each.collect() };
    for (subject, old_subject) in each {
        let (template, before) = (template_of(subject.as_ref()), template_of(old_subject.as_ref()));
        let facts = gather(&sources, policies, template, before, gathered).await;
        cases.push(Case {
            request: Arc::clone(&review.request),
            object: Some(Arc::clone(now)),
            old_object: review.old_object.clone(),
            subject,
            old_subject,
            facts: Arc::new(facts),
        });
    }
    Ok(cases)
}

/// Whoever others wait for takes at most half of the time that is left: facts, so that a slow registry leaves the
/// policies theirs, and every look at an object that another one follows.
pub(super) fn halfway(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}

/// Each edit once: a policy may ask for what a pod lacks at every container that misses it.
fn distinct(edits: Vec<Edit>) -> Vec<Edit> {
    let mut seen = HashSet::new();
    let is_first: Vec<bool> = edits.iter().map(|edit| seen.insert(edit)).collect();
    edits.into_iter().zip(is_first).filter_map(|(edit, is_first)| is_first.then_some(edit)).collect()
}

/// The views of a template, if there is one.
fn template_of(subject: Option<&Subject>) -> Option<&Template> {
    subject.map(|subject| subject.template.as_ref())
}

/// The container that an edit is about, by its place in the template.
fn container_of<'a>(edit: &Edit, template: &'a Template) -> Option<&'a str> {
    let place = edit.pointer.to_string();
    let within =
        |pointer: &str| place.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let found = template.containers.iter().find(|container| edit.root == Root::Template && within(&container.pointer));
    found.map(|container| container.name.as_str())
}
