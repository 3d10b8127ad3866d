//! What is registered with the API server: one mutating and one validating entry, worked out from what the policies in
//! force want to see. Pure; who writes it into a cluster is told in `registrar`.
//!
//! Nothing is asked for that no policy wants. What the API server can tell by itself (an excluded namespace, an object on its
//! way out, a template that is as it was) it does not ask us about.

mod condition;
pub mod doctor;
mod rules;
mod selector;
mod served;
mod sought;
mod wanted;
mod written;

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use portreeve_admission::api::FailurePolicy;
use portreeve_admission::policy::Policy;
use portreeve_admission::subject::TemplatePaths;

pub use condition::{Condition, Spared};
pub use served::Served;
pub use sought::{Seekers, Sought};
pub use written::{Configurations, Endpoint, Site};

pub(crate) use selector::{not_in, translated};
use wanted::{Wanted, takes_part};

/// One of the two calls that the API server makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// For defaults.
    Mutate,
    /// For the decision.
    Validate,
}

impl Call {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mutate, Self::Validate];

    /// As its path begins.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
        }
    }

    /// The name of its entry.
    fn entry(self) -> String {
        format!("{}.portreeve.dev", self.name())
    }
}

/// What a registration is worked out from: the set in force, and what it knows of the cluster.
#[derive(Debug, Clone)]
pub struct Demand<'a> {
    /// The policies in force.
    pub policies: &'a [Policy],
    /// Where pod templates sit.
    pub paths: &'a TemplatePaths,
    /// Namespaces that no policy sees, our own among them.
    pub excluded: &'a BTreeSet<String>,
    /// What becomes of a request that we do not answer: the PolicySet's.
    pub failure_policy: FailurePolicy,
    /// Versions and names of the kinds that the API server serves, as far as it was asked.
    pub served: &'a Served,
    /// Our own user, if we have one, as in `system:serviceaccount:portreeve:portreeve`.
    pub user: Option<&'a str>,
}

/// What is registered, but for where we are to be reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// For defaults.
    pub mutating: Entry,
    /// For decisions.
    pub validating: Entry,
}

/// When the API server makes one of the calls. An entry without rules is never called.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which.
    pub call: Call,
    /// What it is asked about.
    pub rules: Vec<RuleWithOperations>,
    /// In which namespaces.
    pub namespaces: LabelSelector,
    /// With which labels.
    pub objects: LabelSelector,
    /// What is not asked about all the same.
    pub conditions: Vec<Condition>,
    /// What becomes of a request without an answer.
    pub failure_policy: FailurePolicy,
    /// Whole seconds that the API server waits, 10 to 30.
    pub timeout_seconds: i32,
}

impl Registration {
    /// What these policies have to be registered with.
    #[must_use]
    pub fn of(demand: &Demand<'_>) -> Self {
        Self { mutating: Entry::of(demand, Call::Mutate), validating: Entry::of(demand, Call::Validate) }
    }

    /// Both entries.
    #[must_use]
    pub fn entries(&self) -> [&Entry; 2] {
        [&self.mutating, &self.validating]
    }
}

impl Entry {
    fn of(demand: &Demand<'_>, call: Call) -> Self {
        let policies: Vec<&Policy> = demand.policies.iter().filter(|policy| takes_part(policy, call)).collect();
        let wanted = Wanted::of(&policies, call, demand.paths, demand.served);
        let excluded: Vec<String> = demand.excluded.iter().cloned().collect();
        Self {
            call,
            rules: rules::rules(&wanted.all()),
            namespaces: selector::namespaces(&policies, &excluded),
            objects: selector::objects(&policies),
            conditions: condition::conditions(call, &wanted, demand.paths, demand.served, demand.user),
            failure_policy: demand.failure_policy,
            timeout_seconds: timeout_seconds(&policies),
        }
    }
}

/// What the API server waits where nobody says: a policy's own time runs inside.
const USUAL: u64 = 10;
/// The most that it may be told.
const MOST: u64 = 30;

/// Long enough that each policy has the time that it was given: policies get three quarters of what the API server waits,
/// less a twentieth.
fn timeout_seconds(policies: &[&Policy]) -> i32 {
    let longest = policies.iter().map(|policy| policy.timeout).max().unwrap_or(Duration::ZERO);
    let whole = longest.as_secs().saturating_add(1).saturating_mul(3) / 2;
    i32::try_from(whole.clamp(USUAL, MOST)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
