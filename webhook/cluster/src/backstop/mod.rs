//! A backstop: the few rules that hold inside the API server while no webhook answers, as ValidatingAdmissionPolicies
//! in its own words (CEL). Pure: policies in, objects out; nothing is sent.
//!
//! With the webhook, objects are judged with the defaults that it put in; without it, as they were written. So that
//! nothing is refused which the webhook would have mended, a backstop refuses only what no edit puts right: a bad value
//! that somebody wrote. What is merely missing passes. A policy whose settings can't be said is left out, and told: a
//! backstop is never stricter than the policy that it stands in for.
//!
//! What its rules say, the catalogue says too, in Rust: CEL has to be written by hand, since a compiled module can't be
//! turned into expressions. Tests hold the two together: the lists that both have are compared, every setting of a
//! policy is known to its rules here, and at a real API server they refuse what the webhook and the built-in controller
//! refuse.

mod cel;
mod exception;
mod image;
mod left_out;
mod rule;
mod rules;
mod select;
mod subject;
mod written;

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use portreeve_admission::api::Mode;
use portreeve_admission::exception::{Exception, Term};
use portreeve_admission::policy::Policy;
use serde_json::Value;

use exception::Exceptions;
use rules::{Drafted, OnRequest};

pub use left_out::{LeftOut, Why};
pub use rules::ON_REQUEST;

/// What a backstop is made from: a set as it would be in force.
#[derive(Debug, Clone)]
pub struct Demand<'a> {
    /// Its policies.
    pub policies: Vec<InForce<'a>>,
    /// Its exceptions; those that are over no longer count.
    pub exceptions: &'a [Exception],
    /// Namespaces that no policy sees, our own among them.
    pub excluded: &'a BTreeSet<String>,
    /// Policies that ship and are exported only where somebody asks for them, of those in [`ON_REQUEST`].
    pub with: &'a [String],
    /// When.
    pub now: Timestamp,
}

/// A policy in force with what its module was configured with.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Which of the policies that ship it is, such as `non-root`; none if its code comes from outside.
    pub builtin: Option<&'a str>,
    /// Its settings, which the policy takes.
    pub settings: &'a Value,
}

/// The backstop of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Backstop {
    /// Policies in the API server's words, in the order of their names.
    pub policies: Vec<Stated>,
    /// Policies that have none.
    pub left_out: Vec<LeftOut>,
}

/// A policy in the API server's words.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// What is asked.
    pub policy: ValidatingAdmissionPolicy,
    /// Of whom, and what becomes of who does not meet it.
    pub binding: ValidatingAdmissionPolicyBinding,
    /// The exceptions that are part of it, as `namespace/name`, with the time from which on they should not be: no
    /// expression knows what time it is.
    pub until: Vec<(String, Timestamp)>,
}

impl Backstop {
    /// The backstop of a set.
    #[must_use]
    pub fn of(demand: &Demand<'_>) -> Self {
        let mut backstop = Self { policies: Vec::new(), left_out: Vec::new() };
        for in_force in &demand.policies {
            match stated(in_force, demand) {
                Ok(stated) => backstop.policies.push(stated),
                Err(why) => backstop.left_out.push(LeftOut { policy: in_force.policy.id.clone(), why }),
            }
        }
        backstop
    }
}

/// Letters that the name of an object may have.
const LONGEST_NAME: usize = 253;

fn stated(in_force: &InForce<'_>, demand: &Demand<'_>) -> Result<Stated, Why> {
    let InForce { policy, builtin, settings } = in_force;
    if policy.mildest() == Mode::Off {
        return Err(Why::Off);
    }
    let builtin = builtin.ok_or(Why::Outside)?;
    if written::name(policy).len() > LONGEST_NAME {
        return Err(Why::LongName);
    }
    let asked = if demand.with.iter().any(|name| name == builtin) { OnRequest::Asked } else { OnRequest::NotAsked };
    let drafted: Drafted = rules::draft(builtin, settings, asked)?;
    let counting: Vec<&Exception> =
        demand.exceptions.iter().filter(|exception| exception.term(demand.now) != Term::Over).collect();
    let own = counting.iter().filter(|exception| exception.policy() == policy.id);
    Ok(Stated {
        policy: written::policy(policy, &drafted, &Exceptions::of(&policy.id, &counting), demand.excluded),
        binding: written::binding(policy, drafted.at_most),
        until: own.map(|exception| (exception.name.clone(), exception.spec().expires)).collect(),
    })
}

#[cfg(test)]
mod tests;
