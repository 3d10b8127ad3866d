//! The lease for what only one replica may do: whoever holds it signs certificates and writes the registration. What
//! its holder does is not told here.
//!
//! A replica never compares its clock with another's. It looks whether the lease was renewed, and if not for as long as
//! the lease says, by its own clock, it takes it; the API server lets only one do so, since each write names the
//! version that it was made from. A holder that could not renew stops being one well before others may take over.

mod ballot;
mod duty;
mod suspended;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

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
            let until = self.no_later(begun + self.times.patience / 2, renewed);
            match self.attempt(&mut ballot, until).await {
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
                () = sleep_until(self.no_later(Instant::now() + self.times.period, renewed)) => {}
            }
        }
        if renewed.is_some() {
            self.give_back(&ballot).await;
        }
    }

    /// This time, but for a holder no later than its patience ends: nothing that it waits for keeps it from stopping
    /// then.
    fn no_later(&self, time: Instant, renewed: Option<Instant>) -> Instant {
        renewed.map_or(time, |renewed| time.min(renewed + self.times.patience))
    }

    /// Looks at the lease until then, and renews or takes it where that may be.
    async fn attempt(&self, ballot: &mut Ballot, until: Instant) -> Result<Standing, AttemptError> {
        timeout_at(until, self.look(ballot)).await?
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;
    use std::sync::atomic::{AtomicU32, Ordering};

    use hyper::{Method, Request, Response};
    use kube::client::Body;
    use serde_json::json;
    use tower::service_fn;

    use super::*;

    /// An API server that falls silent after so many calls. It has a lease of nobody's, and takes every write.
    fn silent_after(calls: u32) -> Client {
        let answered = AtomicU32::new(0);
        let answer = move |request: Request<Body>| {
            let is_silent = answered.fetch_add(1, Ordering::Relaxed) >= calls;
            async move {
                if is_silent {
                    pending::<()>().await;
                }
                let holder = if request.method() == Method::GET { "" } else { "one" };
                let lease = json!({"metadata": {"name": "lease"}, "spec": {"holderIdentity": holder}});
                Ok::<_, Infallible>(Response::new(Body::from(lease.to_string().into_bytes())))
            }
        };
        Client::new(service_fn(answer), "default")
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_can_not_renew_stops_when_its_patience_ends_whatever_it_waits_for() {
        let Times { patience, period, .. } = Times::default();
        // The first attempt and so many renewals; the last one is answered, or its second half is not.
        for calls in 2..8 {
            let begun = Instant::now();
            let candidate = Candidate::new(silent_after(calls), "portreeve", "lease", "one", Times::default());
            let (tell, mut standing) = watch::channel(Standing::Follower);
            let standing_by = tokio::spawn(async move { candidate.stand(tell).await });
            standing.wait_for(|standing| *standing == Standing::Leader).await.unwrap();
            standing.wait_for(|standing| *standing == Standing::Follower).await.unwrap();
            assert_eq!(begun.elapsed(), period * (calls / 2 - 1) + patience, "after {calls} calls");
            standing_by.abort();
        }
    }
}
