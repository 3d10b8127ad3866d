//! The words of a decision: for the one whose request was denied, and the warnings for the one whose was not. Written
//! so that the first line stands alone, since many tools show no more.

use std::collections::{BTreeSet, HashSet};

use crate::api::Mode;
use crate::break_glass::BreakGlass;
use crate::decision::{Answer, Decision, Finding, PolicyFailure, Standing};
use crate::edit::Claim;
use crate::plan::Plan;
use crate::review::Review;
use crate::verdict::{Failure, Violation};

/// Lines of a denial; what is over is counted.
const LINES: usize = 30;

/// Warnings about one object, which stand between others' in a terminal.
const WARNED: usize = 10;

/// Characters of names in one warning: the API server cuts it at 256, and it names the object too.
const NAMES: usize = 120;

/// What a denied or refused request is told.
#[must_use]
pub fn denial(review: &Review, decision: &Decision) -> String {
    let mut lines = match decision.answer() {
        Answer::Denied => violations(review, decision),
        Answer::Failed => vec![format!("{} could not be judged", object(review))],
        Answer::Allowed => return String::new(),
    };
    lines.extend(decision.failures.iter().filter(|failure| failure.refuses()).map(refusing));
    if lines.len() > LINES {
        let over = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("- and {over} more"));
    }
    lines.join("\n")
}

/// A missing fact may be the author's to mend, such as a tag that does not exist, and what can't be read is; any other
/// failure is not.
fn refusing(failure: &PolicyFailure) -> String {
    let words = format!("- {} failed: {}", failure.policy, failure.failure);
    match failure.failure {
        Failure::MissingFact { .. } | Failure::Unreadable(_) => words,
        _ => format!("{words}; this is no fault of the workload"),
    }
}

/// Warnings of a decision: of policies that only warn, of failures that were let pass, and advice. What a policy in
/// `audit` could not judge is for the record alone.
#[must_use]
pub fn warnings(plan: Plan, decision: &Decision) -> Vec<String> {
    let named = Named::of(decision, |finding| is_denying(finding) || is_warned(finding) || is_inherited(finding));
    let warned = decision.counting(Mode::Warn).filter(|finding| !named.summarised.contains(finding.policy.as_str()));
    let untold = |policy: &str, violation: &Violation| !named.has(policy, violation);
    let mut lines: Vec<String> = decision
        .summaries
        .iter()
        .filter(|(policy, _)| decision.counting(Mode::Warn).any(|finding| &finding.policy == policy))
        .map(|(_, summary)| as_warning(summary))
        .collect();
    lines.extend(warned.filter(|finding| untold(&finding.policy, &finding.violation)).map(told));
    let inherited = decision.findings.iter().filter(|finding| is_inherited(finding));
    lines.extend(
        inherited.filter(|finding| untold(&finding.policy, &finding.violation)).map(|finding| as_before(plan, finding)),
    );
    let advised = decision.advisories.iter().filter(|(_, advisory)| advisory.is_told());
    lines.extend(advised.filter(|(policy, at)| untold(policy, at)).map(|(policy, advisory)| advice(policy, advisory)));
    lines.extend(let_pass(&decision.failures));
    lines
}

/// Why what follows it did not hold the request up.
#[must_use]
pub fn spared(glass: &BreakGlass) -> String {
    format!("it would have been refused, but for break-glass: {glass}")
}

/// Warnings of failures that were let pass: by their failure policy, or since nothing of the policy denies.
pub fn let_pass(failures: &[PolicyFailure]) -> impl Iterator<Item = String> {
    let told = failures.iter().filter(|failure| !failure.refuses() && failure.mode != Mode::Audit);
    told.map(|failure| format!("{} failed and was let pass: {}", failure.policy, failure.failure))
}

/// As the built-in controller turns its denials into warnings.
fn as_warning(summary: &str) -> String {
    summary.strip_prefix("violates ").map_or_else(|| summary.to_owned(), |what| format!("would violate {what}"))
}

