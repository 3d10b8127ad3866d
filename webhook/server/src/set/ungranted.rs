//! Policies of namespaces, which can't be granted facts: one that can judge nothing without is found before it is in
//! force. Whether it can, its settings may say, so that it is tried.

use std::time::{Duration, Instant};

use portreeve_admission::verdict::{Failure, Outcome};
use portreeve_engine::{Manifest, Rehearsal};

use super::draft::{Draft, Group};
use super::drafted::Drafted;
use super::sample;

/// The most that one trial may take.
const LONGEST: Duration = Duration::from_secs(1);

/// Leaves out those of a module's policies that can judge nothing.
pub(super) fn leave_out(
    draft: &mut Draft,
    group: &Group,
    manifests: &[Manifest],
    policies: &mut Vec<Drafted>,
    rehearse: impl FnOnce() -> Option<Rehearsal>,
) {
    if !policies.iter().any(|policy| is_to_try(policy, manifests)) {
        return;
    }
    let Some(rehearsal) = rehearse() else { return };
    policies.retain(|policy| {
        let Some(reason) = lack(policy, &rehearsal) else { return true };
        let located = group.policies.iter().find(|located| located.name == policy.policy.id);
        located.is_some_and(|located| {
            draft.problem_of(located, reason);
            false
        })
    });
}

/// Why a policy can judge nothing; none if it can.
pub(super) fn lack(policy: &Drafted, rehearsal: &Rehearsal) -> Option<String> {
    if !is_to_try(policy, rehearsal.manifests()) {
        return None;
    }
    let outcome = rehearsal.evaluate(&policy.instance, &sample::without_facts()?, Instant::now() + LONGEST);
    match outcome.ok()? {
        Outcome::Failed(Failure::MissingFact { kind, .. }) => {
            let name = &policy.instance.policy;
            Some(format!(
                "spec.module: {name:?} can judge nothing without the fact {kind}, and a Policy can't be granted facts: ask \
                 for a ClusterPolicy"
            ))
        }
        _ => None,
    }
}

/// Whether it is a namespace's, and declares that it is of no use without some fact.
fn is_to_try(policy: &Drafted, manifests: &[Manifest]) -> bool {
    let mut carried = manifests.iter().filter(|manifest| manifest.name == policy.instance.policy);
    policy.policy.of_namespace.is_some() && carried.any(|manifest| manifest.facts.iter().any(|need| need.required))
}
