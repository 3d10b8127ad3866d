//! A report made of what was found of an object: which results there are, how much each weighs, how many are told and
//! how long their words may be. How its fields are called is told in `shape`.

use std::collections::{BTreeMap, BTreeSet};

use portreeve_admission::api::Mode;
use portreeve_admission::decision::{Finding, PolicyFailure, Standing};

use super::shape::{OwnerReference, Reference, Report, ReportMeta, ResultSeverity, ResultStatus, Summary, Tested};
use crate::MANAGED_BY;
use crate::scan::Judged;

/// How much may be reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Reports in the cluster.
    pub reports: usize,
    /// Results in a report.
    pub results: usize,
    /// Bytes of a message, and of each property.
    pub text: usize,
}

impl Default for Limits {
    /// A report stays under 200 KiB, and all of them within what etcd bears.
    fn default() -> Self {
        Self { reports: 20_000, results: 100, text: 1024 }
    }
}

/// The annotation that says how many results were left out.
const LEFT_OUT: &str = "portreeve.dev/results-left-out";

/// What names of reports begin with: others name theirs by the bare uid.
const PREFIX: &str = "portreeve-";

impl Report {
    /// The report of what was found of an object; none if there is nothing to tell.
    #[must_use]
    pub fn of(object: Reference, judged: &Judged, limits: &Limits) -> Option<Self> {
        let mut results = results(judged, limits);
        if results.is_empty() {
            return None;
        }
        let summary = summary(judged, &results);
        let left_out = results.len().saturating_sub(limits.results);
        results.truncate(limits.results);
        Some(Self { metadata: metadata(&object, left_out), source: None, scope: Some(object), summary, results })
    }

    /// Of the metadata what is ours to say, in a fixed order.
    pub(super) fn own_metadata(&self) -> (Option<&String>, Option<&String>, &[OwnerReference]) {
        let ReportMeta { labels, annotations, owner_references, .. } = &self.metadata;
        (labels.get(MANAGED_BY.0), annotations.get(LEFT_OUT), owner_references)
    }
}

/// All results, the worst first, else in a fixed order.
fn results(judged: &Judged, limits: &Limits) -> Vec<Tested> {
    let findings = judged.decision.findings.iter().map(|finding| of_finding(finding, limits));
    let mended = judged.mended.iter().map(|finding| of_mended(finding, limits));
    let failures = judged.decision.failures.iter().map(|failure| of_failure(failure, limits));
    let mut results: Vec<Tested> = findings.chain(mended).chain(failures).collect();
    results.sort_by(|one, other| order(one).cmp(&order(other)));
    results.dedup();
    results
}

fn order(result: &Tested) -> (ResultStatus, &str, Option<&str>, &BTreeMap<String, String>, &str) {
    (result.result, &result.policy, result.rule.as_deref(), &result.properties, &result.message)
}

fn of_finding(finding: &Finding, limits: &Limits) -> Tested {
    let violation = &finding.violation;
    let (result, exception) = match &finding.standing {
        Standing::Excepted(exception) => (ResultStatus::Skip, Some(exception.clone())),
        Standing::Counts | Standing::Inherited if finding.mode == Mode::Enforce => (ResultStatus::Fail, None),
        Standing::Counts | Standing::Inherited => (ResultStatus::Warn, None),
    };
    let properties = [
        ("mode", Some(finding.mode.name().to_owned())),
        ("container", violation.container.clone()),
        ("template", Some(finding.template.clone())),
        ("pointer", Some(violation.pointer.to_string())),
        ("exception", exception),
    ];
    Tested {
        source: None,
        policy: finding.policy.clone(),
        rule: Some(violation.rule.clone()),
        result,
        severity: Some(severity(finding.mode)),
        scored: result == ResultStatus::Fail,
        message: cut(&format!("{}: {}", violation.message, violation.remedy), limits.text),
        properties: said(properties, limits.text),
        timestamp: None,
    }
}

/// Nobody would be denied for it.
fn of_mended(finding: &Finding, limits: &Limits) -> Tested {
    let mut tested = of_finding(finding, limits);
    tested.properties.insert("mended".to_owned(), "when it is applied again".to_owned());
    Tested { result: ResultStatus::Warn, severity: Some(ResultSeverity::Low), scored: false, ..tested }
}

fn of_failure(failure: &PolicyFailure, limits: &Limits) -> Tested {
    Tested {
        source: None,
        policy: failure.policy.clone(),
        rule: None,
        result: ResultStatus::Error,
        severity: Some(severity(failure.mode)),
        scored: false,
        message: cut(&failure.failure.to_string(), limits.text),
        properties: said([("mode", Some(failure.mode.name().to_owned()))], limits.text),
        timestamp: None,
    }
}

fn severity(mode: Mode) -> ResultSeverity {
    match mode {
        Mode::Enforce => ResultSeverity::High,
        Mode::Warn => ResultSeverity::Medium,
        Mode::Audit | Mode::Off => ResultSeverity::Low,
    }
}

/// Properties that say something.
fn said<const N: usize>(properties: [(&str, Option<String>); N], most: usize) -> BTreeMap<String, String> {
    let said =
        properties.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    said.map(|(name, value)| (name.to_owned(), cut(&value, most))).collect()
}