/// Who put something right, in one line however many rounds and templates there were; none where nothing was. What was
/// put right is in the object, and `portreeve check` shows it.
#[must_use]
pub fn corrections(made: &[Claim]) -> Option<String> {
    let told: Vec<&Claim> = made.iter().filter(|claim| !is_note(claim)).collect();
    let policies: BTreeSet<&str> = told.iter().map(|claim| claim.policy.as_str()).collect();
    let places: HashSet<String> = told.iter().map(|claim| claim.pointer.to_string()).collect();
    let fields = if places.len() == 1 { "field" } else { "fields" };
    (!told.is_empty()).then(|| format!("put right by {} ({} {fields})", listed(&policies), places.len()))
}

/// Warnings as one object's: each names it as kubectl does in the line that follows them, since kubectl tells equal
/// ones of several objects only once. What is over is counted.
#[must_use]
pub fn about(review: &Review, lines: Vec<String>) -> Vec<String> {
    let kind = &review.request.kind;
    let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
    let object = format!("{}{group}/{}", kind.kind.to_lowercase(), name(review));
    let mut seen = HashSet::new();
    let mut lines: Vec<String> = lines.into_iter().filter(|line| seen.insert(line.clone())).collect();
    if lines.len() > WARNED {
        let over = lines.len() - (WARNED - 1);
        lines.truncate(WARNED - 1);
        lines.push(format!("and {over} more; `portreeve check` shows them all"));
    }
    lines.into_iter().map(|line| format!("{object}: {line}")).collect()
}

/// As many names as one line holds.
fn listed(names: &BTreeSet<&str>) -> String {
    let mut room = NAMES;
    let fits = |name: &&&str| {
        let length = name.chars().count() + 2;
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    let told: Vec<&str> = names.iter().take_while(fits).copied().collect();
    match names.len() - told.len() {
        0 => told.join(", "),
        over => format!("{} and {over} more", told.join(", ")),
    }
}

/// The object of a request as the API server's own errors name it.
#[must_use]
pub fn object(review: &Review) -> String {
    let resource = &review.request.resource;
    let kind = if resource.group.is_empty() {
        resource.resource.clone()
    } else {
        format!("{}.{}", resource.resource, resource.group)
    };
    format!("{kind} {:?}", name(review))
}

/// Its name, or the beginning of it with a star where the rest is yet to be generated.
#[must_use]
pub fn name(review: &Review) -> String {
    let generated = || review.meta.generate_name.as_ref().map(|prefix| format!("{prefix}*"));
    review.request.name.clone().or_else(generated).unwrap_or_else(|| "*".to_owned())
}

fn violations(review: &Review, decision: &Decision) -> Vec<String> {
    let denying: Vec<&Finding> = decision.denying().collect();
    let named = Named::of(decision, is_denying);
    let has_summary = |finding: &&&Finding| named.summarised.contains(finding.policy.as_str());
    let (summarised, plain): (Vec<_>, Vec<_>) = denying.iter().partition::<Vec<&&Finding>, _>(has_summary);
    let of_denying = |policy: &str| summarised.iter().any(|finding| finding.policy == policy);
    let mut heads: Vec<&str> = decision
        .summaries
        .iter()
        .filter(|(policy, _)| of_denying(policy))
        .map(|(_, summary)| summary.as_str())
        .collect();
    // Several templates may have the same faults.
    heads.dedup();
    let fallback = format!("denied by {}", policies(&denying).join(", "));
    if heads.is_empty() {
        heads.push(&fallback);
    }
    let mends = summarised.iter().map(|finding| mend(finding));
    let others =
        plain.iter().filter(|finding| !named.has(&finding.policy, &finding.violation)).map(|finding| fault(finding));
    let first = format!("{} is forbidden: {}", object(review), heads.join("; "));
    let mut lines: Vec<String> = std::iter::once(first).chain(mends).chain(others).collect();
    // What mends several faults alike is said once: the first line names them all.
    let mut said = HashSet::new();
    lines.retain(|line| said.insert(line.clone()));
    lines
}

fn policies(findings: &[&Finding]) -> Vec<String> {
    let mut names: Vec<String> = findings.iter().map(|finding| finding.policy.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Faults that policies with a line of their own name: no other policy tells them again.
struct Named<'a> {
    summarised: HashSet<&'a str>,
    places: HashSet<Place<'a>>,
}

/// A container and a pointer.
type Place<'a> = (Option<&'a str>, String);

impl<'a> Named<'a> {
    /// Those that are among what somebody is told.
    fn of(decision: &'a Decision, is_told: impl Fn(&Finding) -> bool) -> Self {
        let summarised: HashSet<&str> = decision.summaries.iter().map(|(policy, _)| policy.as_str()).collect();
        let told = decision.findings.iter().filter(|finding| is_told(finding));
        let named = told.filter(|finding| summarised.contains(finding.policy.as_str()));
        Self { places: named.map(|finding| place(&finding.violation)).collect(), summarised }
    }

    /// Whether another policy than this one names it.
    fn has(&self, policy: &str, violation: &Violation) -> bool {
        !self.summarised.contains(policy) && self.places.contains(&place(violation))
    }
}

fn place(violation: &Violation) -> Place<'_> {
    (violation.container.as_deref(), violation.pointer.to_string())
}

