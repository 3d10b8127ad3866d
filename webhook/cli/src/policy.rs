//! `portreeve policy`: the policies that ship, and what is in a policy's module.

mod report;
mod test;
mod text;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use portreeve_builtin::CATALOGUE;
use portreeve_engine::{Engine, Inspection, Options};

use crate::arguments::Format;
use crate::nearest::nearest;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text};

pub(crate) use report::{ModuleReport, PolicyReport, Rule};
#[cfg(test)]
pub(crate) use test::TestReport;

/// Shows policies, and tries them on cases.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  portreeve policy list
  portreeve policy inspect non-root
  portreeve policy inspect non-root -o json | jq '.policies[0].settingsSchema'
  portreeve policy inspect ./my-policy.wasm
  portreeve policy test my-cases.yaml --module ./my-policy.wasm")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the policies that ship: what they do, the facts they need, the controls they support.
    #[command(after_long_help = "Examples:
  portreeve policy list
  portreeve policy list -o json | jq -r '.[].name'")]
    List(List),
    /// Shows one policy that ships, or a module in a file: what it says of itself, the schema of its settings, what it
    /// imports, and whether it can be started frozen.
    #[command(after_long_help = "Examples:
  portreeve policy inspect image-digest
  portreeve policy inspect ./my-policy.wasm -o json")]
    Inspect(Inspect),
    Test(test::Arguments),
}

#[derive(Debug, Args)]
struct List {
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Args)]
struct Inspect {
    /// Name of a policy that ships, or a file whose name ends in `.wasm`.
    #[arg(value_name = "NAME|FILE.wasm")]
    policy: String,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, thiserror::Error)]
enum InspectError {
    #[error("the module {path} can't be read", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} is no policy module", path = path.display())]
    NoModule { path: PathBuf, source: portreeve_engine::LoadError },
    #[error("no policy {name:?} ships; {}. A file's name has to end in .wasm", nearest(name, known))]
    Unknown { name: String, known: Vec<String> },
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    match &arguments.command {
        Command::List(arguments) => list(arguments)?,
        Command::Inspect(arguments) => inspect(arguments)?,
        Command::Test(arguments) => return test::run(arguments),
    }
    Ok(Outcome::Fine)
}

fn list(arguments: &List) -> Result<(), Failure> {
    let module = ModuleReport::of(shipped()?);
    match arguments.output {
        Format::Table => print_text(&text::list(&module.policies)),
        Format::Json => print_json(&module.policies),
    }
}

fn inspect(arguments: &Inspect) -> Result<(), Failure> {
    let module = match arguments.policy.strip_suffix(".wasm") {
        Some(_) => ModuleReport::of(in_file(Path::new(&arguments.policy))?),
        None => one_shipped(&arguments.policy)?,
    };
    match arguments.output {
        Format::Table => print_text(&text::module(&module)),
        Format::Json => print_json(&module),
    }
}

fn one_shipped(name: &str) -> Result<ModuleReport, Failure> {
    let mut module = ModuleReport::of(shipped()?);
    let known: Vec<String> = module.policies.iter().map(|policy| policy.name.clone()).collect();
    module.policies.retain(|policy| policy.name == name);
    if module.policies.is_empty() {
        return Err(Failure::input(InspectError::Unknown { name: name.to_owned(), known }));
    }
    Ok(module)
}

fn shipped() -> Result<Inspection, Failure> {
    engine()?.inspect(CATALOGUE).map_err(Failure::failed)
}

fn in_file(path: &Path) -> Result<Inspection, Failure> {
    inspect_bytes(path, &bytes(path)?)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |source| Failure::input(InspectError::Unreadable { path: path.to_owned(), source });
    std::fs::read(path).map_err(unreadable)
}

fn inspect_bytes(path: &Path, bytes: &[u8]) -> Result<Inspection, Failure> {
    let no_module = |source| Failure::input(InspectError::NoModule { path: path.to_owned(), source });
    engine()?.inspect(bytes).map_err(no_module)
}

fn engine() -> Result<Engine, Failure> {
    Engine::new(Options::default()).map_err(Failure::failed)
}
