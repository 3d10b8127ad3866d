//! What is exported is what `docs/metrics.md` tells, name by name, kind by kind and label by label; and what is counted
//! shows.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_admission::decision::Answer;
use portreeve_admission::policy::Policy;
use portreeve_admission::response::Response;

use super::*;
use crate::config::WithoutRecord;

/// Everything counted once.
fn counted() -> Metrics {
    let metrics = Metrics::default();
    let outcome = PolicyOutcome { policy: "seccomp".to_owned(), mode: Mode::Enforce, outcome: "denied" };
    let mut answered = Answered {
        response: Response::allowed("uid"),
        answer: Answer::Denied,
        dry_run: false,
        unrecorded: Some(WithoutRecord::Answer),
        recorded_in: Some(Duration::from_millis(3)),
        rounds: 0,
        outcomes: vec![outcome],
    };
    drop(metrics.begun(Call::Validate));
    metrics.answered(Call::Validate, &mut answered, Duration::from_millis(5), &Followed::by_nobody());
    metrics.turned_away(Call::Mutate);
    metrics.no_room(Call::Mutate);
    metrics.unreadable(Call::Mutate);
    metrics.cut_off(Port::Webhook, Cut::Stranger);
    metrics.strangers(Port::Webhook, 1);
    metrics.scanned(&ScannedRound {
        judged: 7,
        unlisted: 1,
        unreported: 2,
        took: Duration::from_secs(4),
        finished: jiff::Timestamp::UNIX_EPOCH,
    });
    metrics
}

/// The kind of each metric, and its labels, in OpenMetrics.
fn exported(metrics: &Metrics) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = metrics.text(Exposition::OpenMetrics).unwrap();
    let mut exported = BTreeMap::new();
    let (mut name, mut kind) = (String::new(), String::new());
    for line in text.lines() {
        if let Some((told, told_kind)) = line.strip_prefix("# TYPE ").and_then(|told| told.split_once(' ')) {
            let suffix = if told_kind == "counter" { "_total" } else { "" };
            (name, kind) = (format!("{told}{suffix}"), told_kind.to_owned());
        }
        let series = line.split_once('{').filter(|(series, _)| !line.starts_with('#') && series.starts_with(&name));
        let labels =
            series.and_then(|(_, labels)| labels.split_once('}')).map(|(labels, _)| labels).unwrap_or_default();
        let labels = labels.split(',').filter_map(|label| label.split_once('=')).map(|(label, _)| label.to_owned());
        let entry = exported.entry(name.clone()).or_insert_with(|| (kind.clone(), BTreeSet::new()));
        entry.1.extend(labels.filter(|label| label != "le"));
    }
    exported.remove("");
    exported
}

/// The same as the documentation's first table has it.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let document = include_str!("../../../../docs/metrics.md");
    let words = |cell: &str| -> BTreeSet<String> {
        cell.split('`').skip(1).step_by(2).map(|word| word.split('=').next().unwrap().to_owned()).collect()
    };
    let rows = document.lines().filter(|line| line.starts_with("| `portreeve_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        (words(cells[0]).pop_first().unwrap(), (cells[1].to_owned(), words(cells[2])))
    })
    .collect()
}

#[test]
fn what_is_exported_is_what_is_documented_with_kinds_and_labels() {
    let metrics = counted();
    metrics.evaluations().took(&[&policy("seccomp", Mode::Audit)], Duration::from_millis(1), None);
    assert_eq!(exported(&metrics), documented());
}

fn policy(id: &str, mode: Mode) -> Policy {
    Policy {
        id: id.to_owned(),
        of_namespace: None,
        mode,
        mutate: false,
        failure_policy: portreeve_admission::api::FailurePolicy::Fail,
        timeout: Duration::from_secs(1),
        matching: portreeve_admission::api::Match::default(),
        rollout: Vec::new(),
        wants: Vec::new(),
        can: portreeve_admission::policy::Abilities { validate: true, mutate: false, rewrite_images: false },
        facts: BTreeSet::new(),
    }
}

