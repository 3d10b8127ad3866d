//! On which nodes a pod that asks is placed: a node selector and node affinity. Nodes that its author chose are left to
//! them: two choices together could leave none.

use portreeve_sdk::view::{Pod, find};
use portreeve_sdk::{Case, Verdict, pointer};
use serde_json::{Value, json};

use super::settings::{Requirement, Settings};

const AFFINITY: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";

/// Labels that say what an image runs on at all, which is no choice of a node pool.
const PLATFORM: [&str; 2] = ["kubernetes.io/os", "kubernetes.io/arch"];

/// What is required of the nodes of a pod that asks.
pub(super) struct Nodes<'a> {
    settings: &'a Settings,
    affinity: Affinity,
}

/// What the pod's own node affinity says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Affinity {
    /// Nothing.
    None,
    /// What the settings ask for, in every one of its terms.
    AsAsked,
    /// Something else.
    Other,
}

impl<'a> Nodes<'a> {
    pub(super) fn new(settings: &'a Settings, case: &Case<'_>) -> Self {
        let affinity = match case.read(AFFINITY) {
            None => Affinity::None,
            Some(required) if holds(&required, &settings.node_affinity) => Affinity::AsAsked,
            Some(_) => Affinity::Other,
        };
        Self { settings, affinity }
    }

    /// Each label of the settings, and their affinity.
    pub(super) fn select(&self, pod: &Pod, verdict: &mut Verdict) {
        let chosen = self.are_chosen(pod);
        for (label, wanted) in &self.settings.node_selector {
            let label = label.as_str();
            let at = pointer::child("/spec/nodeSelector", label);
            let (finding, found) = match find(&pod.node_selector, label) {
                Some(value) if value == wanted => continue,
                Some(value) => (verdict.violation("node-selector"), format!("by {label:?} as {value:?}")),
                None if chosen => (verdict.advisory("node-selector"), format!("without {label:?}")),
                None => (verdict.violation("node-selector"), format!("without {label:?}")),
            };
            finding
                .at(at.as_str())
                .says(format!("the pod asks for a GPU but selects nodes {found}"))
                .mend(format!("set nodeSelector {label:?} to {wanted:?}"));
            if !chosen {
                verdict.set_default("node-selector", at, wanted.as_str());
            }
        }
        if !self.settings.node_affinity.is_empty() && self.affinity != Affinity::AsAsked {
            self.require(chosen, verdict);
        }
    }

    fn require(&self, chosen: bool, verdict: &mut Verdict) {
        let wanted = json!(self.settings.node_affinity);
        let finding = if chosen { verdict.advisory("node-affinity") } else { verdict.violation("node-affinity") };
        finding
            .at(AFFINITY)
            .says("the pod asks for a GPU but its node affinity does not require what nodes with GPUs have")
            .mend(format!("add these matchExpressions to every one of its nodeSelectorTerms: {wanted}"));
        if !chosen {
            verdict.set_default(
                "node-affinity",
                AFFINITY,
                json!({"nodeSelectorTerms": [{"matchExpressions": wanted}]}),
            );
        }
    }

    /// Whether the pod's author chose nodes in a way of their own.
    fn are_chosen(&self, pod: &Pod) -> bool {
        let is_asked = |label: &str| self.settings.node_selector.keys().any(|asked| asked.as_str() == label);
        let of_their_own = |label: &str| !PLATFORM.contains(&label) && !is_asked(label);
        self.affinity == Affinity::Other || pod.node_selector.iter().any(|entry| of_their_own(&entry.name))
    }
}

/// Whether every term requires all that is wanted: terms stand for one another. Nothing wanted is required by nobody.
fn holds(required: &Value, wanted: &[Requirement]) -> bool {
    let terms = required.get("nodeSelectorTerms").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let requires = |term: &Value, requirement: &Requirement| {
        let expressions = term.get("matchExpressions").and_then(Value::as_array);
        expressions.is_some_and(|expressions| expressions.contains(&json!(requirement)))
    };
    let requires_all = |term: &Value| wanted.iter().all(|requirement| requires(term, requirement));
    !wanted.is_empty() && !terms.is_empty() && terms.iter().all(requires_all)
}
