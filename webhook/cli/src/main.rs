//! The portreeve binary: parse, compose, print. What a command does is in the module of its name; what it rests on is
//! in the library crates.

mod arguments;
mod certs;
mod check;
mod cluster;
mod completions;
mod config;
mod demo;
mod explain;
mod export;
mod judging;
mod ledger;
mod lock;
mod log;
mod manifests;
#[cfg(test)]
mod manual;
mod nearest;
mod outcome;
mod output;
mod path;
mod policy;
mod render;
mod runtime;
#[cfg(test)]
mod schemas;
mod serve;
mod shipped;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};
use outcome::{Failure, Outcome};

/// Requests make many small allocations on many threads, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Clap ends the process itself: with 0 for --help and --version, with 2 for what it can't read.
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(outcome) => outcome.exit_code(),
        Err(failure) => failure.told(),
    }
}

fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let Arguments { command, log } = arguments;
    let filter = command.log_filter();
    // A server's log begins when its configuration has told who else listens.
    if !matches!(command, Command::Serve(_)) {
        log::start(&log, filter, None)?;
    }
    match command {
        Command::Serve(arguments) => serve::run(&arguments, |traces| log::start(&log, filter, traces)),
        Command::Check(arguments) => check::run(&arguments),
        Command::Render(arguments) => render::run(&arguments),
        Command::Lock(arguments) => lock::run(&arguments),
        Command::Policy(arguments) => policy::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Ledger(arguments) => ledger::run(&arguments),
        Command::Certs(arguments) => certs::run(&arguments),
        Command::Cluster(arguments) => cluster::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
