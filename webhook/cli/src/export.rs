//! `portreeve export`: policies in the words of others. What can be said in them is worked out in `portreeve_cluster`.

mod vap;

use clap::Subcommand;

use crate::outcome::{Failure, Outcome};

/// Prints policies in the words of others.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve export vap policies/                       what holds inside the API server while we are away")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Vap(vap::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    match &arguments.command {
        Command::Vap(arguments) => vap::run(arguments),
    }
}
