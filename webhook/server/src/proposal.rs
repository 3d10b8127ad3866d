//! A change of our own resources, looked at before it is stored. Who may set break-glass and who may write which
//! exceptions is a gate, and answered at once. All else is a courtesy: with the change in place, would the set still be
//! one, of policies that do not contradict each other? A mistake is so told to whoever makes it; what gets past is
//! refused when the set is made, and `status` says it. What is right and can hardly be meant is told in `meant`.

mod meant;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portreeve_admission::api::{NotAllowed, PolicyExceptionSpec, Resource};
use portreeve_admission::break_glass::{REASON, UNTIL};
use portreeve_admission::case::Operation;
use portreeve_admission::document::Document;
use portreeve_admission::policy::Policy;
use portreeve_admission::response::{RefusalKind, Response};
use portreeve_admission::review::Review;
use serde_json::Value;
use tokio::sync::watch;

use crate::set::{Examined, Loader, Located, Outline, Problem, Sources, WrittenBy, of_kind};
use crate::settled::{Fault, Trials};

/// Looks at changes of our own resources.
#[derive(Clone)]
pub struct Proposals {
    loader: Arc<Loader>,
    sources: watch::Receiver<Option<Arc<Sources>>>,
    /// Who may have denials dropped.
    break_glass_group: Option<String>,
    /// Tries the set that a change makes.
    trials: Trials,
    /// Who looks at what the set would be registered with.
    doctor: Option<Arc<dyn Doctor>>,
}

/// Whoever knows what a cluster comes back by, and would not register what keeps it from that.
pub trait Doctor: Send + Sync {
    /// What these policies would hold up that they must not, and what to change.
    fn faults(&self, outline: &Outline) -> Vec<String>;

    /// Which of the policy's own `match.resources` name nothing that it looks at, by their places in the list.
    fn idle(&self, policy: &Policy) -> Vec<usize>;
}

/// The most that a trial of one set may take while somebody waits for `kubectl apply`.
const LONGEST: Duration = Duration::from_secs(1);

/// What is told of a change that was taken without a look at it.
pub(crate) const NOT_LOOKED_AT: &str =
    "nobody had the time to look at it, or knew yet what else is there: its status will say what is wrong with it";

/// Why an exception has to wait.
const NOT_TOLD: &str =
    "this replica does not know who may write exceptions: it was not told of the policies yet; try again";

/// Where a resource is that is not stored yet.
const PLACE: &str = "as sent";

impl Proposals {
    /// Changes of these sources.
    #[must_use]
    pub fn of(
        loader: Arc<Loader>,
        sources: watch::Receiver<Option<Arc<Sources>>>,
        break_glass_group: Option<String>,
    ) -> Self {
        Self { loader, sources, break_glass_group, trials: Trials::default(), doctor: None }
    }

    /// The same with trials in common with others.
    #[must_use]
    pub fn with_trials(self, trials: Trials) -> Self {
        Self { trials, ..self }
    }

    /// The same, looked at by this one too.
    #[must_use]
    pub fn with_doctor(self, doctor: Option<Arc<dyn Doctor>>) -> Self {
        Self { doctor, ..self }
    }

    /// What is answered without a look at the set: a change that its caller may not make is refused, and one of
    /// metadata alone is admitted, since a set is made of specs. None for all other changes.
    #[must_use]
    pub fn at_once(&self, review: &Review) -> Option<Response> {
        let is_change = matches!(review.request.operation, Operation::Create | Operation::Update);
        if let Err(reason) = self.may_break_glass(review) {
            return Some(Response::refused(&review.uid, RefusalKind::Forbidden, reason));
        }
        if !is_change || !says_otherwise(review) {
            return Some(Response::allowed(&review.uid));
        }
        let (kind, reason) = self.may_except(review).err()?;
        Some(Response::refused(&review.uid, kind, reason))
    }

