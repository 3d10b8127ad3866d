//! Policy instances: what the administrator put in force, and what that is for a module that carries the policies.

use std::collections::{BTreeSet, HashMap};

use portreeve_admission::case::FactKind;
use serde_json::Value;

use crate::{LoadError, Manifest, bindings};

/// A policy that is in force with these settings. One policy may be in force several times.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Unique among the instances of a module: the name of the ClusterPolicy.
    pub id: String,
    /// `Manifest::name` of the policy.
    pub policy: String,
    /// Valid against the policy's schema; the policy checks the rest.
    pub settings: Value,
    /// Facts that it may have, of those that the policy declares.
    pub granted: BTreeSet<FactKind>,
}

/// The instances that a module was configured with, found by id.
#[derive(Debug)]
pub(crate) struct Instances(HashMap<String, Facts>);

/// What facts an instance may ask for, and have.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) declared: BTreeSet<FactKind>,
    pub(crate) granted: BTreeSet<FactKind>,
}

impl Instances {
    /// Finds each instance's policy among those that the module carries.
    pub(crate) fn resolve(wanted: &[&Instance], carried: &[Manifest]) -> Result<Self, LoadError> {
        let mut found = HashMap::with_capacity(wanted.len());
        for instance in wanted {
            let declared = policy_of(instance, carried)?.facts.iter().map(|need| need.kind).collect();
            found.insert(instance.id.clone(), Facts { declared, granted: instance.granted.clone() });
        }
        Ok(Self(found))
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Facts> {
        self.0.get(id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}

fn policy_of<'a>(instance: &Instance, carried: &'a [Manifest]) -> Result<&'a Manifest, LoadError> {
    carried.iter().find(|manifest| manifest.name == instance.policy).ok_or_else(|| LoadError::NoSuchPolicy {
        instance: instance.id.clone(),
        policy: instance.policy.clone(),
        known: carried.iter().map(|manifest| manifest.name.clone()).collect(),
    })
}

/// The instances in the order of their ids, so that one set has one snapshot in whatever order it was written.
pub(crate) fn in_order(instances: &[Instance]) -> Result<Vec<&Instance>, LoadError> {
    let mut ordered: Vec<_> = instances.iter().collect();
    ordered.sort_by(|a, b| a.id.cmp(&b.id));
    match ordered.windows(2).find_map(|pair| match pair {
        [a, b] if a.id == b.id => Some(a.id.clone()),
        _ => None,
    }) {
        Some(id) => Err(LoadError::DuplicateInstance { id }),
        None => Ok(ordered),
    }
}

/// What `configure` is given. Settings are canonical JSON (RFC 8785): equal settings make equal snapshots.
pub(crate) fn to_configure(instances: &[&Instance]) -> Result<Vec<bindings::Instance>, LoadError> {
    instances
        .iter()
        .map(|instance| {
            let settings = serde_json_canonicalizer::to_string(&instance.settings).map_err(LoadError::NotCanonical)?;
            Ok(bindings::Instance { id: instance.id.clone(), policy: instance.policy.clone(), settings })
        })
        .collect()
}
