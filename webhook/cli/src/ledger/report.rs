//! What is told of a book, as it is printed: for programs as it stands here, for people as `text` makes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use portreeve_ledger::{EpochReport, Fault, Record, Report, Standing};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

/// The result of `portreeve ledger verify -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifyReport {
    /// Folder of the book.
    pub(super) folder: PathBuf,
    /// Whether all of it could be proved.
    pub(super) whole: bool,
    /// Who wrote it.
    pub(super) origin: String,
    /// The epochs that could be proved.
    pub(super) epochs: Vec<EpochProved>,
    /// Contents that records name, kept beside them.
    pub(super) kept: Kept,
    /// What is wrong, each with its exact place.
    pub(super) faults: Vec<String>,
}

/// What was proved of an epoch.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EpochProved {
    /// Its name.
    pub(super) epoch: String,
    /// Whether it was set aside at an opening, since it failed a check then.
    pub(super) set_aside: bool,
    /// The public key that it is signed with.
    pub(super) key: String,
    pub(super) records: u64,
    /// How many of them the signed checkpoint covers; the others are whole and in order.
    pub(super) covered: u64,
    /// Root of the tree over the covered records.
    pub(super) root: String,
    /// The signed checkpoint.
    pub(super) checkpoint: String,
    pub(super) segments: usize,
    /// How many of the segments are complete and signed.
    pub(super) sealed: usize,
    pub(super) bytes: u64,
}

/// Contents that records name.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

/// One of the list that `portreeve ledger inspect -o json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordReport {
    /// Its name: book, epoch and number in it.
    pub(super) id: String,
    /// Such as `correction` and `decision`.
    pub(super) kind: String,
    #[schemars(with = "String")]
    pub(super) time: Timestamp,
    /// What it tells.
    #[schemars(with = "serde_json::Value")]
    pub(super) body: Box<RawValue>,
}

/// What is in a book, counted.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// By kind and answer, where a record has one.
    pub(super) counts: BTreeMap<(String, String), u64>,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
}

impl VerifyReport {
    pub(super) fn of(folder: &Path, report: &Report, faults: &[Fault]) -> Self {
        Self {
            folder: folder.to_owned(),
            whole: faults.is_empty(),
            origin: report.origin.to_string(),
            epochs: report.epochs.iter().map(EpochProved::of).collect(),
            kept: Kept { count: report.blobs.count, bytes: report.blobs.bytes },
            faults: faults.iter().map(ToString::to_string).collect(),
        }
    }
}

impl EpochProved {
    fn of(report: &EpochReport) -> Self {
        Self {
            epoch: report.epoch.to_string(),
            set_aside: report.standing == Standing::SetAside,
            key: report.key.to_string(),
            records: report.records,
            covered: report.covered,
            root: report.root.to_string(),
            checkpoint: report.checkpoint.clone(),
            segments: report.segments,
            sealed: report.sealed,
            bytes: report.bytes,
        }
    }
}

impl RecordReport {
    pub(super) fn of(record: Record) -> Self {
        Self { id: record.id.to_string(), kind: record.kind.to_string(), time: record.time, body: record.body }
    }

    fn answer(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Answered {
            answer: Option<String>,
        }
        serde_json::from_str::<Answered>(self.body.get()).ok()?.answer
    }
}

impl FromIterator<RecordReport> for Contents {
    fn from_iter<I: IntoIterator<Item = RecordReport>>(records: I) -> Self {
        let mut contents = Self::default();
        for record in records {
            contents.first.get_or_insert(record.time);
            contents.last = Some(record.time);
            let answer = record.answer().unwrap_or_default();
            *contents.counts.entry((record.kind, answer)).or_default() += 1;
        }
        contents
    }
}
