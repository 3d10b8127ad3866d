//! A book, for people.

use super::report::{Contents, EpochProved, VerifyReport};

pub(super) fn verified(report: &VerifyReport) -> String {
    let VerifyReport { folder, origin, kept, faults, .. } = report;
    let whole = if report.whole { "is whole" } else { "is NOT whole" };
    let mut text = format!("the book of {origin} in {} {whole}\n", folder.display());
    text.extend(report.epochs.iter().map(epoch));
    text.push_str(&format!("  kept beside it: {} contents, {} bytes, each as it was kept\n", kept.count, kept.bytes));
    text.extend(faults.iter().map(|fault| format!("  FAULT {fault}\n")));
    text
}

fn epoch(proved: &EpochProved) -> String {
    let EpochProved { epoch, records, covered, root, key, segments, .. } = proved;
    let aside = if proved.set_aside { ", set aside" } else { "" };
    format!(
        "  epoch {epoch}{aside}: {records} records in {segments} segments, {covered} under the signed checkpoint\n    \
         root {root}\n    key  {key}\n"
    )
}

pub(super) fn contents(contents: &Contents) -> String {
    let total: u64 = contents.counts.values().sum();
    let span = match (contents.first, contents.last) {
        (Some(first), Some(last)) => format!(", from {first} to {last}"),
        _ => String::new(),
    };
    let mut text = format!("{total} records{span}\n");
    for ((kind, answer), count) in &contents.counts {
        text.push_str(&format!("  {count:>8}  {kind} {answer}\n"));
    }
    text
}
