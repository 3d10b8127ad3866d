//! The backstop of a set as `portreeve export vap` would print it, as objects.

use std::collections::BTreeSet;

use jiff::Timestamp;
use portreeve_cluster::backstop::{Backstop, Demand, InForce};
use portreeve_server::set::PolicySet;

/// The backstop of a set, with these of the policies that are exported where somebody asks for them.
#[must_use]
pub fn of(set: &PolicySet, with: &[String]) -> Backstop {
    let excluded: BTreeSet<String> = set.index().excluded().map(str::to_owned).collect();
    let in_force = set.policies().iter().filter_map(|policy| {
        let mut instances = set.modules().iter().flat_map(|module| module.instances());
        let instance = instances.find(|instance| instance.id == policy.id)?;
        Some(InForce { policy, builtin: Some(&instance.policy), settings: &instance.settings })
    });
    let (exceptions, now) = (set.exceptions(), Timestamp::now());
    Backstop::of(&Demand { policies: in_force.collect(), exceptions, excluded: &excluded, with, now })
}
