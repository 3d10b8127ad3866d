//! What a review allows: whether it may be held up at all, what of it may be edited, and whether it is judged as it
//! stands or as its Pods will be. These rules were learned on a real control plane; each has a test of its name.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::case::Operation;
use crate::document::Document;
use crate::pointer::{Pointer, list_index};
use crate::review::Review;
use crate::subject::{Changes, Edited, TemplatePaths};

/// What may be done with a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// It passes, unseen by any policy: nothing that heals or deletes is ever held up.
    Pass,
    /// Policies of templates are not asked, since the template is as it was: nothing is edited, and no violation can
    /// be new.
    Unchanged,
    /// It is judged.
    Judge {
        /// What `/mutate` may edit.
        edit: Editable,
        /// Whether it is judged with the edits made in memory, as its Pods will be.
        as_pods_will_be: bool,
    },
}

/// What of an object may be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Editable {
    /// Nothing.
    Nothing,
    /// All that a policy may ever edit.
    Everything,
    /// Images of containers: all that a Pod lets change.
    PodImages,
    /// Whatever leads back to the template as it was before, and nothing else: what can't be changed may be sent again
    /// as its author wrote it, without what was put in.
    BackToBefore,
    /// Ephemeral containers that the request adds.
    AddedEphemeral,
}

/// Subresources that carry a pod. All others that are written (status, scale, finalize, binding, eviction …) are how a
/// cluster heals itself.
pub const JUDGED_SUBRESOURCES: [&str; 2] = ["ephemeralcontainers", "resize"];

/// Subresources of CONNECT.
pub const CONNECTED_SUBRESOURCES: [&str; 4] = ["exec", "attach", "portforward", "proxy"];

impl Plan {
    /// The plan for a review.
    #[must_use]
    pub fn of(review: &Review, paths: &TemplatePaths) -> Self {
        if never_held_up(review) {
            Self::Pass
        } else if unchanged(review, paths) {
            Self::Unchanged
        } else {
            let as_pods_will_be = owned_template(review) || edited_at_pods(review, paths);
            Self::Judge { edit: editable(review, paths), as_pods_will_be }
        }
    }

    /// Whether what is judged has all that edits put into new Pods, so that what is wrong in it will be wrong in them.
    #[must_use]
    pub fn shows_new_pods(self) -> bool {
        matches!(self, Self::Judge { edit, as_pods_will_be } if as_pods_will_be || edit == Editable::Everything)
    }
}

fn never_held_up(review: &Review) -> bool {
    let request = &review.request;
    let leaving = request.operation == Operation::Update && (review.meta.deleting || review.old_meta.deleting);
    !may_be_judged(request.operation, request.subresource.as_deref()) || leaving
}

/// Whether such requests are judged, whatever object they are about.
pub(crate) fn may_be_judged(operation: Operation, subresource: Option<&str>) -> bool {
    match operation {
        Operation::Delete => false,
        Operation::Connect => subresource.is_some_and(|name| CONNECTED_SUBRESOURCES.contains(&name)),
        Operation::Create | Operation::Update => subresource.is_none_or(|name| JUDGED_SUBRESOURCES.contains(&name)),
    }
}

/// A ReplicaSet of a Deployment, a Job of a CronJob: an edit would make its controller disown it and make another.
fn owned_template(review: &Review) -> bool {
    review.meta.controller.is_some() && !is_pod(review)
}

/// A kind whose templates are left as they are, since what is missing in them is put into its Pods.
fn edited_at_pods(review: &Review, paths: &TemplatePaths) -> bool {
    review.request.subresource.is_none() && paths.edited(&review.request.kind) == Edited::AtPods
}

fn is_pod(review: &Review) -> bool {
    review.request.kind.group.is_empty() && review.request.kind.kind == "Pod"
}

fn editable(review: &Review, paths: &TemplatePaths) -> Editable {
    let request = &review.request;
    match (request.operation, request.subresource.as_deref()) {
        (Operation::Update, Some("ephemeralcontainers")) => Editable::AddedEphemeral,
        (Operation::Create | Operation::Update, None) if owned_template(review) || edited_at_pods(review, paths) => {
            Editable::Nothing
        }
        (Operation::Create, None) => Editable::Everything,
        (Operation::Update, None) if is_pod(review) => Editable::PodImages,
        (Operation::Update, None) => match paths.changes(&request.kind) {
            Changes::Refused => Editable::BackToBefore,
            Changes::Allowed => Editable::Everything,
        },
        _ => Editable::Nothing,
    }
}

/// Where in its list each ephemeral container stands that a pod did not have before. The API server tells them by their
/// names, and takes them in any order.
#[must_use]
pub(crate) fn added_ephemeral(pod: &Document, before: Option<&Document>) -> BTreeSet<usize> {
    let names = |pod: &Document| -> Vec<Option<String>> {
        let name = |container: &Value| container.get("name")?.as_str().map(str::to_owned);
        let list = pod.value().get("spec").and_then(|spec| spec.get("ephemeralContainers")?.as_array());
        list.into_iter().flatten().map(name).collect()
    };
    let known: HashSet<String> = before.into_iter().flat_map(names).flatten().collect();
    let is_new = |(_, name): &(usize, Option<String>)| name.as_ref().is_none_or(|name| !known.contains(name));
    names(pod).into_iter().enumerate().filter(is_new).map(|(index, _)| index).collect()
}

fn unchanged(review: &Review, paths: &TemplatePaths) -> bool {
    let (Some(new), Some(old)) = (&review.object, &review.old_object) else { return false };
    review.request.operation == Operation::Update
        && review.request.subresource.is_none()
        && paths.has(&review.request.kind)
        && paths.same_templates(&review.request.kind, new, old)
}

impl Editable {
    /// Whether an edit at this place of the object may be made, where these of its ephemeral containers are added.
    #[must_use]
    pub(crate) fn allows(self, pointer: &Pointer, added: &BTreeSet<usize>) -> bool {
        let tokens: Vec<&str> = pointer.tokens().iter().map(String::as_str).collect();
        match (self, tokens.as_slice()) {
            (Self::Everything | Self::BackToBefore, _) => true,
            (Self::PodImages, ["spec", "containers" | "initContainers", _, "image"]) => true,
            (Self::AddedEphemeral, ["spec", "ephemeralContainers", index, _, ..]) => {
                list_index(index).is_some_and(|index| added.contains(&index))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
