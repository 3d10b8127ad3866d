//! What came of checking manifests, as it is printed: for programs as it stands here, for people as `text` makes it.

use portreeve_admission::api::Mode;
use portreeve_admission::decision::{Finding, PolicyFailure, Standing};
use portreeve_admission::edit::Claim;
use portreeve_admission::verdict::{Change, Violation};
use portreeve_server::check::Verdict;
use portreeve_server::manifest::Manifest;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::check::policies_from::PoliciesFrom;
use crate::judging::{Ending, Judged, Judgement};
use crate::path::Path;

/// The result of `portreeve check -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckReport {
    /// Digest of the policies in force.
    pub(super) policy_set: String,
    /// Where the policies come from.
    pub(super) policies_from: PoliciesFrom,
    /// Lock files found beside the manifests, from which facts about images come.
    pub(super) image_locks: Vec<String>,
    /// Policies that are taken to be in another mode than they are.
    pub(super) raised: Vec<RaisedReport>,
    /// All workloads, and other objects that a policy looks at, in the order of the files.
    pub(super) objects: Vec<ObjectReport>,
    /// Exceptions among the policies that no longer count, or end within two weeks.
    pub(super) ending_exceptions: Vec<EndingReport>,
    /// All together.
    pub(crate) summary: Summary,
}

/// A policy that is taken to be in another mode than it is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RaisedReport {
    pub(crate) policy: String,
    /// `audit` or `warn`.
    #[schemars(with = "String")]
    pub(crate) mode_today: Mode,
}

/// An exception that has ended or soon will.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndingReport {
    /// Its namespace and name.
    pub(crate) name: String,
    /// The policy that it loosens.
    pub(crate) policy: String,
    /// From when on it no longer counts, RFC 3339.
    pub(crate) expires: String,
    /// `ends-soon`, or `over`.
    pub(crate) term: &'static str,
    /// The same in words, with owner and ticket.
    pub(crate) message: String,
}

/// One object.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectReport {
    /// The file as it was given or found, or `stdin`.
    pub(crate) file: String,
    /// The line on which the object begins.
    pub(crate) line: usize,
    pub(crate) api_version: String,
    pub(crate) kind: String,
    /// The namespace that it would be created in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    /// How it would be answered.
    pub(crate) verdict: VerdictReport,
    /// What was put in, in order.
    pub(crate) injected: Vec<Injected>,
    /// What is wrong with it.
    pub(crate) violations: Vec<ViolationReport>,
    /// What is worth telling and denies nothing.
    pub(crate) advisories: Vec<Remark>,
    /// Policies that came to no verdict.
    pub(crate) failures: Vec<FailureReport>,
    /// Exceptions that kept something from being put in.
    pub(crate) exceptions: Vec<String>,
    /// Why it could not be judged at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unjudgeable: Option<String>,
    /// The line of the field that can't be read, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unreadable_line: Option<usize>,
}

/// How an object would be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum VerdictReport {
    /// No policy looks at it.
    Unseen,
    /// It would be admitted.
    Allowed,
    /// It would be denied for a violation.
    Denied,
    /// It would be refused, since it can't be judged.
    Failed,
}

/// One thing that was put in, changed or taken out.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Injected {
    /// Who asked for it.
    pub(crate) policy: String,
    /// Which of its rules.
    pub(crate) rule: String,
    /// Where, as a JSON pointer in the object.
    pub(crate) pointer: String,
    /// The same as people write it.
    pub(crate) path: String,
    /// What happened there.
    pub(crate) change: ChangeReport,
    /// What stood there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Value>,
    /// What stands there now, or the element that was appended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Value>,
}

/// What happened at a place of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ChangeReport {
    /// Nothing stood there before.
    Added,
    /// Something else stood there.
    Changed,
    /// The list there got one more element.
    Appended,
    /// What stood there is gone.
    Removed,
}

