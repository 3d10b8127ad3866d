//! What a registration would hold up while nobody answers it: the control plane's own recovery, or ours. Each is a
//! finding with its remedy; whether a set is refused for it is the loader's to say. Nothing is asked of a cluster here.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use portreeve_admission::api::FailurePolicy;
use portreeve_admission::recovery::{Role, role};

use super::condition::RECOVERY;
use super::selector::{NAME, lets_in};
use super::wanted::ANY;
use super::{Call, Condition, Demand, Entry, Registration, Spared, Whose};

/// What a registration is examined in.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// Where we run.
    pub own_namespace: Option<&'a str>,
    /// Namespaces that are there, with their labels.
    pub namespaces: &'a BTreeMap<String, BTreeMap<String, String>>,
    /// Whose certificate we serve.
    pub certificates: Certificates,
}

/// Who makes the certificate that we serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificates {
    /// We do, or somebody gives it to us as files.
    Own,
    /// A controller in the cluster, which has to run before we can.
    InCluster,
}

/// Something that a registration would hold up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// By which call.
    pub call: Call,
    /// What.
    pub danger: Danger,
    /// How.
    pub harm: Harm,
}

/// What would be held up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// A resource that a cluster comes back by.
    Resource(Spared),
    /// Pods of our own namespace: we could not come back.
    OwnNamespace(String),
    /// Pods of a namespace that others come back by.
    Namespace {
        /// Its name.
        name: String,
        /// What runs there.
        role: Role,
    },
}

/// What becomes of it while nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It is refused.
    Refused,
    /// It waits so many seconds each time, and is let through.
    Delayed(i32),
}

/// What to do with a registration with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advice {
    /// Tell of it.
    Warn,
    /// Do not register it.
    Refuse,
}

/// All that a registration would hold up in these surroundings.
#[must_use]
pub fn examine(registration: &Registration, surroundings: &Surroundings<'_>) -> Vec<Finding> {
    registration.entries().flat_map(|entry| examine_entry(entry, surroundings)).collect()
}

/// What of it a registration must not hold up: why it is not to be written.
#[must_use]
pub fn vital(registration: &Registration, surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings = examine(registration, surroundings);
    findings.retain(|finding| finding.advice(surroundings.certificates) == Advice::Refuse);
    findings
}

/// What may be registered of what is demanded, with what was found and left out of it: a namespace that asks of itself
/// what must not be held up there keeps nobody else's policies waiting.
///
/// # Errors
/// What must not be held up, and would be by the policies of the cluster.
pub fn fit(demand: &Demand<'_>, surroundings: &Surroundings<'_>) -> Result<(Registration, Vec<Finding>), Vec<Finding>> {
    let registration = Registration::of(demand);
    let found = vital(&registration, surroundings);
    if found.is_empty() {
        return Ok((registration, found));
    }
    let is_found = |namespace: &String| found.iter().any(|finding| finding.danger.namespace() == Some(namespace));
    let mut policies = demand.policies.to_vec();
    policies.retain(|policy| !policy.of_namespace.as_ref().is_some_and(is_found));
    let registration = Registration::of(&Demand { policies: &policies, ..demand.clone() });
    if vital(&registration, surroundings).is_empty() { Ok((registration, found)) } else { Err(found) }
}

impl Danger {
    /// The namespace that it is in, if it is in one.
    fn namespace(&self) -> Option<&String> {
        match self {
            Self::Resource(_) => None,
            Self::OwnNamespace(name) | Self::Namespace { name, .. } => Some(name),
        }
    }
}

impl Finding {
    /// What to do. What would keep the control plane or us from coming back is refused; what only costs time, or what
    /// others need to come back, is told.
    #[must_use]
    pub fn advice(&self, certificates: Certificates) -> Advice {
        let is_vital = match &self.danger {
            Danger::Resource(spared) => !spared.is_a_log(),
            Danger::OwnNamespace(_) => true,
            Danger::Namespace { role, .. } => match role {
                Role::ControlPlane | Role::Network => true,
                Role::Certificates => certificates == Certificates::InCluster,
                Role::Gpu | Role::Fleet | Role::Admission => false,
            },
        };
        if is_vital && self.harm == Harm::Refused { Advice::Refuse } else { Advice::Warn }
    }
}

