//! What came of a demo, as it is printed: for programs as it stands here, for people as `table` makes it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portreeve_ledger::VerifyError;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::injected::Injected;
use super::safeguards::Safeguard;
use super::site::Site;

/// The result of `portreeve demo -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DemoReport {
    /// Where the certificates, the policies and the book are.
    pub(super) folder: PathBuf,
    /// Each platform, in the order of their names.
    pub(super) platforms: Vec<PlatformReport>,
    /// All platforms together.
    pub(super) totals: Totals,
    /// The calls to the webhook.
    pub(super) calls: Calls,
    /// The book, proved whole.
    pub(super) ledger: Book,
    /// How long each step took, in their order.
    pub(super) steps: Vec<Step>,
    /// All that is otherwise than it should be. Empty: exit code 0.
    pub(super) differences: Vec<Difference>,
}

/// One platform.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlatformReport {
    /// Its name.
    pub(super) name: String,
    /// Its workloads, in the order of the files.
    pub(super) workloads: Vec<WorkloadReport>,
    #[serde(skip)]
    pub(super) differences: Vec<Difference>,
}

/// One workload.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkloadReport {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// `file:line`.
    pub(super) place: String,
    /// How it ended.
    pub(super) verdict: Verdict,
    /// What held for every container of it as it came.
    pub(super) before: Vec<Safeguard>,
    /// What holds for every container of it now.
    pub(super) after: Vec<Safeguard>,
    /// Whether anything of it was changed.
    pub(super) changed: bool,
    /// What was put in, as the platforms' `expected.yaml` says it.
    #[serde(serialize_with = "as_words")]
    #[schemars(with = "Vec<String>")]
    pub(super) injected: Vec<Injected>,
    /// What the user was told of it.
    pub(super) put_right: Vec<String>,
    /// Built-in policies that warned.
    pub(super) warned_by: BTreeSet<String>,
    /// Their words.
    pub(super) warnings: Vec<String>,
    /// What a second pass over it did.
    pub(super) second_pass: SecondPass,
}

/// How a workload ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub(super) enum Verdict {
    /// It may come in.
    Admitted,
    /// It may not.
    Denied {
        /// Which of the two calls refused it.
        call: String,
        /// Built-in policies that it violates.
        violated: BTreeSet<String>,
        /// Built-in policies that could not judge it.
        failed: BTreeSet<String>,
        /// What the user was told.
        message: String,
    },
}

/// What a second `/mutate` of the corrected object did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum SecondPass {
    /// Nothing, as it should.
    Unchanged,
    /// It changed the object again.
    Changed,
    /// The workload was refused before.
    NotReached,
}

/// All platforms together.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Totals {
    pub(super) workloads: usize,
    pub(super) admitted: usize,
    /// Of those admitted, how many had something put in.
    pub(super) corrected: usize,
    pub(super) denied: usize,
    /// Of those admitted, how many came with a warning.
    pub(super) warned: usize,
    /// How many a second pass changed again.
    pub(super) unsettled: usize,
}

/// The calls to the webhook.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Calls {
    pub(super) count: usize,
    /// Half of them took no longer, over TLS and with a durable record.
    pub(super) p50_milliseconds: f64,
    /// 99 of 100 took no longer.
    pub(super) p99_milliseconds: f64,
}

/// The book, proved whole.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Book {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Who wrote it.
    pub(super) origin: String,
    pub(super) records: u64,
    /// How many of them the signed checkpoint covers.
    pub(super) covered: u64,
    /// The root of the tree over them.
    pub(super) root: String,
}

/// A step of the demo.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) milliseconds: f64,
}

/// Something that is otherwise than it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Difference {
    /// Kind, namespace and name; `book` for the book.
    pub(super) workload: String,
    pub(super) what: String,
}

/// Times each step.
#[derive(Debug)]
pub(super) struct Clock {
    since: Instant,
    steps: Vec<Step>,
}

impl DemoReport {
    pub(super) fn new(site: &Site, platforms: Vec<PlatformReport>, calls: Calls, ledger: Book, clock: Clock) -> Self {
        let mut differences: Vec<Difference> =
            platforms.iter().flat_map(|platform| platform.differences.iter().cloned()).collect();
        differences.extend(ledger.unlike(calls.count));
        let totals = Totals::of(platforms.iter().flat_map(|platform| &platform.workloads));
        let folder = site.folder().to_owned();
        Self { folder, platforms, totals, calls, ledger, steps: clock.steps, differences }
    }
}

impl WorkloadReport {
    /// `Deployment shop/web`.
    pub(super) fn reference(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl Totals {
    pub(super) fn of<'a>(workloads: impl Iterator<Item = &'a WorkloadReport>) -> Self {
        workloads.fold(Self::default(), |totals, workload| {
            let admitted = matches!(workload.verdict, Verdict::Admitted);
            let count = usize::from;
            Self {
                workloads: totals.workloads + 1,
                admitted: totals.admitted + count(admitted),
                corrected: totals.corrected + count(admitted && workload.changed),
                denied: totals.denied + count(!admitted),
                warned: totals.warned + count(admitted && !workload.warned_by.is_empty()),
                unsettled: totals.unsettled + count(workload.second_pass == SecondPass::Changed),
            }
        })
    }
}

impl Calls {
    /// Of how long each took.
    pub(super) fn of(taken: &[Duration]) -> Self {
        let mut sorted = taken.to_vec();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().map(milliseconds).unwrap_or_default()
        };
        Self { count: sorted.len(), p50_milliseconds: at(50), p99_milliseconds: at(99) }
    }
}

impl Book {
    /// Proves the book in this folder whole.
    pub(super) fn examine(folder: &Path) -> Result<Self, VerifyError> {
        let report = portreeve_ledger::verify(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            origin: report.origin.to_string(),
            records: report.epochs.iter().map(|epoch| epoch.records).sum(),
            covered: report.epochs.iter().map(|epoch| epoch.covered).sum(),
            root: report.epochs.last().map(|epoch| epoch.root.to_string()).unwrap_or_default(),
        })
    }

    /// Every call has its record, and a signature covers every record.
    fn unlike(&self, calls: usize) -> Option<Difference> {
        let complete = u64::try_from(calls) == Ok(self.records) && self.covered == self.records;
        let what = format!("{calls} calls, {} records, {} of them covered by a signature", self.records, self.covered);
        (!complete).then(|| Difference { workload: "book".to_owned(), what })
    }
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { since: Instant::now(), steps: Vec::new() }
    }

    /// Ends a step.
    pub(super) fn lap(&mut self, name: &str) {
        self.steps.push(Step { name: name.to_owned(), milliseconds: milliseconds(self.since.elapsed()) });
        self.since = Instant::now();
    }
}

/// With a digit for the microseconds' hundreds.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

fn as_words<S: Serializer>(injected: &[Injected], json: S) -> Result<S::Ok, S::Error> {
    json.collect_seq(injected.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_calls_that_were_made() {
        let taken: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let calls = Calls::of(&taken);
        assert_eq!((calls.count, calls.p50_milliseconds, calls.p99_milliseconds), (200, 100.0, 198.0));
        assert_eq!(Calls::of(&[]).count, 0);
    }

    #[test]
    fn a_call_without_a_record_is_a_difference() {
        let book = |records, covered| Book {
            folder: PathBuf::new(),
            origin: String::new(),
            records,
            covered,
            root: String::new(),
        };
        assert_eq!(book(3, 3).unlike(3), None);
        assert!(book(2, 2).unlike(3).is_some());
        assert!(book(3, 2).unlike(3).is_some());
    }
}
