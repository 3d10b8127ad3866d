//! What is logged: to stderr, as lines of text or of JSON.

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use portreeve_server::traces::Traces;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::outcome::Failure;

/// What is logged, and how.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// What is logged to stderr: a level, or levels by module, such as `info,portreeve_supply=debug`. Left out: `info`
    /// for servers, `warn` for all other commands, without what policies say of cases that are tried.
    #[arg(long, global = true, env = "RUST_LOG", value_name = "FILTER", help_heading = "Logging")]
    log: Option<String>,
    /// How it is written.
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Logging")]
    log_format: LogFormat,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

#[derive(Debug, thiserror::Error)]
#[error("--log {filter:?} is no filter; write a level, or levels by module such as info,portreeve_supply=debug")]
struct BadFilter {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Starts logging; `default` is the filter where none is given. Traces listen beside it, whatever it filters.
///
/// # Errors
/// When the filter is none.
pub(crate) fn start(arguments: &LogArguments, default: &str, traces: Option<&Traces>) -> Result<(), Failure> {
    let filter = arguments.log.as_deref().unwrap_or(default);
    let filter =
        EnvFilter::try_new(filter).map_err(|source| Failure::input(BadFilter { filter: filter.to_owned(), source }))?;
    let log = written(arguments.log_format).with_filter(filter);
    match traces {
        Some(traces) => tracing_subscriber::registry().with(log).with(traces.layer()).init(),
        None => tracing_subscriber::registry().with(log).init(),
    }
    Ok(())
}

fn written(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let log = fmt::layer().with_writer(std::io::stderr);
    match format {
        // Colours are for a terminal, unless somebody wants none there either (no-color.org).
        LogFormat::Text => log.with_target(false).with_ansi(is_coloured()).boxed(),
        LogFormat::Json => log.json().boxed(),
    }
}

fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
