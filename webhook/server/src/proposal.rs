//! A change of our own resources, looked at before it is stored: with it in place, would the set still be one? A mistake is
//! so told to whoever makes it, at once. It is a courtesy and no gate: what gets past is refused when the set is made, and
//! `status` says it.

use std::collections::BTreeSet;
use std::sync::Arc;

use portreeve_admission::api::{NotAllowed, PolicyExceptionSpec, Resource};
use portreeve_admission::break_glass::{REASON, UNTIL};
use portreeve_admission::case::Operation;
use portreeve_admission::document::Document;
use portreeve_admission::response::{RefusalKind, Response};
use portreeve_admission::review::Review;
use tokio::sync::watch;

use crate::set::{Examined, Loader, Located, Outline, Problem, Sources, WrittenBy, of_kind};

/// Looks at changes of our own resources.
#[derive(Clone)]
pub struct Proposals {
    loader: Arc<Loader>,
    sources: watch::Receiver<Option<Arc<Sources>>>,
    /// Who may have denials dropped.
    break_glass_group: Option<String>,
    /// Who looks at what the set would be registered with.
    doctor: Option<Arc<dyn Doctor>>,
}

/// Whoever knows what a cluster comes back by, and would not register what keeps it from that.
pub trait Doctor: Send + Sync {
    /// What these policies would hold up that they must not, and what to change.
    fn faults(&self, outline: &Outline) -> Vec<String>;
}

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
        Self { loader, sources, break_glass_group, doctor: None }
    }

    /// The same, looked at by this one too.
    #[must_use]
    pub fn with_doctor(self, doctor: Option<Arc<dyn Doctor>>) -> Self {
        Self { doctor, ..self }
    }

    /// Admits the change, or refuses it with all that would be wrong by it. Blocks while modules are asked.
    #[must_use]
    pub fn answer(&self, review: &Review) -> Response {
        let faults = self.faults(review);
        if faults.is_empty() {
            return Response::allowed(&review.uid);
        }
        Response::refused(&review.uid, RefusalKind::Forbidden, faults.join("; "))
    }

    fn faults(&self, review: &Review) -> Vec<String> {
        let Some(object) = &review.object else { return Vec::new() };
        if !matches!(review.request.operation, Operation::Create | Operation::Update) {
            return Vec::new();
        }
        let resource = match of_kind(&review.request.kind.kind, object.value()) {
            Ok(resource) => resource,
            Err(reason) => return vec![reason],
        };
        if let Some(reason) = self.may_not_break_glass(review) {
            return vec![reason];
        }
        let before = self.sources.borrow().clone().unwrap_or_default();
        let before = Sources { written_by: WrittenBy::Namespaces, ..Sources::clone(&before) };
        if let Resource::PolicyException(exception) = &resource
            && let Err(reason) = may_write(review, &exception.spec, &before)
        {
            return vec![reason.to_string()];
        }
        let reference = resource.reference();
        let problems = self.problems(with(&before, resource), &reference);
        if problems.is_empty() {
            return Vec::new();
        }
        // What was wrong already is not this change's doing, and must not keep anybody from mending it.
        let known = self.problems(before, &reference);
        problems.into_iter().filter(|problem| !known.contains(problem)).collect()
    }

    /// What is wrong with the whole, or with this resource. What a namespace has of its own may be left out by a change of
    /// the cluster's policies, and must not stand in its way.
    fn problems(&self, sources: Sources, reference: &str) -> BTreeSet<String> {
        let Examined { refused, left_out, outline } = self.loader.examine(&sources.or_platform());
        let own = left_out.iter().filter(|problem| problem.is_of(reference));
        let held_up = self.doctor.iter().flat_map(|doctor| doctor.faults(&outline));
        refused.iter().chain(own).map(said).chain(held_up).collect()
    }

    /// Why the caller may not change until when denials are dropped or why, if he does.
    fn may_not_break_glass(&self, review: &Review) -> Option<String> {
        let (now, before) = (&review.meta.annotations, &review.old_meta.annotations);
        let is_as_before = [UNTIL, REASON].iter().all(|key| now.get(*key) == before.get(*key));
        // To take it back is everybody's right who may change the set.
        if review.request.kind.kind != "PolicySet" || !now.contains_key(UNTIL) || is_as_before {
            return None;
        }
        match &self.break_glass_group {
            Some(group) if review.groups.contains(group) => None,
            Some(group) => Some(format!("metadata.annotations: only the group {group:?} may set {UNTIL} and {REASON}")),
            None => Some(format!(
                "metadata.annotations: nobody may set {UNTIL} and {REASON}, since kubernetes.breakGlassGroup names no group"
            )),
        }
    }
}

/// Whether the caller may say this by an exception, as far as the policy that it loosens says who may. Who only changes what
/// is beside it, as a label, says nothing by it.
fn may_write(review: &Review, spec: &PolicyExceptionSpec, sources: &Sources) -> Result<(), NotAllowed> {
    let says = |object: &Document| object.value().get("spec").cloned();
    if review.old_object.as_deref().and_then(says) == review.object.as_deref().and_then(says) {
        return Ok(());
    }
    let rules = sources.resources.iter().find_map(|located| match &located.resource {
        Resource::ClusterPolicy(policy) if policy.metadata.name == spec.policy => policy.spec.exceptions.as_ref(),
        _ => None,
    });
    rules.map_or(Ok(()), |rules| rules.allow_by(&spec.policy, &review.request.user_name, &review.groups))
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