    /// Admits a change that its caller may make, or refuses it with all that would be wrong by it. Blocks while modules
    /// are asked. Whether policies contradict each other is tried no longer than `until`.
    #[must_use]
    pub fn answer(&self, review: &Review, until: Instant) -> Response {
        match self.looked_at(review, until) {
            Ok(warnings) => Response { warnings, ..Response::allowed(&review.uid) },
            Err(faults) => Response::refused(&review.uid, RefusalKind::Forbidden, faults.join("; ")),
        }
    }

    /// What the caller should know of the change, or all that is wrong by it.
    fn looked_at(&self, review: &Review, until: Instant) -> Result<Vec<String>, Vec<String>> {
        let Some(object) = &review.object else { return Ok(Vec::new()) };
        let resource = of_kind(&review.request.kind.kind, object.value()).map_err(|reason| vec![reason])?;
        let Some(before) = self.stored() else { return Ok(vec![NOT_LOOKED_AT.to_owned()]) };
        if let Resource::PolicyException(exception) = &resource {
            none_or_all(meant::of_exception(&exception.spec, object.value(), Timestamp::now()))?;
        }
        let after = with(&before, resource.clone()).or_platform();
        none_or_all(self.faults(&resource, &before, &after, until))?;
        let idle = |policy: &Policy| self.doctor.iter().flat_map(|doctor| doctor.idle(policy)).collect();
        Ok(meant::warnings(&resource, &before, || self.loader.examine(&after).outline, idle))
    }

    /// What is there, as namespaces and others wrote it; none before the API server has told of it.
    fn stored(&self) -> Option<Sources> {
        let sources = self.sources.borrow().clone()?;
        Some(Sources { written_by: WrittenBy::Namespaces, ..Sources::clone(&sources) })
    }

    /// What is wrong with the set by the change.
    fn faults(&self, resource: &Resource, before: &Sources, after: &Sources, until: Instant) -> Vec<String> {
        let before = before.clone().or_platform();
        let problems = self.brought(&before, after, &resource.reference());
        if problems.is_empty() && rules_others(resource) {
            return self.contradictions(&before, after, until);
        }
        problems
    }

    /// What is wrong by the change. What was wrong already is not its doing, and must not keep anybody from mending it.
    fn brought(&self, before: &Sources, after: &Sources, reference: &str) -> Vec<String> {
        let problems = self.problems(after, reference);
        if problems.is_empty() {
            return Vec::new();
        }
        let known = self.problems(before, reference);
        problems.into_iter().filter(|problem| !known.contains(problem)).collect()
    }

    /// Between which policies the change brings a contradiction, as far as that is found in time. Where there was no
    /// set before, nobody knows what it brings: `status` tells of all.
    fn contradictions(&self, before: &Sources, after: &Sources, until: Instant) -> Vec<String> {
        let found = self.tried(after, until).unwrap_or_default();
        if found.is_empty() {
            return Vec::new();
        }
        let Some(known) = self.tried(before, until) else { return Vec::new() };
        let is_known = |fault: &&Fault| known.iter().any(|known| known.policies == fault.policies);
        found.iter().filter(|fault| !is_known(fault)).map(|fault| said(&fault.problem(after))).collect()
    }

    /// What is wrong between the policies of the set that these make; none if they make none.
    fn tried(&self, sources: &Sources, until: Instant) -> Option<Vec<Fault>> {
        let set = Arc::new(self.loader.load_at_once(sources).ok()?);
        Some(self.trials.faults(&set, until.min(Instant::now() + LONGEST)))
    }

    /// What is wrong with the whole, or with this resource. What a namespace has of its own may be left out by a change
    /// of the cluster's policies, and must not stand in its way.
    fn problems(&self, sources: &Sources, reference: &str) -> BTreeSet<String> {
        let Examined { refused, left_out, outline } = self.loader.examine(sources);
        let own = left_out.iter().filter(|problem| problem.is_of(reference));
        let held_up = self.doctor.iter().flat_map(|doctor| doctor.faults(&outline));
        refused.iter().chain(own).map(said).chain(held_up).collect()
    }

