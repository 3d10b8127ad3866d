//! The result of a check for people: the objects with what was put in and what is wrong, then all together in a line.

use serde_json::Value;

use super::policies_from::PoliciesFrom;
use super::report::{ChangeReport, CheckReport, Injected, ObjectReport, RaisedReport, Remark, Summary, VerdictReport};

/// The whole text.
pub(super) fn of(report: &CheckReport) -> String {
    let mut text = String::new();
    for object in &report.objects {
        text.push_str(&object_text(object));
    }
    for ending in &report.ending_exceptions {
        text.push_str(&format!("{}\n", ending.message));
    }
    text.push_str(&judged_by(report));
    text.push_str(&raised(&report.raised));
    text.push_str(&summary(&report.summary));
    text
}

fn object_text(object: &ObjectReport) -> String {
    let ObjectReport { file, line, kind, .. } = object;
    let mut text = format!("{:<8} {kind} {}   {file}:{line}\n", verdict(object.verdict), name(object));
    if let Some(why) = &object.unjudgeable {
        let place = object.unreadable_line.map(|line| format!(" {file}:{line}")).unwrap_or_default();
        text.push_str(&format!("  can't be judged{place}: {why}\n"));
    }
    text.push_str(&put_in(&object.injected));
    text.push_str(&remarks("wrong", file, object.denying()));
    for failure in object.failures.iter().filter(|failure| failure.refuses) {
        text.push_str(&format!("  {} failed, and refuses what it can't judge: {}\n", failure.policy, failure.message));
    }
    text.push_str(&remarks("warning", file, object.warnings()));
    for failure in object.let_pass() {
        text.push_str(&format!(
            "  {} failed, and lets pass what it can't judge: {}\n",
            failure.policy, failure.message
        ));
    }
    text.push_str(&excepted(object));
    text.push('\n');
    text
}

/// With its namespace, which a Namespace is itself.
fn name(object: &ObjectReport) -> String {
    match &object.namespace {
        Some(namespace) if object.kind != "Namespace" => format!("{namespace}/{}", object.name),
        _ => object.name.clone(),
    }
}

fn verdict(verdict: VerdictReport) -> &'static str {
    match verdict {
        VerdictReport::Unseen => "unseen",
        VerdictReport::Allowed => "allowed",
        VerdictReport::Denied => "DENIED",
        VerdictReport::Failed => "FAILED",
    }
}

/// What was put in, under the policy that asked for it.
fn put_in(injected: &[Injected]) -> String {
    let mut policies: Vec<&str> = Vec::new();
    for one in injected {
        if !policies.contains(&one.policy.as_str()) {
            policies.push(&one.policy);
        }
    }
    let mut text = String::new();
    for policy in policies {
        text.push_str(&format!("  put in by {policy}\n"));
        for one in injected.iter().filter(|one| one.policy == policy) {
            text.push_str(&format!("    {}\n", change(one)));
        }
    }
    text
}

fn change(injected: &Injected) -> String {
    let Injected { path, before, value, .. } = injected;
    let (before, value) = (shown(before.as_ref()), shown(value.as_ref()));
    match injected.change {
        ChangeReport::Added => format!("+ {path}: {value}"),
        ChangeReport::Appended => format!("+ {path}[]: {value}"),
        ChangeReport::Changed => format!("~ {path}: {before} -> {value}"),
        ChangeReport::Removed => format!("- {path}: {before}"),
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

fn remarks<'r>(what: &str, file: &str, remarks: impl Iterator<Item = &'r Remark>) -> String {
    let mut text = String::new();
    for remark in remarks {
        let Remark { policy, rule, message, remedy, line, .. } = remark;
        text.push_str(&format!("  {what} {file}:{line}: {}{message}\n", container(remark)));
        text.push_str(&format!("    mend: {remedy} ({policy}/{rule})\n"));
    }
    text
}

/// The container, unless the message names it itself.
fn container(remark: &Remark) -> String {
    let name = remark.container.as_ref().filter(|name| !remark.message.contains(&format!("{name:?}")));
    name.map(|name| format!("container {name:?}: ")).unwrap_or_default()
}

fn excepted(object: &ObjectReport) -> String {
    let mut names: Vec<&str> =
        object.violations.iter().filter_map(|violation| violation.exception.as_deref()).collect();
    names.extend(object.exceptions.iter().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { String::new() } else { format!("  excepted by {}\n", names.join(", ")) }
}

/// What was found to judge by without being named.
fn judged_by(report: &CheckReport) -> String {
    let policies =
        (report.policies_from == PoliciesFrom::Manifests).then(|| "the policies among what was read".to_owned());
    let found: Vec<String> = policies.into_iter().chain(report.image_locks.iter().cloned()).collect();
    if found.is_empty() { String::new() } else { format!("judged by {}\n", found.join(", ")) }
}

/// What is judged more strictly than it is today.
fn raised(raised: &[RaisedReport]) -> String {
    let each: Vec<String> =
        raised.iter().map(|one| format!("{} is in {} today", one.policy, one.mode_today.name())).collect();
    if each.is_empty() { String::new() } else { format!("judged more strictly than today: {}\n", each.join(", ")) }
}

fn summary(summary: &Summary) -> String {
    let Summary { workloads, allowed, corrected, denied, failed, unseen, warnings, other_objects } = summary;
    let mut parts = vec![format!("{allowed} allowed ({corrected} with defaults put in)"), format!("{denied} denied")];
    let judged = allowed + denied + failed + unseen;
    let objects = match counted(*workloads, "workload") {
        all if judged == *workloads => all,
        some => format!("{}, {some} among them", counted(judged, "object")),
    };
    let also = [(failed, "could not be judged"), (unseen, "seen by no policy")];
    parts.extend(also.into_iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}")));
    format!(
        "{objects}: {}; {}; {}\n",
        parts.join(", "),
        counted(*warnings, "warning"),
        counted(*other_objects, "other object")
    )
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
