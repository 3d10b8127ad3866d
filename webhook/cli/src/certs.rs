//! `portreeve certs`: the webhook's own CA and serving certificate, made, shown and renewed, and the token of its path.

mod report;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, Existing, PathTokens, RotationPolicy, ServerNames};

use crate::arguments::Format;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text};

pub(crate) use report::{FolderReport, RotationReport};

/// Makes and renews the webhook's certificates.
///
/// A folder holds a CA, a serving certificate that it signed, and the token that stands in the registered path. A
/// server whose configuration names the folder (`tls.folder`) does all of this by itself; these commands are for those
/// who bring certificates to it another way.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  portreeve certs create --folder tls --names portreeve.portreeve.svc
  portreeve certs show --folder tls -o json | jq .leaf.daysLeft
  portreeve certs renew --folder tls                   daily: does what is due, and nothing else")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a CA, a serving certificate and a token in a folder that has none.
    #[command(after_long_help = "Examples:
  portreeve certs create --folder tls --names portreeve.portreeve.svc
  portreeve certs create --folder tls --names localhost,127.0.0.1 --leaf-days 7
  kubectl create secret tls portreeve-tls --cert=tls/tls.crt --key=tls/tls.key")]
    Create(Create),
    /// Shows what is in the folder, how long it holds, and what is due next.
    #[command(after_long_help = "Examples:
  portreeve certs show --folder tls
  portreeve certs show --folder tls -o json | jq -r .next.at")]
    Show(Show),
    /// Does what is due, in an order in which no client is turned away.
    #[command(after_long_help = "Examples:
  portreeve certs renew --folder tls
  portreeve certs renew --folder tls --names portreeve.portreeve.svc,portreeve.example")]
    Renew(Renew),
    /// Prints the token of the path to register, a secret: `/validate/<token>`.
    #[command(after_long_help = "Examples:
  portreeve certs token --folder tls
  curl --cacert tls/ca-bundle.crt https://localhost:8443/validate/$(portreeve certs token --folder tls)")]
    Token(Folder),
}

#[derive(Debug, Args)]
struct Folder {
    /// The folder; its files are readable by you alone.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
}

#[derive(Debug, Args)]
struct Create {
    #[command(flatten)]
    folder: Folder,
    /// DNS names and addresses that clients call, with commas between them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
    names: Vec<String>,
    #[command(flatten)]
    lifetimes: Lifetimes,
    /// Replace what is there. Clients that hold the old bundle or path are turned away until they get the new.
    #[arg(long)]
    replace: bool,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    lifetimes: Lifetimes,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Args)]
struct Renew {
    #[command(flatten)]
    folder: Folder,
    /// DNS names and addresses that clients call, with commas between them. Left out: those of the certificate in
    /// force.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    names: Vec<String>,
    #[command(flatten)]
    lifetimes: Lifetimes,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

/// How long things live. What is due is worked out from these, so say the same each time.
#[derive(Debug, Args)]
struct Lifetimes {
    /// Days that a CA holds.
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    authority_days: u16,
    /// Days that a serving certificate holds; it is renewed at two thirds of them.
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=3650))]
    leaf_days: u16,
    /// Hours that clients have to take up a new bundle or path before it is used.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=8760))]
    overlap_hours: u16,
}

#[derive(Debug, thiserror::Error)]
#[error("{} is no folder; `portreeve certs create` makes one", .0.display())]
struct NoFolder(PathBuf);

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    match &arguments.command {
        Command::Create(arguments) => create(arguments)?,
        Command::Show(arguments) => show(arguments)?,
        Command::Renew(arguments) => renew(arguments)?,
        Command::Token(folder) => token(folder)?,
    }
    Ok(Outcome::Fine)
}

fn create(arguments: &Create) -> Result<(), Failure> {
    let folder = arguments.folder.open();
    let policy = arguments.lifetimes.policy(ServerNames::parse(&arguments.names).map_err(Failure::input)?)?;
    let existing = if arguments.replace { Existing::Replace } else { Existing::Keep };
    let rotation = folder.create(Timestamp::now(), &policy, existing).map_err(Failure::failed)?;
    let report = RotationReport::of(&folder, &rotation);
    match arguments.output {
        Format::Table => print_text(&text::rotation(&report)),
        Format::Json => print_json(&report),
    }
}

fn show(arguments: &Show) -> Result<(), Failure> {
    let folder = arguments.folder.open_existing()?;
    let policy = arguments.lifetimes.policy(folder.names().map_err(Failure::failed)?)?;
    let status = folder.describe(Timestamp::now(), &policy).map_err(Failure::failed)?;
    let report = FolderReport::of(&folder, &status);
    match arguments.output {
        Format::Table => print_text(&text::folder(&report)),
        Format::Json => print_json(&report),
    }
}

fn renew(arguments: &Renew) -> Result<(), Failure> {
    let folder = arguments.folder.open_existing()?;
    let names = match arguments.names.as_slice() {
        [] => folder.names().map_err(Failure::failed)?,
        names => ServerNames::parse(names).map_err(Failure::input)?,
    };
    let rotation = folder.renew(Timestamp::now(), &arguments.lifetimes.policy(names)?).map_err(Failure::failed)?;
    let report = RotationReport::of(&folder, &rotation);
    match arguments.output {
        Format::Table => print_text(&text::rotation(&report)),
        Format::Json => print_json(&report),
    }
}

fn token(folder: &Folder) -> Result<(), Failure> {
    let tokens = PathTokens::load(&folder.open_existing()?, Timestamp::now()).map_err(Failure::failed)?;
    print_text(&format!("{}\n", tokens.current()))
}

impl Folder {
    fn open(&self) -> CertificateFolder {
        CertificateFolder::new(&self.folder)
    }

    fn open_existing(&self) -> Result<CertificateFolder, Failure> {
        let is_there = self.folder.is_dir();
        is_there.then(|| self.open()).ok_or_else(|| Failure::input(NoFolder(self.folder.clone())))
    }
}

impl Lifetimes {
    fn policy(&self, names: ServerNames) -> Result<RotationPolicy, Failure> {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let days = |days: u16| hours(u64::from(days) * 24);
        let policy = RotationPolicy::new(names);
        let (authority, leaf) = (days(self.authority_days), days(self.leaf_days));
        policy.with_lifetimes(authority, leaf, hours(self.overlap_hours.into())).map_err(Failure::input)
    }
}
