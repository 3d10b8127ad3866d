//! How an entry is worked out, and when there is a second one. What a namespace asks of itself is asked about in that
//! namespace alone: in the others the API server asks as if it were not there. So that nothing is asked twice, no
//! namespace is in both.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use portreeve_admission::policy::Policy;

use super::wanted::{Wanted, takes_part};
use super::{Call, Demand, Entry, Whose, condition, rules, selector};

impl Entry {
    /// The entry of a call, and where policies of namespaces want to see more than the cluster's do, one for these
    /// namespaces.
    pub(super) fn of(demand: &Demand<'_>, call: Call) -> (Self, Option<Self>) {
        let all: Vec<&Policy> = demand.policies.iter().filter(|policy| takes_part(policy, call)).collect();
        let of_cluster: Vec<&Policy> = all.iter().copied().filter(|policy| policy.of_namespace.is_none()).collect();
        let excluded: Vec<String> = demand.excluded.iter().cloned().collect();
        let entry = |policies: &[&Policy]| {
            let namespaces = selector::namespaces(policies, &excluded);
            Self::asking(demand, call, policies, namespaces)
        };
        let (whole, alone) = (entry(&all), entry(&of_cluster));
        if whole == alone {
            return (whole, None);
        }
        let own: BTreeSet<String> = all.iter().filter_map(|policy| policy.of_namespace.clone()).collect();
        let elsewhere: Vec<String> = demand.excluded.union(&own).cloned().collect();
        let here: Vec<String> = own.difference(demand.excluded).cloned().collect();
        let cluster = Self { namespaces: selector::namespaces(&of_cluster, &elsewhere), ..alone };
        if here.is_empty() {
            return (cluster, None);
        }
        let wished = Wanted::of(&all, call, demand.paths, demand.served).all();
        let namespaces = Self {
            whose: Whose::Namespaces,
            rules: rules::within_namespaces(&wished),
            ..Self::asking(demand, call, &all, selector::only_in(&here))
        };
        (cluster, Some(namespaces))
    }

    /// What asks for what these policies want to see, in these namespaces.
    fn asking(demand: &Demand<'_>, call: Call, policies: &[&Policy], namespaces: LabelSelector) -> Self {
        let wanted = Wanted::of(policies, call, demand.paths, demand.served);
        Self {
            call,
            whose: Whose::Cluster,
            rules: rules::rules(&wanted.all()),
            namespaces,
            objects: selector::objects(policies),
            conditions: condition::conditions(call, &wanted, demand.paths, demand.served, demand.user),
            failure_policy: demand.failure_policy,
            timeout_seconds: timeout_seconds(policies),
        }
    }
}

/// What the API server waits where nobody says: a policy's own time runs inside.
const USUAL: u64 = 10;
/// The most that it may be told.
const MOST: u64 = 30;

/// Long enough that each policy has the time that it was given: policies get three quarters of what the API server
/// waits, less a twentieth.
fn timeout_seconds(policies: &[&Policy]) -> i32 {
    let longest = policies.iter().map(|policy| policy.timeout).max().unwrap_or(Duration::ZERO);
    let whole = longest.as_secs().saturating_add(1).saturating_mul(3) / 2;
    i32::try_from(whole.clamp(USUAL, MOST)).unwrap_or(i32::MAX)
}
