//! `portreeve policy test`: whether policies do what their cases say.

mod report;
mod text;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::Args;
use portreeve_admission::subject::TemplatePaths;
use portreeve_builtin::CATALOGUE;
use portreeve_cases::{CaseFile, read_paths};
use portreeve_engine::{Engine, LoadError, Options};
use portreeve_server::trial::{self, Trial};

use crate::arguments::Format;
use crate::judging::cache;
use crate::nearest::nearest;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text};
use crate::shipped::shipped;

pub(crate) use report::TestReport;

/// Plays cases against a policy: a request, what is known beside it, and how it has to end.
///
/// The cases are tried on the policies that ship, or on those of a module. Which policy a file is about it says itself,
/// by `policy: NAME` before its `cases:`; else --builtin says it, or the folder around the folder `cases` that it
/// stands in, or there is only one in the module. Without a path the cases of the policies that ship are played.
///
/// Exit codes: 0 all cases ended as they say; 1 one did not; 2 something can't be read.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  portreeve policy test                                         the policies that ship, on their own cases
  portreeve policy test --builtin seccomp                       one of them
  portreeve policy test our-cases.yaml --builtin seccomp        it, with our settings, on our cases
  portreeve policy test my-policy/ --module my-policy.wasm      one of our own

Such a file:
  policy: labels
  cases:
  - name: denies a pod without a team
    settings: {labels: [{key: team}]}
    object: {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: a}]}}
    expect: {violations: [{rule: missing-label}], message: team}")]
pub(super) struct Arguments {
    /// Files of cases, or folders: every *.yaml and *.yml in them, or only those in folders named `cases`, if there are
    /// any.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The policy that ships for files that name none; without a path, the one whose cases are played.
    #[arg(long, value_name = "NAME", conflicts_with = "module")]
    builtin: Option<String>,
    /// The module whose policies are tried, instead of those that ship.
    #[arg(long, value_name = "FILE.wasm", requires = "paths")]
    module: Option<PathBuf>,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, thiserror::Error)]
enum TestError {
    #[error("there is no case in what was read")]
    NoCase,
    #[error("{file}: which policy is it about? Write `policy: NAME` before its `cases:`{}", hint(known))]
    WhosePolicy { file: String, known: Vec<String> },
    #[error("{file}: there is no policy {name:?}; {}", nearest(name, known))]
    Unknown { file: String, name: String, known: Vec<String> },
    #[error("the module can't be put in force")]
    Module(#[source] LoadError),
}

/// The component that is tried, and the policies that it carries.
struct Tried {
    bytes: Cow<'static, [u8]>,
    policies: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let files = files(arguments)?;
    let tried = tried(arguments.module.as_deref())?;
    let report = report(arguments, &tried, &files)?;
    match arguments.output {
        Format::Table => print_text(&text::of(&report))?,
        Format::Json => print_json(&report)?,
    }
    Ok(Outcome::fine_if(report.all_passed()))
}

fn report(arguments: &Arguments, tried: &Tried, files: &[CaseFile]) -> Result<TestReport, Failure> {
    let mut cases = Vec::new();
    for file in files {
        let policy = policy_of(file, arguments, tried).map_err(Failure::input)?;
        cases.extend(file.cases.iter().map(|case| (file, Trial { policy, case })));
    }
    if cases.is_empty() {
        return Err(Failure::input(TestError::NoCase));
    }
    let options = Options { cache: cache(None)?, ..Options::default() };
    let engine = Engine::new(options).map_err(Failure::failed)?;
    let trials: Vec<Trial<'_>> = cases.iter().map(|(_, trial)| *trial).collect();
    let played = trial::run(&engine, &tried.bytes, &TemplatePaths::default(), &trials)
        .map_err(|error| Failure::input(TestError::Module(error)))?;
    Ok(TestReport::of(cases.iter().zip(&played).map(|((file, trial), played)| (*file, *trial, played))))
}

/// The files that are named; without any, what ships: of one policy, or of all.
fn files(arguments: &Arguments) -> Result<Vec<CaseFile>, Failure> {
    if !arguments.paths.is_empty() {
        return read_paths(&arguments.paths).map_err(Failure::input);
    }
    let shipped = shipped()?;
    let Some(name) = &arguments.builtin else {
        return Ok(shipped.into_iter().flat_map(|policy| policy.cases).collect());
    };
    let known = shipped.iter().map(|policy| policy.page.name.clone()).collect();
    let one = shipped.into_iter().find(|policy| policy.page.name == *name);
    let unknown = || TestError::Unknown { file: "--builtin".to_owned(), name: name.clone(), known };
    one.map(|policy| policy.cases).ok_or_else(|| Failure::input(unknown()))
}

fn tried(module: Option<&Path>) -> Result<Tried, Failure> {
    let Some(path) = module else {
        let policies = shipped()?.into_iter().map(|policy| policy.page.name).collect();
        return Ok(Tried { bytes: CATALOGUE.into(), policies });
    };
    let bytes = super::bytes(path)?;
    let policies = super::inspect_bytes(path, &bytes)?.manifests.into_iter().map(|manifest| manifest.name).collect();
    Ok(Tried { bytes: bytes.into(), policies })
}

/// The policy that a file's cases are about: as it says itself, as the command says, as its folder says, or the only
/// one there is.
fn policy_of<'a>(file: &'a CaseFile, arguments: &'a Arguments, tried: &'a Tried) -> Result<&'a str, TestError> {
    let by_folder = file.folder.as_ref().filter(|folder| tried.policies.contains(folder));
    let only = match tried.policies.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let known = || tried.policies.clone();
    let whose = || TestError::WhosePolicy { file: file.name.clone(), known: known() };
    let named = file.policy.as_ref().or(arguments.builtin.as_ref());
    let name = named.or(by_folder).or(only).ok_or_else(whose)?;
    match tried.policies.contains(name) {
        true => Ok(name),
        false => Err(TestError::Unknown { file: file.name.clone(), name: name.clone(), known: known() }),
    }
}

fn hint(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(", one of {}", known.join(", ")) }
}