fn examine_entry(entry: &Entry, surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let harm = match entry.failure_policy {
        FailurePolicy::Fail => Harm::Refused,
        FailurePolicy::Ignore => Harm::Delayed(entry.timeout_seconds),
    };
    // What the cluster's policies name is in their own entry. What a namespace names is held up in that namespace
    // alone, and a cluster comes back without it.
    let of_cluster = entry.whose == Whose::Cluster;
    let resources = RECOVERY.iter().filter(|spared| of_cluster && reaches_resource(entry, spared));
    let dangers = resources.map(|spared| Danger::Resource(*spared)).chain(namespaces(entry, surroundings));
    dangers.map(|danger| Finding { call: entry.call, danger, harm }).collect()
}

/// Namespaces whose pods the entry is asked about although others come back by them.
fn namespaces(entry: &Entry, surroundings: &Surroundings<'_>) -> Vec<Danger> {
    if !entry.rules.iter().any(|rule| names(rule, "", "pods")) {
        return Vec::new();
    }
    let own = surroundings.own_namespace;
    let known =
        surroundings.namespaces.iter().filter(|(name, labels)| lets_in(&entry.namespaces, &named(name, labels)));
    let danger = |name: &String| match role(name) {
        _ if own == Some(name.as_str()) => Some(Danger::OwnNamespace(name.clone())),
        Some(role) => Some(Danger::Namespace { name: name.clone(), role }),
        None => None,
    };
    known.filter_map(|(name, _)| danger(name)).collect()
}

/// The API server labels every namespace with its name.
fn named(name: &str, labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = labels.clone();
    labels.insert(NAME.to_owned(), name.to_owned());
    labels
}

fn reaches_resource(entry: &Entry, spared: &Spared) -> bool {
    let is_spared = entry.conditions.iter().any(|condition| match condition {
        Condition::NotRecovery { spared: all } => all.contains(spared),
        _ => false,
    });
    !is_spared && entry.rules.iter().any(|rule| names(rule, spared.group, spared.resource))
}

/// Whether a rule takes in a resource; any of the group where the resource is `*`.
fn names(rule: &RuleWithOperations, group: &str, resource: &str) -> bool {
    let has = |names: &Option<Vec<String>>, wanted: &str| {
        names.iter().flatten().any(|name| name == ANY || name == wanted || wanted == ANY)
    };
    has(&rule.api_groups, group) && has(&rule.resources, resource)
}

impl Spared {
    /// Events tell of what happens, and nothing waits for them.
    fn is_a_log(self) -> bool {
        matches!((self.group, self.resource), ("", "events") | ("events.k8s.io", _))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let harm = match self.harm {
            Harm::Refused => "refused".to_owned(),
            Harm::Delayed(seconds) => format!("held up for {seconds} s each"),
        };
        let call = self.call.name();
        match &self.danger {
            Danger::Resource(Spared { group, resource }) => {
                let what = if *resource == ANY { format!("{group}/*") } else { format!("{group}/{resource}") };
                let what = what.trim_start_matches('/');
                write!(
                    f,
                    "{call}: {what} would be {harm} while no replica answers, and a cluster comes back by them; "
                )?;
                f.write_str("take them out of what the policy wants to see, or let its failures pass")
            }
            Danger::OwnNamespace(name) => {
                write!(
                    f,
                    "{call}: pods of {name}, where we run ourselves, would be {harm} while no replica answers; "
                )?;
                f.write_str("leave it among the excluded namespaces")
            }
            Danger::Namespace { name, role } => {
                write!(f, "{call}: pods of {name} ({}) would be {harm} while no replica answers; ", words(*role))?;
                write!(f, "put {name} into the PolicySet's excludedNamespaces")
            }
        }
    }
}

fn words(role: Role) -> &'static str {
    match role {
        Role::ControlPlane => "the control plane",
        Role::Network => "the network of pods",
        Role::Gpu => "drivers of GPU nodes",
        Role::Certificates => "certificates",
        Role::Fleet => "the fleet's controller",
        Role::Admission => "another admission webhook",
    }
}

#[cfg(test)]
mod tests;