/// A violation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ViolationReport {
    /// `enforce`, `warn` or `audit`.
    #[schemars(with = "String")]
    pub(crate) mode: Mode,
    /// The mode that its policy really is in, where it is judged as of another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub(crate) mode_today: Option<Mode>,
    /// The exception that covers it; then it counts for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exception: Option<String>,
    #[serde(flatten)]
    pub(crate) remark: Remark,
}

/// What a policy says about a place.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remark {
    pub(crate) policy: String,
    pub(crate) rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) container: Option<String>,
    /// What is wrong.
    pub(crate) message: String,
    /// What to change.
    pub(crate) remedy: String,
    /// Where, as a JSON pointer in the object.
    pub(crate) pointer: String,
    /// The line of that field in the object's file, or of the nearest one above it that is written.
    pub(crate) line: usize,
    /// More for machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<Value>,
}

/// A policy that came to no verdict.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureReport {
    pub(crate) policy: String,
    /// Why.
    pub(crate) message: String,
    /// Whether the object is refused for it; else it is let pass.
    pub(crate) refuses: bool,
}

/// All objects together.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    /// Objects with a pod template.
    pub(crate) workloads: usize,
    /// Of all objects that were judged, how many would be admitted.
    pub(crate) allowed: usize,
    /// How many of those had something put in.
    pub(crate) corrected: usize,
    /// How many would be denied for a violation.
    pub(crate) denied: usize,
    /// How many would be refused, since they can't be judged.
    pub(crate) failed: usize,
    /// Workloads that no policy looks at.
    pub(crate) unseen: usize,
    /// Warnings that users would read.
    pub(crate) warnings: usize,
    /// Objects without a pod template that no policy looks at.
    pub(crate) other_objects: usize,
}

impl CheckReport {
    pub(super) fn of(judgement: &Judgement<'_>) -> Self {
        let mut summary = Summary::default();
        let mut objects = Vec::new();
        for judged in &judgement.objects {
            if !judged.workload && judged.checked.verdict == Verdict::Unseen {
                summary.other_objects += 1;
                continue;
            }
            let mut object = ObjectReport::of(judged);
            for violation in &mut object.violations {
                violation.mode_today = judged.checked.modes_today.get(&violation.remark.policy).copied();
            }
            summary.count(&object, judged.workload);
            objects.push(object);
        }
        let ending_exceptions = judgement.ending.iter().map(EndingReport::of).collect();
        let raised = judgement.raised.iter();
        let raised = raised.map(|(policy, mode)| RaisedReport { policy: policy.clone(), mode_today: *mode }).collect();
        Self {
            policy_set: judgement.set.clone(),
            policies_from: judgement.rules.into(),
            image_locks: judgement.locks.iter().map(|path| path.display().to_string()).collect(),
            raised,
            objects,
            ending_exceptions,
            summary,
        }
    }
}

impl EndingReport {
    fn of(ending: &Ending) -> Self {
        let spec = ending.exception.spec();
        Self {
            name: ending.exception.name.clone(),
            policy: spec.policy.clone(),
            expires: spec.expires.to_string(),
            term: ending.term.name(),
            message: ending.notice.clone(),
        }
    }
}

impl Summary {
    /// How many would not be admitted.
    pub(crate) fn refused(&self) -> usize {
        self.denied + self.failed
    }

    fn count(&mut self, object: &ObjectReport, workload: bool) {
        self.workloads += usize::from(workload);
        self.warnings += object.warnings().count() + object.let_pass().count();
        match object.verdict {
            VerdictReport::Unseen => self.unseen += 1,
            VerdictReport::Allowed => {
                self.allowed += 1;
                self.corrected += usize::from(!object.injected.is_empty());
            }
            VerdictReport::Denied => self.denied += 1,
            VerdictReport::Failed => self.failed += 1,
        }
    }
}

