//! The command line as a whole: the commands, and what holds for all of them. Each command's own arguments are in its
//! module.

use clap::{Parser, Subcommand, ValueEnum};

use crate::log::LogArguments;
use crate::{certs, check, cluster, completions, config, demo, explain, export, ledger, lock, policy, render, serve};

/// Kubernetes admission: safe defaults put in, workloads judged, every decision on the record.
///
/// Portreeve corrects and judges what enters a cluster, by policies that are WebAssembly components. The same engine
/// judges manifests here, before they get that far.
///
/// Exit codes: 0 fine; 1 something was denied, or a check failed; 2 usage, or input that can't be read.
#[derive(Debug, Parser)]
#[command(
    name = "portreeve",
    version,
    max_term_width = 110,
    subcommand_required = true,
    arg_required_else_help = true,
    after_long_help = "Examples:
  helm template shop ./chart | portreeve check -       what a cluster would say to this
  portreeve render deploy/ > hardened.yaml             the same manifests, safe defaults in
  portreeve serve --config server.yaml                 the webhook itself"
)]
pub(crate) struct Arguments {
    /// Which command.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What is logged, and how.
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

/// The commands. What the help says of each stands at its arguments: a word here would stand in its stead.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Arguments),
    Check(check::Arguments),
    Render(render::Arguments),
    Lock(lock::Arguments),
    Policy(policy::Arguments),
    Explain(explain::Arguments),
    Export(export::Arguments),
    Ledger(ledger::Arguments),
    Certs(certs::Arguments),
    Cluster(cluster::Arguments),
    Config(config::Arguments),
    Demo(demo::Arguments),
    Completions(completions::Arguments),
}

impl Command {
    /// What is logged if nobody says: a server tells what it does, a command only what goes wrong.
    pub(crate) fn log_filter(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            // What a policy under test says of its cases is what they are made to have it say.
            Self::Policy(_) => "warn,portreeve::policy=error",
            _ => "warn",
        }
    }
}

/// What is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs; the shapes are in docs/schemas and stay as they are.
    Json,
}
