//! The lease for what only one replica may do: whoever holds it signs certificates and writes the registration. What its
//! holder does is not told here.
//!
//! A replica never compares its clock with another's. It looks whether the lease was renewed, and if not for as long as the
//! lease says, by its own clock, it takes it; the API server lets only one do so, since each write names the version that it
//! was made from. A holder that could not renew stops being one well before others may take over.

mod ballot;
mod duty;
mod suspended;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

pub use duty::while_leading;
pub use suspended::{SuspendError, Suspended, suspend};

use ballot::{Ballot, Turn};

/// Whether we hold the lease.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// Another does, or nobody.
    #[default]
    Follower,
    /// We do.
    Leader,
}

/// A replica that would hold the lease.
#[derive(Clone)]
pub struct Candidate {
    leases: Api<Lease>,
    /// Name of the lease.
    lease: String,
    /// Who we are among the replicas.
    identity: String,
    times: Times,
}

/// How quickly things go. Each is well below the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How long a lease is its holder's after it was last renewed. Whole seconds.
    pub lease: Duration,
    /// How long a holder that can't renew goes on.
    pub patience: Duration,
    /// How often it is renewed, or looked at.
    pub period: Duration,
}

impl Default for Times {
    /// As Kubernetes' own controllers have it: a leader that is lost is followed by another within 17 seconds.
    fn default() -> Self {
        Self { lease: Duration::from_secs(15), patience: Duration::from_secs(10), period: Duration::from_secs(2) }
    }
}

/// An attempt that came to nothing. The next one may do better.
#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error("the API server refuses")]
    Refused(#[from] kube::Error),
    #[error("the API server does not answer")]
    Silent(#[from] tokio::time::error::Elapsed),
}

impl Candidate {
    /// Somebody who would hold the lease of this name. `identity` is a replica's alone: the pod's name.
    #[must_use]
    pub fn new(client: Client, namespace: &str, lease: &str, identity: &str, times: Times) -> Self {
        let leases = Api::namespaced(client, namespace);
        Self { leases, lease: lease.to_owned(), identity: identity.to_owned(), times }
    }

    /// Stands for election, and tells how it goes, until nobody listens any more; then the lease is given back, so that
    /// another need not wait for its end.
    pub async fn stand(&self, told: watch::Sender<Standing>) {
        let mut ballot = Ballot::new(self.identity.clone(), self.times.lease);
        let mut renewed: Option<Instant> = None;
        loop {
            let begun = Instant::now();
            match self.attempt(&mut ballot).await {
                Ok(Standing::Leader) => renewed = Some(begun),
                Ok(Standing::Follower) => renewed = None,
                Err(error) => {
                    tracing::warn!(lease = self.lease, error = crate::with_causes(&error), "no word of the lease");
                    renewed = renewed.filter(|renewed| renewed.elapsed() < self.times.patience);
                }
            }
            let standing = if renewed.is_some() { Standing::Leader } else { Standing::Follower };
            told.send_if_modified(|before| std::mem::replace(before, standing) != standing);
            tokio::select! {
                () = told.closed() => break,
                () = sleep(self.times.period) => {}
            }
        }
        if renewed.is_some() {
            self.give_back(&ballot).await;
        }
    }

    /// Looks at the lease, and renews or takes it where that may be. It takes no longer than a holder may wait.
    async fn attempt(&self, ballot: &mut Ballot) -> Result<Standing, AttemptError> {
        timeout(self.times.patience / 2, self.look(ballot)).await?
    }

    async fn look(&self, ballot: &mut Ballot) -> Result<Standing, AttemptError> {
        let Some(lease) = self.leases.get_opt(&self.lease).await? else {
            let metadata = ObjectMeta { name: Some(self.lease.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(ballot.first()) };
            return won(self.leases.create(&PostParams::default(), &lease).await);
        };
        match ballot.turn(lease.spec.as_ref(), std::time::Instant::now()) {
            Turn::Others => Ok(Standing::Follower),
            Turn::Ours(spec) => {
                let lease = Lease { spec: Some(spec), ..lease };
                won(self.leases.replace(&self.lease, &PostParams::default(), &lease).await)
            }
        }
    }

    async fn give_back(&self, ballot: &Ballot) {
        let given = async {
            let lease = self.leases.get(&self.lease).await?;
            let Some(spec) = ballot.given_back(lease.spec.as_ref()) else { return Ok(()) };
            let lease = Lease { spec: Some(spec), ..lease };
            self.leases.replace(&self.lease, &PostParams::default(), &lease).await.map(drop)
        };
        if let Ok(Err(error)) = timeout(self.times.patience / 2, given).await {
            tracing::info!(lease = self.lease, error = crate::with_causes(&error), "the lease ends by itself");
        }
    }
}

/// Somebody who was quicker has won.
fn won(written: Result<Lease, kube::Error>) -> Result<Standing, AttemptError> {
    match written {
        Ok(_) => Ok(Standing::Leader),
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => Ok(Standing::Follower),
        Err(error) => Err(error.into()),
    }
}
