//! What has to be known of the cluster to work out what policies in force want to see there.

use std::collections::BTreeSet;

use portreeve_cluster::connection::Connection;
use portreeve_cluster::discovery::{DiscoveryError, served};
use portreeve_cluster::registration::{Demand, Served};
use portreeve_server::serve::Parts;
use portreeve_server::set::PolicySet;

/// What is known.
pub(super) struct Survey {
    served: Served,
    user: Option<String>,
    excluded: BTreeSet<String>,
}

impl Survey {
    /// Asks the API server which kinds it serves, and who we are.
    pub(super) async fn make(connection: &Connection, parts: &Parts, set: &PolicySet) -> Result<Self, DiscoveryError> {
        Ok(Self {
            served: served(connection.client.clone(), &parts.gate.paths).await?,
            user: connection.service_account().await?,
            excluded: set.index().excluded().map(str::to_owned).collect(),
        })
    }

    /// What the set asks for.
    pub(super) fn demand<'a>(&'a self, parts: &'a Parts, set: &'a PolicySet) -> Demand<'a> {
        Demand {
            policies: set.policies(),
            paths: &parts.gate.paths,
            excluded: &self.excluded,
            failure_policy: set.failure_policy(),
            served: &self.served,
            user: self.user.as_deref(),
        }
    }
}
