//! `portreeve cluster uninstall`: the API server is told to ask us no more, before there is nobody left to answer.

use portreeve_cluster::registrar::{Registrar, Removal};

use super::Which;
use crate::outcome::{Failure, Outcome};
use crate::output::print_text;

/// Takes the registrations away, before the server goes.
///
/// Without this, an API server whose webhook is gone refuses, or holds up, what it would have asked about. A configuration
/// of the same name that is not ours stays. `helm uninstall` does it first.
///
/// Exit codes: 0 both are gone, or never were; 1 one of them stays; 2 there is no way to the cluster.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve cluster uninstall
  portreeve cluster uninstall --name admission --kubeconfig staging.yaml")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Name of both webhook configurations, as `kubernetes.registration.name` has it.
    #[arg(long, default_value = "portreeve")]
    name: String,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let connection = arguments.which.connect().await?;
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
