//! `portreeve cluster`: what somebody who looks after a cluster asks of its API server by hand.

mod client;
mod doctor;
mod evidence;
mod ready;
mod rotate;
mod uninstall;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use portreeve_cluster::connection::Connection;

#[cfg(test)]
pub(crate) use doctor::DoctorReport;
#[cfg(test)]
pub(crate) use evidence::EvidenceReport;

use crate::outcome::{Failure, Outcome};
use crate::runtime::runtime;

/// Looks after the webhook in a cluster.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  portreeve cluster doctor                             would the cluster come back without us?
  portreeve cluster rotate                             a new certificate, with nobody turned away
  portreeve cluster uninstall --namespace portreeve    before the server goes")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Doctor(doctor::Arguments),
    Evidence(evidence::Arguments),
    Ready(ready::Arguments),
    Rotate(rotate::Arguments),
    Uninstall(uninstall::Arguments),
}

/// Which cluster.
#[derive(Debug, Args)]
struct Which {
    /// What leads to its API server. Left out: what kubectl would take, or the service account of the pod that this
    /// runs in.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

impl Which {
    async fn connect(&self) -> Result<Connection, Failure> {
        Connection::of_user(self.kubeconfig.as_deref()).await.map_err(Failure::input)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let runtime = runtime()?;
    match &arguments.command {
        Command::Doctor(arguments) => runtime.block_on(doctor::run(arguments)),
        Command::Evidence(arguments) => runtime.block_on(evidence::run(arguments)),
        Command::Ready(arguments) => runtime.block_on(ready::run(arguments)),
        Command::Rotate(arguments) => runtime.block_on(rotate::run(arguments)),
        Command::Uninstall(arguments) => runtime.block_on(uninstall::run(arguments)),
    }
}