fn mend(finding: &Finding) -> String {
    let violation = &finding.violation;
    format!("- {}{} ({}/{})", at(finding, &violation.remedy), violation.remedy, finding.policy, violation.rule)
}

fn fault(finding: &Finding) -> String {
    let violation = &finding.violation;
    format!(
        "- {}{}: {} ({}/{})",
        at(finding, &violation.message),
        violation.message,
        violation.remedy,
        finding.policy,
        violation.rule
    )
}

fn is_denying(finding: &Finding) -> bool {
    finding.mode == Mode::Enforce && finding.standing == Standing::Counts
}

fn is_warned(finding: &Finding) -> bool {
    finding.mode == Mode::Warn && finding.standing == Standing::Counts
}

/// What was there before denies no update.
fn is_inherited(finding: &Finding) -> bool {
    finding.mode == Mode::Enforce && finding.standing == Standing::Inherited
}

/// The Pods that the update asks for are new. Where less was edited than a new Pod would be, nobody knows what becomes
/// of them, and it is said of this object alone.
fn as_before(plan: Plan, finding: &Finding) -> String {
    let what = if plan.shows_new_pods() { ", but new Pods will be denied" } else { " and stays" };
    format!("it was so before{what}: {}", told(finding))
}

fn told(finding: &Finding) -> String {
    let violation = &finding.violation;
    format!("{}: {}{}: {}", finding.policy, at(finding, &violation.message), violation.message, violation.remedy)
}

fn advice(policy: &str, violation: &Violation) -> String {
    format!("{policy}: {}{}: {}", container(violation, &violation.message), violation.message, violation.remedy)
}

/// Names the template, if there are others, and the container.
fn at(finding: &Finding, words: &str) -> String {
    let container = container(&finding.violation, words);
    if finding.template.is_empty() { container } else { format!("{}: {container}", finding.template) }
}

/// Names the container, unless the words do so themselves.
fn container(violation: &Violation, words: &str) -> String {
    let named = violation.container.as_ref().filter(|name| !words.contains(&format!("container {name:?}")));
    named.map(|name| format!("container {name:?}: ")).unwrap_or_default()
}

/// What a policy writes down for itself is nothing that was wrong.
fn is_note(claim: &Claim) -> bool {
    claim.pointer.tokens().iter().any(|token| token.starts_with("portreeve.dev/"))
}

#[cfg(test)]
mod tests;
