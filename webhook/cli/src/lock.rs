//! `portreeve lock`: a file that says which digest each image's tag names, for places from which no registry is
//! contacted.

use std::path::PathBuf;

use portreeve_admission::subject::TemplatePaths;
use portreeve_server::config::read_registries;
use portreeve_server::lock::{lock, named_images};
use portreeve_supply::Images;

use crate::judging::NoObjects;
use crate::manifests::read;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_text, tell};
use crate::runtime::runtime;

/// Writes down which digest each image's tag names.
///
/// Asks the listed registries for the digest and the configuration of every image that the manifests' workloads name,
/// and writes an ImageLock: what `portreeve check --lock` and a server's `registries.lockFile` go by. One that is
/// called `images.lock` and lies among the manifests is found by `check` and `render`. If one image can't be had,
/// nothing is written.
///
/// Exit codes: 0 all were locked; 1 one could not be; 2 something can't be read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve lock deploy/ --registries registries.yaml -o images.lock
  helm template shop ./chart | portreeve lock - --registries registries.yaml

Such a file lists what may be contacted, and may name credentials:
  registries: [{host: docker.io}, {host: registry.example}]
  credentialsFile: config.json")]
pub(crate) struct Arguments {
    /// Files, folders (all *.yaml, *.yml and *.json in them), or `-` for stdin.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The registries, as a server's configuration has them under `registries`.
    #[arg(long, value_name = "FILE")]
    registries: PathBuf,
    /// Where the lock is written; one that is there is replaced. Left out: stdout.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
#[error("nothing was written, since {0} of the images can't be locked")]
struct Incomplete(usize);

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let manifests = read(&arguments.paths)?.manifests();
    if manifests.is_empty() {
        return Err(Failure::input(NoObjects));
    }
    let named = named_images(&manifests, &TemplatePaths::default()).map_err(Failure::input)?;
    let registries = read_registries(&arguments.registries).map_err(Failure::input)?;
    let runtime = runtime()?;
    let _within = runtime.enter();
    let images = Images::from_registries(&registries).map_err(Failure::input)?;
    let (lock, missing) = runtime.block_on(lock(&images, &named));
    if !missing.is_empty() {
        let count = missing.len();
        missing.into_iter().for_each(|image| tell(&Failure::failed(image).words()));
        return Err(Failure::failed(Incomplete(count)));
    }
    match &arguments.output {
        Some(path) => lock.write(path).map_err(Failure::failed)?,
        None => print_text(&lock.to_yaml().map_err(Failure::failed)?)?,
    }
    Ok(Outcome::Fine)
}
