//! A policy in force: a ClusterPolicy that was checked against the manifest of its module. Nothing checks it again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use crate::api::{FailurePolicy, LabelSelector, Match, Mode};
use crate::case::{FactKind, Request};
use crate::review::Review;

/// A policy in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Name of the ClusterPolicy; of a Policy, with its namespace before it, as in `shop/labels`.
    pub id: String,
    /// The only namespace that it sees, if it is one's own.
    pub of_namespace: Option<String>,
    /// What a violation leads to.
    pub mode: Mode,
    /// Whether its edits are made.
    pub mutate: bool,
    /// Namespaces where both are otherwise; the first that selects one counts.
    pub rollout: Vec<Stage>,
    /// What a failure leads to.
    pub failure_policy: FailurePolicy,
    /// The most time it may take.
    pub timeout: Duration,
    /// What it applies to.
    pub matching: Match,
    /// What it wants to see; empty for pod templates of every kind.
    pub wants: Vec<ResourceRule>,
    /// What it can do.
    pub can: Abilities,
    /// Facts that it is given: declared and granted.
    pub facts: BTreeSet<FactKind>,
}

/// Namespaces where a policy is in a mode of their own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// By labels of the namespace.
    pub selector: LabelSelector,
    /// What a violation leads to there.
    pub mode: Mode,
    /// Whether its edits are made there.
    pub mutate: bool,
}

/// What a policy can do, as its manifest says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities {
    /// It finds violations.
    pub validate: bool,
    /// It makes edits.
    pub mutate: bool,
    /// Its edits change images, so it runs before those that need facts about images.
    pub rewrite_images: bool,
}

/// What a policy wants to see; `*` stands for all, among resources as the API server has it: without their
/// subresources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceRule {
    /// API groups; the core group is empty.
    pub groups: Vec<String>,
    /// API versions.
    pub versions: Vec<String>,
    /// Resources, with a subresource as in `pods/exec`; `pods/*` is every subresource of pods, `*/scale` that of every
    /// resource, `*/*` everything.
    pub resources: Vec<String>,
    /// Operations, by name.
    pub operations: Vec<String>,
}

impl Policy {
    /// Whether its edits are to be asked for at all, in some namespace at least.
    #[must_use]
    pub fn edits(&self) -> bool {
        self.can.mutate && self.stands().any(|(mode, mutate)| mutate && mode != Mode::Off)
    }

    /// Whether it is off everywhere.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.stands().all(|(mode, _)| mode == Mode::Off)
    }

    /// The mildest mode that it is in anywhere.
    #[must_use]
    pub fn mildest(&self) -> Mode {
        let milder = |one: Mode, other: Mode| if one.is_stricter_than(other) { other } else { one };
        self.stands().map(|(mode, _)| mode).fold(self.mode, milder)
    }

    /// What it is for a review, by the place in [`Self::standings`]. Where the labels of its namespace are not known,
    /// the strictest there is.
    #[must_use]
    pub fn standing(&self, review: &Review, namespace_labels: Option<&BTreeMap<String, String>>) -> usize {
        let elsewhere = self.rollout.len();
        if review.request.namespace.is_none() {
            return elsewhere;
        }
        if let Some(labels) = namespace_labels {
            return self.rollout.iter().position(|stage| stage.selector.matches(labels)).unwrap_or(elsewhere);
        }
        let stages = self.rollout.iter().map(|stage| stage.mode).enumerate();
        let stricter =
            |one: (usize, Mode), other: (usize, Mode)| if other.1.is_stricter_than(one.1) { other } else { one };
        stages.fold((elsewhere, self.mode), stricter).0
    }

    /// What it is in each of its stages, and, last, in none.
    #[must_use]
    pub fn standings(&self) -> Vec<Self> {
        self.stands().map(|(mode, mutate)| Self { mode, mutate, rollout: Vec::new(), ..self.clone() }).collect()
    }

    /// Whether it has to be known which namespace a review is in.
    #[must_use]
    pub fn asks_for_namespace(&self, review: &Review) -> bool {
        review.request.namespace.is_some() && (self.matching.namespace_selector.is_some() || !self.rollout.is_empty())
    }

    /// Mode and whether edits are made, in each stage and elsewhere.
    fn stands(&self) -> impl Iterator<Item = (Mode, bool)> {
        let stages = self.rollout.iter().map(|stage| (stage.mode, stage.mutate));
        stages.chain([(self.mode, self.mutate)])
    }

    /// Whether the review is one that it is for, or may be where the labels of its namespace are not known. Conditions
    /// are asked elsewhere.
    #[must_use]
    pub fn selects(&self, review: &Review, namespace_labels: Option<&BTreeMap<String, String>>) -> bool {
        let is_elsewhere = self.of_namespace.as_ref().is_some_and(|own| !is_within(review, own));
        if is_elsewhere || !self.matching.names(&review.request) {
            return false;
        }
        let object = self.matching.object_selector.as_ref();
        let by_namespace = self.namespace_selector(review).zip(namespace_labels);
        by_namespace.is_none_or(|(selector, labels)| selector.matches(labels))
            && object.is_none_or(|selector| {
                selector.matches(&review.meta.labels)
                    || (review.old_object.is_some() && selector.matches(&review.old_meta.labels))
            })
    }

    /// The selector of namespaces that decides whether it sees this review.
    #[must_use]
    pub fn namespace_selector(&self, review: &Review) -> Option<&LabelSelector> {
        self.matching.namespace_selector.as_ref().filter(|_| review.request.namespace.is_some())
    }
}

impl ResourceRule {
    /// Whether the rule names this request.
    #[must_use]
    pub fn names(&self, review: &Review) -> bool {
        let request = &review.request;
        one_of(&self.groups, &request.resource.group)
            && one_of(&self.versions, &request.resource.version)
            && self.resources.iter().any(|wanted| is_wanted(wanted, request))
            && one_of(&self.operations, &request.operation.to_string())
    }
}

/// Whether the review is of an object in this namespace. Reviews of the namespace itself name it too.
fn is_within(review: &Review, namespace: &str) -> bool {
    let request = &review.request;
    let is_namespace = (request.kind.group.as_str(), request.kind.kind.as_str()) == ("", "Namespace");
    request.namespace.as_deref() == Some(namespace) && !is_namespace
}

/// Whether one of a rule's resources is that of the request.
pub(crate) fn is_wanted(wanted: &str, request: &Request) -> bool {
    let (resource, subresource) = (&request.resource.resource, request.subresource.as_deref());
    match wanted.split_once('/') {
        Some(("*", "*")) => true,
        Some((wanted, part)) => {
            (wanted == "*" || wanted == resource) && subresource.is_some_and(|name| part == "*" || part == name)
        }
        None => subresource.is_none() && (wanted == "*" || wanted == resource),
    }
}

/// Whether a name is among these.
pub(crate) fn one_of(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known == "*" || known == name)
}
