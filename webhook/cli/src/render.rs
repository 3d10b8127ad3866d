//! `portreeve render`: manifests with the safe defaults in, as they can be committed.

use std::path::PathBuf;

use portreeve_server::check::Corrections;
use portreeve_server::manifest::{Manifest, Text, render};
use similar::TextDiff;

use crate::check::report::{FailureReport, ObjectReport, Remark};
use crate::judging::{Judged, JudgingArguments, Strictness, judge};
use crate::manifests::read;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_text, tell};

/// Prints manifests with the safe defaults in.
///
/// What no policy changes stays as it is, to the byte; comments and order of what is changed are kept where that can be
/// done exactly. What would be denied all the same is told on stderr. What is read is taken for all that there is, as
/// `check` does.
///
/// Exit codes: 0 all would be admitted; 1 something would be denied; 2 something can't be read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve render deploy/ > hardened.yaml
  portreeve render deploy/ --diff                          what would change, and nothing else
  helm template shop ./chart | portreeve render - | kubectl apply -f -")]
pub(crate) struct Arguments {
    /// Files, folders (all *.yaml, *.yml and *.json in them), or `-` for stdin.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    judging: JudgingArguments,
    /// Print the difference to what is written.
    #[arg(long)]
    diff: bool,
}

/// As a cluster would put it in.
const AS_A_CLUSTER: Strictness = Strictness { corrections: Corrections::Made, as_of_mode: None };

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let found = read(&arguments.paths)?;
    let manifests = found.manifests();
    let judgement = judge(&arguments.judging, AS_A_CLUSTER, &arguments.paths, &manifests)?;
    let mut printed = String::new();
    for (text, _) in &found.texts {
        let rendered = render(&text.text, &edited(text, &judgement.objects)?).map_err(Failure::failed)?;
        if arguments.diff {
            printed.push_str(&difference(text, &rendered));
        } else {
            append(&mut printed, &rendered);
        }
    }
    print_text(&printed)?;
    let refused: Vec<String> = judgement.objects.iter().filter_map(refusal).collect();
    refused.iter().for_each(|words| tell(words));
    Ok(Outcome::fine_if(refused.is_empty()))
}

/// The objects of a text that something was put into.
fn edited(text: &Text, objects: &[Judged<'_>]) -> Result<Vec<Manifest>, Failure> {
    let own = objects.iter().filter(|judged| judged.manifest.source() == &*text.name);
    let corrected = own.filter_map(|judged| Some((judged.manifest, judged.checked.corrected.clone()?)));
    corrected.map(|(manifest, value)| manifest.edited(value).map_err(Failure::failed)).collect()
}

/// Documents of several texts are told apart as YAML tells them apart.
fn append(printed: &mut String, rendered: &str) {
    if !printed.is_empty() && !rendered.starts_with("---") {
        printed.push_str("---\n");
    }
    printed.push_str(rendered);
    if !printed.is_empty() && !printed.ends_with('\n') {
        printed.push('\n');
    }
}

fn difference(text: &Text, rendered: &str) -> String {
    let (before, after) = (format!("a/{}", text.name), format!("b/{}", text.name));
    TextDiff::from_lines(text.text.as_str(), rendered).unified_diff().header(&before, &after).to_string()
}

/// Why an object would not be admitted, a line for each reason.
fn refusal(judged: &Judged<'_>) -> Option<String> {
    let object = ObjectReport::of(judged);
    let place = |line: usize| format!("{}:{line}: {} {}", object.file, object.kind, object.name);
    let denying = object.denying();
    let violations = denying.map(|Remark { policy, rule, message, remedy, line, .. }| {
        format!("{} would be denied: {message}: {remedy} ({policy}/{rule})", place(*line))
    });
    let failures =
        object.failures.iter().filter(|failure| failure.refuses).map(|FailureReport { policy, message, .. }| {
            format!("{} would be refused, since {policy} can't judge it: {message}", place(object.line))
        });
    let unjudgeable = object.unjudgeable.iter();
    let line = object.unreadable_line.unwrap_or(object.line);
    let unjudgeable = unjudgeable.map(|why| format!("{} would be refused: {why}", place(line)));
    let lines: Vec<String> = violations.chain(failures).chain(unjudgeable).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
