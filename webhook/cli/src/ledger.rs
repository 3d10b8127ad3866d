//! `portreeve ledger`: whether a book of decisions is whole, and what is in it.

mod report;
mod text;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use portreeve_ledger::{Records, VerifierKey, VerifyError, read, verify_naming};
use portreeve_server::way::named;
use serde::Serializer as _;

use crate::arguments::Format;
use crate::outcome::{Failure, Outcome};
use crate::output::{print, print_json, print_text, tell};

use report::Contents;
pub(crate) use report::{RecordReport, VerifyReport};

/// Checks and shows the book of decisions.
///
/// A server writes every correction and every decision into its ledger: append-only, in a Merkle tree with a signed
/// checkpoint. These commands only read, and work beside a server that is writing.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  portreeve ledger verify /var/lib/portreeve/ledger
  portreeve ledger inspect /var/lib/portreeve/ledger -o json | jq '.[] | select(.kind == \"decision\")'")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Proves a book whole, or says exactly where it is not.
    ///
    /// Every record, every segment and the tree over them is held against what was signed. What records name (sets,
    /// modules, settings, facts, long lists) has to be there as it was kept. The keys are those that lie
    /// in the book; against somebody who could replace them too, give the one that you noted, with --key.
    ///
    /// Exit codes: 0 it is whole; 1 it is not; 2 there is no book, or the key can't be read.
    #[command(after_long_help = "Examples:
  portreeve ledger verify /var/lib/portreeve/ledger
  portreeve ledger verify ledger --key noted.key -o json")]
    Verify(Verify),
    /// Counts the records of a book; with -o json, lists them.
    ///
    /// Exit codes: 0 all records were read; 1 some could not be or are not there; 2 there is no book.
    #[command(after_long_help = "Examples:
  portreeve ledger inspect ledger
  portreeve ledger inspect ledger -o json | jq '.[] | select(.body.answer == \"denied\")'")]
    Inspect(Inspect),
}

#[derive(Debug, Args)]
struct Verify {
    /// Folder of the book.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// A file with the public key that every epoch has to be signed with, as `name+id+base64`.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Args)]
struct Inspect {
    /// Folder of the book.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, thiserror::Error)]
enum KeyError {
    #[error("the key {path} can't be read", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} holds no public key", path = path.display())]
    NoKey { path: PathBuf, source: portreeve_ledger::VerifierKeyError },
}

#[derive(Debug, thiserror::Error)]
#[error("there is no book in {}", .0.display())]
struct NoBook(PathBuf);

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    match &arguments.command {
        Command::Verify(arguments) => verify_book(arguments),
        Command::Inspect(arguments) => inspect(arguments),
    }
}

fn verify_book(arguments: &Verify) -> Result<Outcome, Failure> {
    let trusted = arguments.key.as_ref().map(read_key).transpose()?;
    let proved = verify_naming(&arguments.folder, trusted.as_ref(), named);
    let report = match &proved {
        Ok(report) => VerifyReport::of(&arguments.folder, report, &[]),
        Err(VerifyError::NotWhole { faults, report, .. }) => VerifyReport::of(&arguments.folder, report, faults),
        Err(VerifyError::NoBook { .. }) => return Err(Failure::input(NoBook(arguments.folder.clone()))),
        Err(VerifyError::KeysGone { .. } | VerifyError::Keys { .. }) => {
            return proved.map(|_| Outcome::Fine).map_err(Failure::failed);
        }
    };
    match arguments.output {
        Format::Table => print_text(&text::verified(&report))?,
        Format::Json => print_json(&report)?,
    }
    Ok(Outcome::fine_if(report.whole))
}

fn read_key(path: &PathBuf) -> Result<VerifierKey, Failure> {
    let unreadable = |source| Failure::input(KeyError::Unreadable { path: path.clone(), source });
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    text.trim().parse().map_err(|source| Failure::input(KeyError::NoKey { path: path.clone(), source }))
}

fn inspect(arguments: &Inspect) -> Result<Outcome, Failure> {
    if !arguments.folder.is_dir() {
        return Err(Failure::input(NoBook(arguments.folder.clone())));
    }
    let mut readable = Readable { records: read(&arguments.folder).map_err(Failure::input)?, unread: 0 };
    match arguments.output {
        Format::Table => print_text(&text::contents(&readable.by_ref().collect::<Contents>()))?,
        Format::Json => print(|out| {
            // One after the other: a book does not fit into memory as a rule.
            serde_json::Serializer::pretty(&mut *out).collect_seq(readable.by_ref())?;
            writeln!(out)
        })?,
    }
    Ok(Outcome::fine_if(readable.unread == 0))
}

/// The records that can be read; the others are told of and counted.
struct Readable {
    records: Records,
    unread: u64,
}

impl Iterator for Readable {
    type Item = RecordReport;

    fn next(&mut self) -> Option<RecordReport> {
        loop {
            match self.records.next()? {
                Ok(record) => return Some(RecordReport::of(record)),
                Err(error) => {
                    self.unread += 1;
                    tell(&Failure::failed(error).words());
                }
            }
        }
    }
}
