//! `portreeve export`: policies in the words of others. What can be said in them is worked out in `portreeve_cluster`.

mod vap;

use clap::Subcommand;

use crate::outcome::{Failure, Outcome};

/// Prints policies in the words of others.
#[derive(Debug, clap::Args)]
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