impl ObjectReport {
    pub(crate) fn of(judged: &Judged<'_>) -> Self {
        let Judged { manifest, checked, .. } = judged;
        let decision = &checked.decision;
        let object = checked.corrected.as_ref().unwrap_or(manifest.value());
        Self {
            file: manifest.source().to_owned(),
            line: manifest.line(),
            api_version: manifest.api_version().to_owned(),
            kind: manifest.kind().to_owned(),
            namespace: checked.namespace.clone(),
            name: manifest.name().to_owned(),
            verdict: checked.verdict.into(),
            injected: checked.made.iter().map(|claim| Injected::of(claim, manifest.value(), object)).collect(),
            violations: decision.findings.iter().map(|finding| ViolationReport::of(finding, manifest)).collect(),
            advisories: decision.advisories.iter().map(|(by, told)| Remark::of(by, told, manifest)).collect(),
            failures: decision.failures.iter().map(FailureReport::of).collect(),
            exceptions: checked.exceptions.clone(),
            unjudgeable: checked.unjudgeable.as_ref().map(ToString::to_string),
            unreadable_line: checked.unreadable_at().map(|place| manifest.line_of(place)),
        }
    }

    /// The violations that deny it.
    pub(crate) fn denying(&self) -> impl Iterator<Item = &Remark> {
        self.counting(Mode::Enforce)
    }

    /// What its user would be warned of.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &Remark> {
        self.counting(Mode::Warn).chain(&self.advisories)
    }

    /// Failures that were let pass.
    pub(crate) fn let_pass(&self) -> impl Iterator<Item = &FailureReport> {
        self.failures.iter().filter(|failure| !failure.refuses)
    }

    fn counting(&self, mode: Mode) -> impl Iterator<Item = &Remark> {
        let counts = move |violation: &&ViolationReport| violation.mode == mode && violation.exception.is_none();
        self.violations.iter().filter(counts).map(|violation| &violation.remark)
    }
}

impl Injected {
    /// `before` is the object as it is written, `after` as it is with all that was put in.
    fn of(claim: &Claim, before: &Value, after: &Value) -> Self {
        let stood = claim.pointer.find(before).filter(|value| !value.is_null()).cloned();
        let (change, before, value) = match &claim.change {
            Change::Set(value) | Change::Default(value) if stood.is_some() => {
                (ChangeReport::Changed, stood, Some(value.clone()))
            }
            Change::Set(value) | Change::Default(value) => (ChangeReport::Added, None, Some(value.clone())),
            Change::AppendUnique { value, .. } => (ChangeReport::Appended, None, Some(value.clone())),
            Change::Remove => (ChangeReport::Removed, stood, None),
        };
        Self {
            policy: claim.policy.clone(),
            rule: claim.rule.clone(),
            pointer: claim.pointer.to_string(),
            path: Path { pointer: &claim.pointer, object: after }.to_string(),
            change,
            before,
            value,
        }
    }
}

impl ViolationReport {
    fn of(finding: &Finding, manifest: &Manifest) -> Self {
        let exception = match &finding.standing {
            Standing::Excepted(name) => Some(name.clone()),
            Standing::Counts | Standing::Inherited => None,
        };
        Self {
            mode: finding.mode,
            mode_today: None,
            exception,
            remark: Remark::of(&finding.policy, &finding.violation, manifest),
        }
    }
}

impl Remark {
    fn of(policy: &str, violation: &Violation, manifest: &Manifest) -> Self {
        Self {
            policy: policy.to_owned(),
            rule: violation.rule.clone(),
            container: violation.container.clone(),
            message: violation.message.clone(),
            remedy: violation.remedy.clone(),
            line: manifest.line_of(&violation.pointer),
            pointer: violation.pointer.to_string(),
            details: violation.details.clone(),
        }
    }
}

impl FailureReport {
    fn of(failure: &PolicyFailure) -> Self {
        Self { policy: failure.policy.clone(), message: failure.failure.to_string(), refuses: failure.refuses() }
    }
}

impl From<Verdict> for VerdictReport {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Unseen => Self::Unseen,
            Verdict::Allowed => Self::Allowed,
            Verdict::Denied => Self::Denied,
            Verdict::Failed => Self::Failed,
        }
    }
}
