//! `portreeve check`: what a cluster would say to manifests, before they get there.

mod policies_from;
pub(crate) mod report;
mod text;

use std::path::PathBuf;

use clap::ValueEnum;
use portreeve_admission::api::Mode;
use portreeve_server::check::Corrections;

use crate::arguments::Format;
use crate::judging::{JudgingArguments, Strictness, judge};
use crate::manifests::read;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text};

use report::CheckReport;

/// Judges manifests as a cluster would.
///
/// Every object is taken for one that is being created: the safe defaults are put in as the webhook would, and what
/// comes of it is judged. Shown for each workload: the verdict, what was put in, what is wrong with file and line, and
/// how to mend it. Nothing is contacted but the registries that --registries lists, and nothing is recorded.
///
/// What is read is taken for all that there is: policies may select by the labels of Namespaces among it, and ask
/// whether a NetworkPolicy, a Service, a budget or an autoscaler is there. Zones are known where there are Nodes.
/// Policies and exceptions among it are what counts, and so are lock files called `images.lock`, unless options say by
/// what to judge.
///
/// A file met in a folder that holds no Kubernetes objects at all, such as a chart's values, is passed over and told on
/// stderr.
///
/// Exit codes: 0 all would be admitted; 1 something would be denied; 2 something can't be read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve check deploy/                                       every manifest in a folder
  helm template shop ./chart | portreeve check - -n shop        what a chart would become
  portreeve check deploy/ --policies policies/ --lock images.lock
  portreeve check deploy/ --config server.yaml                  by what a server is configured to judge by
  portreeve check deploy/ --as-of-mode enforce                  what would be denied once all policies are enforced
  portreeve check deploy/ --as-written -o json | jq '.objects[] | select(.verdict == \"denied\").name'")]
pub(crate) struct Arguments {
    /// Files, folders (all *.yaml, *.yml and *.json in them), or `-` for stdin.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    judging: JudgingArguments,
    /// Judge what is written, without the defaults that would be put in.
    #[arg(long)]
    as_written: bool,
    /// Judge as if every policy in a lesser mode were in this one: what the next step of a rollout would deny. Policies
    /// that are off stay off.
    #[arg(long, value_name = "MODE", value_enum)]
    as_of_mode: Option<AsOfMode>,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

/// A mode that policies can be taken to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AsOfMode {
    /// What is found is told.
    Warn,
    /// What is found is denied.
    Enforce,
}

impl From<AsOfMode> for Mode {
    fn from(mode: AsOfMode) -> Self {
        match mode {
            AsOfMode::Warn => Self::Warn,
            AsOfMode::Enforce => Self::Enforce,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let manifests = read(&arguments.paths)?.manifests();
    let corrections = if arguments.as_written { Corrections::LeftOut } else { Corrections::Made };
    let strictness = Strictness { corrections, as_of_mode: arguments.as_of_mode.map(Mode::from) };
    let report = CheckReport::of(&judge(&arguments.judging, strictness, &arguments.paths, &manifests)?);
    match arguments.output {
        Format::Table => print_text(&text::of(&report))?,
        Format::Json => print_json(&report)?,
    }
    Ok(Outcome::fine_if(report.summary.refused() == 0))
}
