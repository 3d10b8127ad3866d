//! What a platform expects of each of its workloads (`expected.yaml`), and where that was not what came. How the words
//! are to be read is told in the README beside the platforms.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::platform::Platform;
use super::report::{Difference, SecondPass, Verdict, WorkloadReport};

/// What is expected of one workload.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expectation {
    kind: String,
    namespace: String,
    name: String,
    outcome: ExpectedOutcome,
    #[serde(default)]
    injected: BTreeSet<String>,
    #[serde(default)]
    untouched: bool,
    #[serde(default)]
    warns: BTreeSet<String>,
    #[serde(default)]
    policies: BTreeSet<String>,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExpectedOutcome {
    Admitted,
    Denied,
}

/// All that is otherwise than it should be: by `expected.yaml`, if the platform has one, and by what holds everywhere.
pub(super) fn differences(platform: &Platform, shown: &[WorkloadReport]) -> Vec<Difference> {
    let mut found: Vec<Difference> = shown.iter().filter_map(unsettled).collect();
    let Some(expected) = &platform.expected else { return found };
    let mut awaited: BTreeMap<String, &Expectation> =
        expected.iter().map(|expectation| (expectation.reference(), expectation)).collect();
    for workload in shown {
        let reference = workload.reference();
        let reasons = match awaited.remove(&reference) {
            Some(expectation) => expectation.held_against(workload),
            None => vec!["expected.yaml does not speak of it".to_owned()],
        };
        found.extend(reasons.into_iter().map(|what| Difference { workload: reference.clone(), what }));
    }
    let missing = "expected.yaml speaks of it, and there is no such workload";
    found.extend(awaited.into_keys().map(|workload| Difference { workload, what: missing.to_owned() }));
    found
}

fn unsettled(workload: &WorkloadReport) -> Option<Difference> {
    let what = "the second pass changed it again".to_owned();
    (workload.second_pass == SecondPass::Changed).then(|| Difference { workload: workload.reference(), what })
}

impl Expectation {
    fn reference(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    fn held_against(&self, workload: &WorkloadReport) -> Vec<String> {
        match (self.outcome, &workload.verdict) {
            (ExpectedOutcome::Admitted, Verdict::Admitted) => self.of_admitted(workload),
            (ExpectedOutcome::Denied, Verdict::Denied { violated, failed, message, .. }) => {
                self.of_denied(&(violated | failed), message)
            }
            (ExpectedOutcome::Admitted, Verdict::Denied { message, .. }) => {
                vec![format!("denied, and it should be admitted: {message}")]
            }
            (ExpectedOutcome::Denied, Verdict::Admitted) => vec!["admitted, and it should be denied".to_owned()],
        }
    }

    fn of_admitted(&self, workload: &WorkloadReport) -> Vec<String> {
        let injected: BTreeSet<String> = workload.injected.iter().map(ToString::to_string).collect();
        let touched = self.untouched && workload.changed;
        [
            lacking("was not put in", &self.injected, &injected),
            lacking("was put in, and is not expected", &injected, &self.injected),
            lacking("should have warned", &self.warns, &workload.warned_by),
            touched.then(|| "it was changed, and should come out as it went in".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn of_denied(&self, policies: &BTreeSet<String>, message: &str) -> Vec<String> {
        let unsaid = self.reason.as_ref().filter(|reason| !message.contains(*reason));
        let unsaid = unsaid.map(|reason| format!("the message does not say {reason:?}: {message}"));
        [lacking("should have denied it", &self.policies, policies), unsaid].into_iter().flatten().collect()
    }
}

fn lacking(words: &str, wanted: &BTreeSet<String>, found: &BTreeSet<String>) -> Option<String> {
    let lacking: Vec<&str> = wanted.difference(found).map(String::as_str).collect();
    (!lacking.is_empty()).then(|| format!("{words}: {}", lacking.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    use crate::demo::injected::Injected;

    fn workload(verdict: Verdict) -> WorkloadReport {
        WorkloadReport {
            kind: "Deployment".into(),
            namespace: "shop".into(),
            name: "web".into(),
            place: "web.yaml:1".into(),
            verdict,
            before: Vec::new(),
            after: Vec::new(),
            changed: true,
            injected: vec![Injected::Digest],
            put_right: Vec::new(),
            warned_by: BTreeSet::from(["probes".into()]),
            warnings: Vec::new(),
            second_pass: SecondPass::Unchanged,
        }
    }

    fn denied() -> Verdict {
        Verdict::Denied {
            call: "/validate".into(),
            violated: BTreeSet::from(["seccomp".into()]),
            failed: BTreeSet::new(),
            message: "it is Unconfined".into(),
        }
    }

    fn found(expected: serde_json::Value, shown: WorkloadReport) -> Vec<String> {
        let mut full = json!({"kind": "Deployment", "namespace": "shop", "name": "web"});
        full.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        let platform = Platform {
            name: "shop".into(),
            folder: "shop".into(),
            workloads: Vec::new(),
            beside: Vec::new(),
            images: Vec::new(),
            expected: Some(vec![serde_json::from_value(full).unwrap()]),
        };
        differences(&platform, &[shown]).into_iter().map(|difference| difference.what).collect()
    }

    #[test]
    fn what_came_as_expected_is_no_difference() {
        let admitted = json!({"outcome": "admitted", "injected": ["digest"], "warns": ["probes"]});
        assert!(found(admitted, workload(Verdict::Admitted)).is_empty());
        let refused = json!({"outcome": "denied", "policies": ["seccomp"], "reason": "Unconfined"});
        assert!(found(refused, workload(denied())).is_empty());
    }

    #[test]
    fn what_was_put_in_is_told_both_ways() {
        let expected = json!({"outcome": "admitted", "injected": ["drop ALL"]});
        let told = found(expected, workload(Verdict::Admitted));
        assert_eq!(told, ["was not put in: drop ALL", "was put in, and is not expected: digest"]);
    }

    #[test]
    fn another_outcome_is_a_difference() {
        assert_eq!(
            found(json!({"outcome": "denied"}), workload(Verdict::Admitted)),
            ["admitted, and it should be denied"]
        );
        let told = found(json!({"outcome": "admitted"}), workload(denied()));
        assert_eq!(told, ["denied, and it should be admitted: it is Unconfined"]);
    }

    #[test]
    fn another_policy_or_reason_is_a_difference() {
        let expected = json!({"outcome": "denied", "policies": ["non-root"], "reason": "root"});
        assert_eq!(found(expected, workload(denied())).len(), 2);
    }

    #[test]
    fn a_workload_that_nobody_spoke_of_and_one_that_is_not_there_are_differences() {
        let other = WorkloadReport { name: "other".into(), ..workload(Verdict::Admitted) };
        let told = found(json!({"outcome": "admitted"}), other);
        assert_eq!(told.len(), 2, "{told:?}");
    }

    #[test]
    fn what_changes_again_is_a_difference_whatever_is_expected() {
        let shown = WorkloadReport { second_pass: SecondPass::Changed, ..workload(Verdict::Admitted) };
        let expected = json!({"outcome": "admitted", "injected": ["digest"]});
        assert_eq!(found(expected, shown), ["the second pass changed it again"]);
    }

    #[test]
    fn what_should_come_out_as_it_went_in_and_did_not_is_a_difference() {
        let expected = json!({"outcome": "admitted", "injected": ["digest"], "untouched": true});
        assert_eq!(found(expected, workload(Verdict::Admitted)), ["it was changed, and should come out as it went in"]);
    }
}
