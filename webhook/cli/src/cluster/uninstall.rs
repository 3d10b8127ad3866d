//! `portreeve cluster uninstall`: the API server is told to ask us no more, before there is nobody left to answer.

use std::time::Duration;

use portreeve_cluster::election::{Suspended, suspend};
use portreeve_cluster::registrar::{Registrar, Removal};

use super::Which;
use crate::outcome::{Failure, Outcome};
use crate::output::print_text;

/// Takes the registrations away, before the server goes.
///
/// Without this, an API server whose webhook is gone refuses, or holds up, what it would have asked about. Replicas
/// that still run do not register again for two minutes: the lease of their leader is taken first, which takes some
/// seconds. A configuration of the same name that is not ours stays. `helm uninstall` does it first.
///
/// Exit codes: 0 both are gone, or never were; 1 one of them stays; 2 there is no way to the cluster.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve cluster uninstall --namespace portreeve
  portreeve cluster uninstall --namespace admission --name admission --kubeconfig staging.yaml")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Name of both webhook configurations, as `kubernetes.registration.name` has it.
    #[arg(long, default_value = "portreeve")]
    name: String,
    /// Namespace of the server, where its lease is. Left out: that of the kubeconfig or of the service account.
    #[arg(long)]
    namespace: Option<String>,
    /// The lease, as `kubernetes.lease` has it. Left out: the name of the configurations, as the chart has it.
    #[arg(long, value_name = "NAME")]
    lease: Option<String>,
}

/// How long no replica leads. Those that are about to go take less.
const SPAN: Duration = Duration::from_secs(120);

pub(super) async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let connection = arguments.which.connect().await?;
    let namespace = arguments.namespace.as_deref().unwrap_or(&connection.namespace);
    let lease = arguments.lease.as_deref().unwrap_or(&arguments.name);
    let held = suspend(connection.client.clone(), namespace, lease, SPAN).await.map_err(Failure::failed)?;
    let told = match held {
        Suspended::Held => format!("taken for {} seconds", SPAN.as_secs()),
        Suspended::NoLease => format!("not in {namespace}; a replica that leads by another would register again"),
    };
    print_text(&format!("Lease {lease}: {told}\n"))?;
    let removed = Registrar::new(connection.client).remove(&arguments.name).await.map_err(Failure::failed)?;
    for (configuration, removal) in removed {
        let done = match removal {
            Removal::Removed => "removed",
            Removal::Absent => "was not there",
        };
        print_text(&format!("{configuration} {}: {done}\n", arguments.name))?;
    }
    Ok(Outcome::Fine)
}
