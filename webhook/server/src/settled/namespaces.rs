//! The namespaces that a new set is tried in: one that nobody labelled, and for each selector of a policy that edits
//! one that it selects. Namespaces in which the same policies edit are one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_admission::api::LabelSelector;
use portreeve_admission::case::Fact;
use portreeve_admission::policy::Policy;

use crate::around::Cluster;
use crate::set::{Listed, Namespace, PolicySet};

/// A namespace that exists nowhere, unless a selector names one.
const NAME: &str = "portreeve-tried";

/// The label that the API server sets on every namespace.
const METADATA_NAME: &str = "kubernetes.io/metadata.name";

/// The most of them. A set with more selectors is tried by the first ones in the order of its policies.
const MOST: usize = 32;

/// A namespace, and a cluster in which nothing else is known.
#[derive(Debug, Clone)]
pub(super) struct Tried {
    pub(super) name: String,
    /// The labels that somebody's selector asks for.
    pub(super) asked: BTreeMap<String, String>,
    namespace: Namespace,
}

/// Those that a set is tried in.
pub(super) fn of(set: &PolicySet) -> Vec<Tried> {
    let editing: Vec<&Policy> = set.policies().iter().filter(|policy| policy.edits()).collect();
    let selectors = editing.iter().flat_map(|policy| {
        let stages = policy.rollout.iter().map(|stage| &stage.selector);
        policy.matching.namespace_selector.iter().chain(stages)
    });
    let asked = std::iter::once(BTreeMap::new()).chain(selectors.filter_map(LabelSelector::satisfied));
    let mut seen = BTreeSet::new();
    let is_new = |tried: &Tried| seen.insert(standings(&editing, &tried.namespace.labels));
    asked.map(|asked| Tried::with(asked, set)).filter(is_new).take(MOST).collect()
}

/// Which of these policies see a namespace, and what they are in it.
fn standings(policies: &[&Policy], labels: &BTreeMap<String, String>) -> Vec<(bool, Option<usize>)> {
    let standing = |policy: &&Policy| {
        let selected = policy.matching.namespace_selector.as_ref().is_none_or(|selector| selector.matches(labels));
        (selected, policy.rollout.iter().position(|stage| stage.selector.matches(labels)))
    };
    policies.iter().map(standing).collect()
}

impl Tried {
    /// One with these labels beside those that every namespace has which nobody describes.
    fn with(asked: BTreeMap<String, String>, set: &PolicySet) -> Self {
        let name = asked.get(METADATA_NAME).map_or(NAME, String::as_str).to_owned();
        let mut namespace = set.namespace(NAME).named(&name);
        namespace.labels.extend(asked.clone());
        Self { name, asked, namespace }
    }
}

impl Cluster for Tried {
    fn namespace<'a>(&'a self, _: &'a str, _: Instant) -> BoxFuture<'a, Result<Namespace, String>> {
        async { Ok(self.namespace.clone()) }.boxed()
    }

    fn fact(&self, _: Listed, _: &str) -> Fact {
        Err("nothing is known where a set is tried".to_owned())
    }
}
