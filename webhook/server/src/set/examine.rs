//! What is wrong with sources, and what would be in force by them, without anything being put in force: for whoever
//! asks before he changes them.

use std::collections::BTreeSet;

use portreeve_admission::api::{FailurePolicy, PolicySetSpec};
use portreeve_admission::policy::Policy;

use super::draft::{Draft, Group};
use super::drafted::draft_policy;
use super::folder::Sources;
use super::load::{Loader, Problem, chain};
use super::ungranted;

/// What became of a look at sources.
#[derive(Debug, Clone)]
pub struct Examined {
    /// What the whole is refused for.
    pub refused: Vec<Problem>,
    /// What only costs whoever wrote it.
    pub left_out: Vec<Problem>,
    /// What would be in force, but for what is wrong.
    pub outline: Outline,
}

/// What a set would be, as far as others have to know it before it is in force.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Its policies.
    pub policies: Vec<Policy>,
    /// Namespaces that none of them sees.
    pub excluded: BTreeSet<String>,
    /// What becomes of a request that nobody answers.
    pub failure_policy: FailurePolicy,
}

impl Loader {
    /// All that is wrong with each of the sources, without putting anything in force. What one names and is not there
    /// is no problem here: they come one by one, in any order. Nor is a registry that does not answer, which is no
    /// fault of what is written. Blocks while modules are asked whether they take their settings, and while one that
    /// was never seen is compiled.
    #[must_use]
    pub fn examine(&self, sources: &Sources) -> Examined {
        let mut draft = Draft::of_each(sources, self.bounds, self.switch);
        let set = draft.set.clone().unwrap_or_default();
        let mut policies = Vec::new();
        for group in self.groups(&mut draft) {
            policies.extend(self.rehearse(&mut draft, &group, &set));
        }
        policies.retain(|policy| {
            policy.of_namespace.is_some() || set.policies.is_empty() || set.policies.contains(&policy.id)
        });
        let outline = Outline { policies, excluded: self.excluded(&set), failure_policy: set.failure_policy };
        let (refused, left_out) = draft.problems();
        Examined { refused, left_out, outline }
    }

    /// The policies of a module that nothing is wrong with.
    fn rehearse(&self, draft: &mut Draft, group: &Group, set: &PolicySetSpec) -> Vec<Policy> {
        let bytes = match self.bytes(group) {
            Ok(bytes) => bytes,
            Err(lacking) => {
                if !lacking.passing {
                    draft.problem(group.place(), lacking.reason);
                }
                return Vec::new();
            }
        };
        let Some(rehearsal) = self.rehearsal(draft, group, &bytes) else { return Vec::new() };
        let mut good = Vec::new();
        for located in &group.policies {
            let drafted = draft_policy(located, rehearsal.manifests(), set);
            let configured = drafted.and_then(|drafted| match rehearsal.configure(&drafted.instance) {
                Ok(_) => match ungranted::lack(&drafted, &rehearsal) {
                    Some(reason) => Err(vec![reason]),
                    None => Ok(drafted.policy),
                },
                Err(error) => Err(vec![chain(&error)]),
            });
            match configured {
                Ok(policy) => good.push(policy),
                Err(reasons) => {
                    for reason in reasons {
                        draft.problem_of(located, reason);
                    }
                }
            }
        }
        good
    }
}