    /// Whether the caller may change until when denials are dropped or why, if he does, and whether he can mean it.
    fn may_break_glass(&self, review: &Review) -> Result<(), String> {
        let (now, before) = (&review.meta.annotations, &review.old_meta.annotations);
        let is_as_before = [UNTIL, REASON].iter().all(|key| now.get(*key) == before.get(*key));
        if review.request.kind.kind != "PolicySet" || is_as_before {
            return Ok(());
        }
        // To take it back is everybody's right who may change the set, and may leave the reason there.
        let says_until = |annotations: &BTreeMap<String, String>| {
            annotations.get(UNTIL).is_some_and(|until| !until.trim().is_empty())
        };
        if says_until(now) {
            self.is_of_break_glass(&review.groups)?;
        } else if says_until(before) {
            return Ok(());
        }
        meant::of_switch(review, Timestamp::now()).map_or(Ok(()), Err)
    }

    fn is_of_break_glass(&self, groups: &[String]) -> Result<(), String> {
        match &self.break_glass_group {
            Some(group) if groups.contains(group) => Ok(()),
            Some(group) => Err(format!("metadata.annotations: only the group {group:?} may set {UNTIL} and {REASON}")),
            None => Err(format!(
                "metadata.annotations: nobody may set {UNTIL} and {REASON}, since kubernetes.breakGlassGroup names no group"
            )),
        }
    }

    /// Whether the caller may say this by an exception, if it is one, as far as the policy that it loosens says who
    /// may.
    fn may_except(&self, review: &Review) -> Result<(), (RefusalKind, String)> {
        let forbidden = |reason| (RefusalKind::Forbidden, reason);
        let kind = &review.request.kind.kind;
        let Some(object) = review.object.as_ref().filter(|_| kind == "PolicyException") else { return Ok(()) };
        let Resource::PolicyException(exception) = of_kind(kind, object.value()).map_err(forbidden)? else {
            return Ok(());
        };
        // Until they are known nobody may, since nobody asks again.
        let not_told = || (RefusalKind::InternalError, NOT_TOLD.to_owned());
        let sources = self.sources.borrow().clone().ok_or_else(not_told)?;
        may_write(review, &exception.spec, &sources).map_err(|reason| forbidden(reason.to_string()))
    }
}

fn none_or_all(faults: Vec<String>) -> Result<(), Vec<String>> {
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Whether the rules of its policy, if there are any, let the caller write this exception.
fn may_write(review: &Review, spec: &PolicyExceptionSpec, sources: &Sources) -> Result<(), NotAllowed> {
    let rules = sources.resources.iter().find_map(|located| match &located.resource {
        Resource::ClusterPolicy(policy) if policy.metadata.name == spec.policy => policy.spec.exceptions.as_ref(),
        _ => None,
    });
    rules.map_or(Ok(()), |rules| rules.allow_by(&spec.policy, &review.request.user_name, &review.groups))
}

/// Whether the change is one of the spec. Who only changes what is beside it, as a label, says nothing by it.
fn says_otherwise(review: &Review) -> bool {
    let now = spec(review.object.as_deref());
    now.is_none() || now != spec(review.old_object.as_deref())
}

fn spec(object: Option<&Document>) -> Option<&Value> {
    object?.value().get("spec")
}

/// Whether it can bring a policy that edits in force.
fn rules_others(resource: &Resource) -> bool {
    matches!(resource, Resource::ClusterPolicy(_) | Resource::PolicySet(_))
}

/// The sources with this resource in place of the one of its name.
fn with(sources: &Sources, resource: Resource) -> Sources {
    let mut sources = sources.clone();
    let reference = resource.reference();
    sources.resources.retain(|located| located.resource.reference() != reference);
    sources.resources.push(Located { resource, place: PLACE.to_owned(), folder: "/".into() });
    sources
}

/// A problem by its resource, wherever that is.
fn said(problem: &Problem) -> String {
    let place = problem.place.rsplit_once('(').map_or(problem.place.as_str(), |(_, place)| place.trim_end_matches(')'));
    if place.is_empty() || place == PLACE { problem.reason.clone() } else { format!("{place}: {}", problem.reason) }
}
