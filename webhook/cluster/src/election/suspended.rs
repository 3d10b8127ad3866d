//! The lease taken from whoever holds it, for a while: before something goes that a leader would put back. What goes is
//! not known here.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::sleep;

use super::Times;

/// Who holds a lease that no replica is to hold. No pod is called so: a StatefulSet's end in a number.
const NOBODY: &str = "nobody";

/// How often it is tried. A holder renews once in two seconds, so that twice in a row is rare.
const ATTEMPTS: usize = 5;

/// What became of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspended {
    /// No replica holds it, and each knows.
    Held,
    /// There is none: no replica leads by it.
    NoLease,
}

/// A lease that can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum SuspendError {
    /// The API server refuses, or does not answer.
    #[error("the Lease {lease:?} in {namespace} can't be read or written")]
    Refused {
        /// Its name.
        lease: String,
        /// Its namespace.
        namespace: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Somebody else wrote it each time.
    #[error("the Lease {lease:?} in {namespace} is written by others again and again; try once more")]
    Contended {
        /// Its name.
        lease: String,
        /// Its namespace.
        namespace: String,
    },
}

/// Takes the lease, whoever holds it, so that no replica leads for this span, in whole seconds. When this returns, who
/// held it has stopped to do what a leader does. After the span some replica leads again, if one is left.
///
/// # Errors
/// When the lease can't be read or written.
pub async fn suspend(client: Client, namespace: &str, name: &str, span: Duration) -> Result<Suspended, SuspendError> {
    let (lease, namespace) = (name.to_owned(), namespace.to_owned());
    let leases = Api::<Lease>::namespaced(client, &namespace);
    for _ in 0..ATTEMPTS {
        match take(&leases, &lease, span).await {
            Ok(Suspended::Held) => {
                // By then a holder has looked at the lease, or could not and stopped for that.
                let Times { patience, period, .. } = Times::default();
                sleep(patience + period).await;
                return Ok(Suspended::Held);
            }
            Ok(Suspended::NoLease) => return Ok(Suspended::NoLease),
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(source) => return Err(SuspendError::Refused { lease, namespace, source: Box::new(source) }),
        }
    }
    Err(SuspendError::Contended { lease, namespace })
}

async fn take(leases: &Api<Lease>, name: &str, span: Duration) -> Result<Suspended, kube::Error> {
    let Some(lease) = leases.get_opt(name).await? else { return Ok(Suspended::NoLease) };
    let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default();
    let now = MicroTime(Timestamp::now());
    let spec = LeaseSpec {
        holder_identity: Some(NOBODY.to_owned()),
        lease_duration_seconds: i32::try_from(span.as_secs()).ok(),
        lease_transitions: Some(transitions.saturating_add(1)),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        ..LeaseSpec::default()
    };
    leases.replace(name, &PostParams::default(), &Lease { spec: Some(spec), ..lease }).await?;
    Ok(Suspended::Held)
}
