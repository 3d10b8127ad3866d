//! A change of our own resources, looked at before it is stored: with it in place, would the set still be one? A mistake is
//! so told to whoever makes it, at once. It is a courtesy and no gate: what gets past is refused when the set is made, and
//! `status` says it.

use std::collections::BTreeSet;
use std::sync::Arc;

use portreeve_admission::api::Resource;
use portreeve_admission::break_glass::UNTIL;
use portreeve_admission::case::Operation;
use portreeve_admission::response::{RefusalKind, Response};
use portreeve_admission::review::Review;
use tokio::sync::watch;

use crate::set::{Loader, Located, Problem, Sources, of_kind};

/// Looks at changes of our own resources.
#[derive(Clone)]
pub struct Proposals {
    loader: Arc<Loader>,
    sources: watch::Receiver<Option<Arc<Sources>>>,
    /// Who may have denials dropped.
    break_glass_group: Option<String>,
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
        Self { loader, sources, break_glass_group }
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
        let after = with(&before, resource).or_platform();
        let problems = self.loader.examine(&after);
        if problems.is_empty() {
            return Vec::new();
        }
        // What was wrong already is not this change's doing, and must not keep anybody from mending it.
        let known: BTreeSet<String> =
            self.loader.examine(&Sources::clone(&before).or_platform()).iter().map(said).collect();
        problems.iter().map(said).filter(|problem| !known.contains(problem)).collect()
    }

    /// Why the caller may not change until when denials are dropped, if he does.
    fn may_not_break_glass(&self, review: &Review) -> Option<String> {
        let (now, before) = (review.meta.annotations.get(UNTIL), review.old_meta.annotations.get(UNTIL));
        // To take it back is everybody's right who may change the set.
        if review.request.kind.kind != "PolicySet" || now.is_none() || now == before {
            return None;
        }
        match &self.break_glass_group {
            Some(group) if review.groups.contains(group) => None,
            Some(group) => Some(format!("metadata.annotations: only the group {group:?} may set {UNTIL}")),
            None => Some(format!(
                "metadata.annotations: nobody may set {UNTIL}, since kubernetes.breakGlassGroup names no group"
            )),
        }
    }
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
