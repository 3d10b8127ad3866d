//! What has to be known of the cluster to work out what policies in force want to see there. Who we are is asked once,
//! which kinds there are once a minute and for each new set; namespaces are watched anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_cluster::connection::Connection;
use portreeve_cluster::discovery::{DiscoveryError, served};
use portreeve_cluster::registration::{Demand, Served};
use portreeve_server::around::Seen;
use portreeve_server::serve::Parts;
use portreeve_server::set::PolicySet;
use tokio::sync::{Mutex, OnceCell};

/// A kind that is installed later is asked about after this long.
const FRESH: Duration = Duration::from_secs(60);

/// Surveys the cluster.
#[derive(Clone)]
pub(super) struct Surveyor(Arc<Known>);

struct Known {
    connection: Connection,
    seen: Arc<Seen>,
    user: OnceCell<Option<String>>,
    served: Mutex<Option<Discovered>>,
}

/// What the API server said it serves.
struct Discovered {
    at: Instant,
    /// Digest of the set that it was asked for.
    set: String,
    served: Served,
}

/// What is known.
pub(super) struct Survey {
    served: Served,
    user: Option<String>,
    excluded: BTreeSet<String>,
}

impl Surveyor {
    /// One that knows namespaces as they were last seen.
    pub(super) fn new(connection: Connection, seen: Arc<Seen>) -> Self {
        Self(Arc::new(Known { connection, seen, user: OnceCell::new(), served: Mutex::default() }))
    }

    /// What has to be known for this set.
    pub(super) async fn survey(&self, parts: &Parts, set: &PolicySet) -> Result<Survey, DiscoveryError> {
        let user = self.0.user.get_or_try_init(|| self.0.connection.service_account()).await?;
        let excluded = set.index().excluded().map(str::to_owned).collect();
        Ok(Survey { served: self.served(parts, set).await?, user: user.clone(), excluded })
    }

    /// Names and labels of all namespaces; none until they were told of.
    pub(super) fn namespaces(&self) -> Option<BTreeMap<String, BTreeMap<String, String>>> {
        self.0.seen.namespaces()
    }

    async fn served(&self, parts: &Parts, set: &PolicySet) -> Result<Served, DiscoveryError> {
        let mut known = self.0.served.lock().await;
        if let Some(known) = known.as_ref()
            && known.set == set.digest()
            && known.at.elapsed() < FRESH
        {
            return Ok(known.served.clone());
        }
        let served = served(self.0.connection.client.clone(), &parts.gate.paths).await?;
        *known = Some(Discovered { at: Instant::now(), set: set.digest().to_owned(), served: served.clone() });
        Ok(served)
    }
}

impl Survey {
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
