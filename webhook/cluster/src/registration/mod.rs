//! What is registered with the API server: one mutating and one validating entry, worked out from what the policies in
//! force want to see. Pure; who writes it into a cluster is told in `registrar`.
//!
//! Nothing is asked for that no policy wants. What the API server can tell by itself (an excluded namespace, an object
//! on its way out, a template that is as it was) it does not ask us about.

mod condition;
pub mod doctor;
mod entry;
mod rules;
mod selector;
mod served;
mod sought;
mod wanted;
mod written;

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use portreeve_admission::api::FailurePolicy;
use portreeve_admission::policy::Policy;
use portreeve_admission::subject::TemplatePaths;

pub use condition::{Condition, Kinds, Spared};
pub use served::Served;
pub use sought::{Seekers, Sought};
pub use wanted::idle_rules;
pub use written::{Configurations, Endpoint, Site};

pub(crate) use selector::{not_in, of_namespaces, translated};

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

    /// The name of its entry for these policies.
    fn entry(self, whose: Whose) -> String {
        match whose {
            Whose::Cluster => format!("{}.portreeve.dev", self.name()),
            Whose::Namespaces => format!("namespaces.{}.portreeve.dev", self.name()),
        }
    }
}

/// Whose policies an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Whose {
    /// The cluster's, in all namespaces but those of the other entry.
    Cluster,
    /// All that there are, in the namespaces that have policies of their own.
    Namespaces,
}

impl Whose {
    const ALL: [Self; 2] = [Self::Cluster, Self::Namespaces];
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
    /// Of namespaces whose own policies want to see more of them than the cluster's, one of a call at most.
    pub of_namespaces: Vec<Entry>,
}

/// When the API server makes one of the calls. An entry without rules is never called.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which.
    pub call: Call,
    /// For whose policies.
    pub whose: Whose,
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
        let (mutating, correcting) = Entry::of(demand, Call::Mutate);
        let (validating, deciding) = Entry::of(demand, Call::Validate);
        Self { mutating, validating, of_namespaces: correcting.into_iter().chain(deciding).collect() }
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        [&self.mutating, &self.validating].into_iter().chain(&self.of_namespaces)
    }

    /// The entries of a call.
    fn of_call(&self, call: Call) -> impl Iterator<Item = &Entry> {
        self.entries().filter(move |entry| entry.call == call)
    }
}

#[cfg(test)]
mod tests;
