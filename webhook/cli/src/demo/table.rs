//! The result for people: a table for each platform, in 120 columns, then the whole in a few lines.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width};

use super::injected::Injected;
use super::report::{DemoReport, PlatformReport, Step, Totals, Verdict, WorkloadReport};
use super::safeguards::Safeguard;

/// One short of what a terminal of 120 has, so that none breaks the line.
const COLUMNS: u16 = 119;
/// A rule below the header and at the end.
const STYLE: TableStyle = NOTHING
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));
/// Lines of a denial that are shown; what is over is counted. `-o json` has them all.
const LINES: usize = 4;

/// The whole text.
pub(super) fn of(report: &DemoReport) -> String {
    let mut text = legend();
    for platform in &report.platforms {
        text.push_str(&platform_text(platform));
    }
    text.push_str(&summary(report));
    trimmed(&text)
}

/// Cells are padded to their columns, which nobody sees at the end of a line but who copies it.
fn trimmed(text: &str) -> String {
    text.lines().map(|line| [line.trim_end(), "\n"].concat()).collect()
}

fn legend() -> String {
    let letters = Safeguard::ALL.map(|safeguard| format!("{} {}", safeguard.letter(), safeguard.meaning()));
    format!(
        "Each workload went to /mutate as it stands in its file, and what came of it to /validate.\n\
         Before and after, a letter for what holds for every container:\n  {}\n",
        letters.join(" · ")
    )
}

fn platform_text(platform: &PlatformReport) -> String {
    let Totals { workloads, admitted, denied, .. } = Totals::of(platform.workloads.iter());
    let mut table = table([36, 9, 9, 37, 24]);
    table.set_header(["Workload", "Before", "After", "Put in", "Verdict"]);
    platform.workloads.iter().for_each(|workload| {
        table.add_row(row(workload));
    });
    let head = format!("\n{}: {workloads} workloads, {admitted} admitted, {denied} denied", platform.name);
    format!("{head}\n\n{table}\n{}", denials(platform))
}

fn table<const N: usize>(widths: [u16; N]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS);
    // Columns come to be with their first row.
    table.set_header([""; N]);
    table.set_constraints(widths.map(|width| ColumnConstraint::Absolute(Width::Fixed(width))));
    table
}

fn row(workload: &WorkloadReport) -> [String; 5] {
    let WorkloadReport { kind, namespace, name, .. } = workload;
    let put_in: Vec<String> = workload.injected.iter().map(Injected::short).collect();
    let put_in = if put_in.is_empty() { "nothing".to_owned() } else { put_in.join(", ") };
    [
        format!("{name}\n  {kind} in {namespace}"),
        letters(&workload.before),
        letters(&workload.after),
        put_in,
        verdict(workload),
    ]
}

fn letters(holding: &[Safeguard]) -> String {
    let letter = |safeguard: Safeguard| if holding.contains(&safeguard) { safeguard.letter() } else { '·' };
    Safeguard::ALL.map(letter).iter().collect()
}

fn verdict(workload: &WorkloadReport) -> String {
    let warned: Vec<&str> = workload.warned_by.iter().map(String::as_str).collect();
    match &workload.verdict {
        Verdict::Denied { .. } => "DENIED, see below".to_owned(),
        Verdict::Admitted if warned.is_empty() => "admitted".to_owned(),
        Verdict::Admitted => format!("admitted, warned by {}", warned.join(", ")),
    }
}

/// Who denied what, and the words that the user reads.
fn denials(platform: &PlatformReport) -> String {
    let mut table = table([36, 82]);
    table.set_header(["Denied", "Why"]);
    for workload in &platform.workloads {
        if let Verdict::Denied { violated, failed, message, .. } = &workload.verdict {
            let by: Vec<&str> = violated.union(failed).map(String::as_str).collect();
            table.add_row([format!("{}\n  by {}", workload.name, by.join(", ")), first_lines(message)]);
        }
    }
    if table.is_empty() { String::new() } else { format!("\n{table}\n") }
}

fn first_lines(message: &str) -> String {
    let count = message.lines().count();
    let mut shown: Vec<String> = message.lines().take(LINES).map(str::to_owned).collect();
    if count > LINES {
        shown.push(format!("… and {} more lines", count - LINES));
    }
    shown.join("\n")
}

fn summary(report: &DemoReport) -> String {
    let DemoReport { totals, calls, ledger, folder, .. } = report;
    let mut text = format!(
        "\nTotal: {} workloads of {} platforms: {} admitted, {} of them corrected and {} warned; {} denied\n",
        totals.workloads,
        report.platforms.len(),
        totals.admitted,
        totals.corrected,
        totals.warned,
        totals.denied
    );
    let second = match totals.unsettled {
        0 => "changed nothing".to_owned(),
        unsettled => format!("CHANGED {unsettled} AGAIN"),
    };
    let mut line = |label: &str, words: String| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "  {label:<12} {words}");
    };
    line("Second pass", second);
    line(
        "Calls",
        format!(
            "{} over TLS, the record of each before its answer: p50 {:.1} ms, p99 {:.1} ms",
            calls.count, calls.p50_milliseconds, calls.p99_milliseconds
        ),
    );
    line("Book", format!("whole: {} records, {} signed, root {}", ledger.records, ledger.covered, ledger.root));
    line("Files", folder.display().to_string());
    line("Try", format!("portreeve ledger verify {}", ledger.folder.display()));
    text.push_str(&times(report));
    text.push_str(&differences(report));
    text
}

fn times(report: &DemoReport) -> String {
    let step = |step: &Step| format!("  {:>8}  {}\n", duration(step.milliseconds), step.name);
    format!("\nTime\n{}", report.steps.iter().map(step).collect::<String>())
}

fn differences(report: &DemoReport) -> String {
    if report.differences.is_empty() {
        return "\nEvery workload ended as its platform expects.\n".to_owned();
    }
    let mut text = format!("\n{} DIFFERENCES from what the platforms expect:\n", report.differences.len());
    for difference in &report.differences {
        let _ = writeln!(text, "- {}: {}", difference.workload, difference.what);
    }
    text
}

fn duration(milliseconds: f64) -> String {
    if milliseconds < 1_000.0 { format!("{milliseconds:.0} ms") } else { format!("{:.1} s", milliseconds / 1_000.0) }
}
