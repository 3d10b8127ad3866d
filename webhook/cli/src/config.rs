//! `portreeve config`: what the server's configuration file may say.

use clap::Subcommand;
use portreeve_server::config::ServerConfig;

use crate::outcome::{Failure, Outcome};
use crate::output::print_json;

/// Explains the server's configuration file.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve config schema > server.schema.json
  # then, as the first line of server.yaml, for editors:
  # yaml-language-server: $schema=server.schema.json")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Prints the JSON Schema of the configuration file.
    #[command(after_long_help = "Examples:
  portreeve config schema > server.schema.json
  portreeve config schema | jq '.properties | keys'")]
    Schema,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    match arguments.command {
        Command::Schema => print_json(&schemars::schema_for!(ServerConfig))?,
    }
    Ok(Outcome::Fine)
}