#[test]
fn a_policy_is_counted_by_its_mode_in_calls_and_in_runs() {
    let metrics = counted();
    metrics.evaluations().took(&[&policy("seccomp", Mode::Warn)], Duration::from_millis(1), None);
    let text = metrics.text(Exposition::OpenMetrics).unwrap();
    for line in [
        "portreeve_policy_outcomes_total{call=\"Validate\",policy=\"seccomp\",mode=\"enforce\",outcome=\"denied\"} 1",
        "portreeve_policy_seconds_count{policy=\"seccomp\",mode=\"warn\"} 1",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
}

#[test]
fn a_run_that_is_followed_leads_to_its_trace() {
    let metrics = Metrics::default();
    let trace = TraceId::from(0x4bf9_2f35);
    metrics.evaluations().took(&[&policy("slow", Mode::Warn)], Duration::from_secs(10), Some(trace));
    let text = metrics.text(Exposition::OpenMetrics).unwrap();
    let exemplar = format!(" # {{trace_id=\"{trace}\"}} 10.0 ");
    assert!(text.lines().any(|line| line.starts_with("portreeve_policy_seconds_bucket") && line.contains(&exemplar)));
}

#[test]
fn a_run_of_up_to_sixteen_seconds_is_told_from_a_longer_one() {
    let metrics = Metrics::default();
    metrics.evaluations().took(&[&policy("slow", Mode::Warn)], Duration::from_secs(10), None);
    let text = metrics.text(Exposition::OpenMetrics).unwrap();
    let bounds: Vec<f64> = text
        .lines()
        .filter(|line| line.starts_with("portreeve_policy_seconds_bucket") && line.contains("} 0"))
        .filter_map(bound)
        .collect();
    let above: Vec<f64> = text
        .lines()
        .filter(|line| line.starts_with("portreeve_policy_seconds_bucket") && line.contains("} 1"))
        .filter_map(bound)
        .collect();
    assert!(bounds.contains(&4.096) && above.contains(&16.384), "{text}");
}

/// The bound of a line of a bucket.
fn bound(line: &str) -> Option<f64> {
    line.split("le=\"").nth(1)?.split('"').next()?.parse().ok()
}

#[test]
fn calls_without_a_record_are_told_by_whether_they_were_answered() {
    let text = counted().text(Exposition::OpenMetrics).unwrap();
    let line = "portreeve_unrecorded_total{call=\"Validate\",answered=\"yes\"} 1";
    assert!(text.lines().any(|told| told == line), "{text}");
}

#[test]
fn a_call_is_in_flight_until_it_is_dropped() {
    let metrics = Metrics::default();
    let line = |count: u8| format!("portreeve_requests_in_flight{{call=\"Mutate\"}} {count}\n");
    let call = metrics.begun(Call::Mutate);
    assert!(metrics.text(Exposition::OpenMetrics).unwrap().contains(&line(1)));
    drop(call);
    assert!(metrics.text(Exposition::OpenMetrics).unwrap().contains(&line(0)));
}

#[test]
fn a_scan_is_counted_with_what_it_could_not_do() {
    let text = counted().text(Exposition::OpenMetrics).unwrap();
    for line in [
        "portreeve_scan_objects_total 7",
        "portreeve_scan_failures_total{what=\"kind\"} 1",
        "portreeve_scan_failures_total{what=\"report\"} 2",
        "portreeve_scan_round_seconds 4.0",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
}

#[test]
fn a_policy_that_is_gone_is_forgotten() {
    let metrics = counted();
    metrics.evaluations().took(&[&policy("seccomp", Mode::Warn)], Duration::from_millis(1), None);
    let shown = || metrics.text(Exposition::OpenMetrics).unwrap().contains("seccomp");
    assert!(shown());
    metrics.forget("seccomp");
    assert!(!shown());
}