/// Counts all results; policies that were asked and have none pass.
fn summary(judged: &Judged, results: &[Tested]) -> Summary {
    let telling: BTreeSet<&str> = results.iter().map(|result| result.policy.as_str()).collect();
    let passed = judged.policies.iter().filter(|policy| !telling.contains(policy.as_str())).count();
    let count = |status| number(results.iter().filter(|result| result.result == status).count());
    Summary {
        pass: number(passed),
        fail: count(ResultStatus::Fail),
        warn: count(ResultStatus::Warn),
        error: count(ResultStatus::Error),
        skip: count(ResultStatus::Skip),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A report is no part of its owner's controller, and does not hold up its end.
fn metadata(object: &Reference, left_out: usize) -> ReportMeta {
    let Reference { api_version, kind, namespace, name, uid } = object.clone();
    let (label, value) = MANAGED_BY;
    let left_out = (left_out > 0).then(|| (LEFT_OUT.to_owned(), left_out.to_string()));
    ReportMeta {
        name: format!("{PREFIX}{uid}"),
        namespace,
        labels: [(label.to_owned(), value.to_owned())].into(),
        annotations: left_out.into_iter().collect(),
        owner_references: vec![OwnerReference { api_version, kind, name, uid }],
        uid: String::new(),
    }
}

/// No more than so many bytes of a text, with a sign where it was cut.
pub(crate) fn cut(text: &str, most: usize) -> String {
    const SIGN: &str = " …";
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub(SIGN.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    format!("{}{SIGN}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
pub(super) mod tests {
    use portreeve_admission::api::FailurePolicy;
    use portreeve_admission::decision::Decision;
    use portreeve_admission::pointer::Pointer;
    use portreeve_admission::verdict::{Failure, Root, Violation};

    use super::*;

    fn object() -> Reference {
        let [api_version, kind, name, uid] = ["apps/v1", "Deployment", "web", "1"].map(str::to_owned);
        Reference { api_version, kind, namespace: Some("shop".to_owned()), name, uid }
    }

    fn finding(policy: &str, mode: Mode, standing: Standing) -> Finding {
        let violation = Violation {
            rule: "drop-all".to_owned(),
            container: Some("app".to_owned()),
            root: Root::Object,
            pointer: Pointer::default(),
            message: "capabilities are kept".to_owned(),
            remedy: "drop ALL".to_owned(),
            details: None,
        };
        Finding { policy: policy.to_owned(), mode, template: String::new(), violation, standing }
    }

    fn judged(findings: Vec<Finding>) -> Judged {
        let policies = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        Judged { policies, decision: Decision { findings, ..Decision::default() }, mended: Vec::new() }
    }

    /// A report with one violation that denies.
    pub(in crate::reports) fn report() -> Report {
        Report::of(object(), &judged(vec![finding("a", Mode::Enforce, Standing::Counts)]), &Limits::default()).unwrap()
    }

    #[test]
    fn nothing_to_tell_is_no_report() {
        assert_eq!(Report::of(object(), &judged(Vec::new()), &Limits::default()), None);
    }

    #[test]
    fn modes_and_exceptions_say_how_a_result_ends() {
        let excepted = Standing::Excepted("shop/old".to_owned());
        let mut judged = judged(vec![
            finding("c", Mode::Audit, Standing::Counts),
            finding("b", Mode::Enforce, excepted),
            finding("a", Mode::Enforce, Standing::Counts),
        ]);
        judged.decision.failures.push(PolicyFailure {
            policy: "d".to_owned(),
            mode: Mode::Warn,
            failure_policy: FailurePolicy::Fail,
            failure: Failure::Deadline,
        });
        let report = Report::of(object(), &judged, &Limits::default()).unwrap();
        let told: Vec<_> = report.results.iter().map(|result| (result.policy.as_str(), result.result)).collect();
        let [fail, error, warn, skip] =
            [ResultStatus::Fail, ResultStatus::Error, ResultStatus::Warn, ResultStatus::Skip];
        assert_eq!(told, [("a", fail), ("d", error), ("c", warn), ("b", skip)]);
        assert_eq!(report.results[3].properties["exception"], "shop/old");
        assert_eq!(report.results[0].message, "capabilities are kept: drop ALL");
        assert_eq!(report.summary, Summary { pass: 0, fail: 1, warn: 1, error: 1, skip: 1 });
    }

    #[test]
    fn what_a_default_would_put_right_is_told_and_denies_nobody() {
        let mended = vec![finding("a", Mode::Enforce, Standing::Counts)];
        let report = Report::of(object(), &Judged { mended, ..judged(Vec::new()) }, &Limits::default()).unwrap();
        let result = &report.results[0];
        let told = (result.result, result.severity, result.scored, result.properties["mode"].as_str());
        assert_eq!(told, (ResultStatus::Warn, Some(ResultSeverity::Low), false, "enforce"));
        assert_eq!(result.properties["mended"], "when it is applied again");
        assert_eq!(report.summary, Summary { pass: 3, warn: 1, ..Summary::default() });
    }

    #[test]
    fn policies_that_have_nothing_to_say_pass() {
        assert_eq!(report().summary, Summary { pass: 3, fail: 1, ..Summary::default() });
    }

    #[test]
    fn the_object_owns_its_report() {
        let report = report();
        assert_eq!((report.name(), report.namespace()), ("portreeve-1", Some("shop")));
        let [owner] = report.metadata.owner_references.as_slice() else { panic!() };
        assert_eq!((owner.kind.as_str(), owner.uid.as_str()), ("Deployment", "1"));
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let many: Vec<Finding> = ["a", "b", "c"].map(|id| finding(id, Mode::Enforce, Standing::Counts)).into();
        let report = Report::of(object(), &judged(many), &Limits { results: 2, ..Limits::default() }).unwrap();
        assert_eq!((report.results.len(), report.summary.fail), (2, 3));
        assert_eq!(report.metadata.annotations[LEFT_OUT], "1");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("short", 5), "short");
        for most in 4..20 {
            let cut = cut(&"ü".repeat(20), most);
            assert!(cut.len() <= most && cut.ends_with('…'), "{cut}");
        }
    }
}
