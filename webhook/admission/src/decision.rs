//! From what the policies found to a decision: modes, failure policies, exceptions, and on UPDATE only what is new.
//! The words for it are in `message`.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use crate::api::{FailurePolicy, Mode};
use crate::case::Subject;
use crate::exception::{Exception, Occasion};
use crate::policy::Policy;
use crate::template::Template;
use crate::verdict::{Failure, Outcome, Root, Violation};

/// What one policy instance found of one subject.
#[derive(Debug)]
pub struct Found<'a> {
    /// The instance.
    pub policy: &'a Policy,
    /// The template that was judged; none if the object has none.
    pub subject: Option<&'a Subject>,
    /// How it ended.
    pub outcome: Outcome,
    /// On UPDATE, what the same instance found of the object before; none where nobody had to ask.
    pub before: Option<Outcome>,
}

/// Under which circumstances it is decided.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// Namespace of the request; empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// Annotations of the object.
    pub annotations: &'a BTreeMap<String, String>,
    /// Exceptions in force.
    pub exceptions: &'a [Exception],
    /// Exceptions expire.
    pub now: Timestamp,
}

/// What was decided, and all that led to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// Every violation, whether it counts or not.
    pub findings: Vec<Finding>,
    /// What is worth telling, by policy. Pointers start from the object.
    pub advisories: Vec<(String, Violation)>,
    /// Policies that came to no verdict.
    pub failures: Vec<PolicyFailure>,
    /// One line of a policy that stands for its violations, by policy.
    pub summaries: Vec<(String, String)>,
}

/// A violation and its weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The instance that found it.
    pub policy: String,
    /// Mode of the instance.
    pub mode: Mode,
    /// Which of the object's templates it is about; empty if there is no more than one.
    pub template: String,
    /// What it found. Its pointer starts from the object.
    pub violation: Violation,
    /// Whether it counts.
    pub standing: Standing,
}

/// Whether a violation counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Counts,
    /// The object had it before the update.
    Inherited,
    /// An exception covers it, by the name under which its use is recorded.
    Excepted(String),
}

/// A policy that came to no verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFailure {
    /// The instance.
    pub policy: String,
    /// Its mode.
    pub mode: Mode,
    /// What it says about failures.
    pub failure_policy: FailurePolicy,
    /// What went wrong.
    pub failure: Failure,
}

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Admitted.
    Allowed,
    /// Denied for a violation.
    Denied,
    /// Refused, since it could not be judged.
    Failed,
}

impl Answer {
    /// As the record and the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

impl Decision {
    /// Decides.
    #[must_use]
    pub fn of(found: Vec<Found<'_>>, circumstances: &Circumstances<'_>) -> Self {
        let mut decision = Self::default();
        for found in found {
            decision.take(found, circumstances);
        }
        decision
    }

    /// How the request is answered. A violation weighs more than a failure: it tells the user what to change.
    #[must_use]
    pub fn answer(&self) -> Answer {
        if self.denying().next().is_some() {
            Answer::Denied
        } else if self.failures.iter().any(PolicyFailure::refuses) {
            Answer::Failed
        } else {
            Answer::Allowed
        }
    }

    /// The violations that deny.
    pub fn denying(&self) -> impl Iterator<Item = &Finding> {
        self.counting(Mode::Enforce)
    }

    /// The violations that count for policies of a mode.
    pub fn counting(&self, mode: Mode) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.mode == mode && finding.standing == Standing::Counts)
    }

    /// Puts down that a policy came to no verdict.
    pub fn fail(&mut self, policy: &Policy, failure: Failure) {
        self.failures.push(PolicyFailure {
            policy: policy.id.clone(),
            mode: policy.mode,
            failure_policy: policy.failure_policy,
            failure,
        });
    }

    fn take(&mut self, found: Found<'_>, circumstances: &Circumstances<'_>) {
        let verdict = match found.outcome {
            Outcome::Verdict(verdict) => verdict,
            Outcome::Failed(failure) => return self.fail(found.policy, failure),
        };
        // Without a verdict on the old object nobody can tell what is new.
        let before = match found.before {
            Some(Outcome::Failed(failure)) if !verdict.violations.is_empty() => {
                return self.fail(found.policy, failure);
            }
            Some(Outcome::Verdict(before)) => before.violations,
            _ => Vec::new(),
        };
        let old: HashSet<_> = before.iter().map(identity).collect();
        let template = found.subject.map(|subject| subject.at.name()).unwrap_or_default();
        for violation in verdict.violations {
            let judged = found.subject.map(|subject| subject.template.as_ref());
            let excepted = covering(found.policy, &violation, judged, circumstances);
            let standing = match excepted {
                Some(exception) => Standing::Excepted(exception.use_name()),
                None if old.contains(&identity(&violation)) => Standing::Inherited,
                None => Standing::Counts,
            };
            let (policy, mode) = (found.policy.id.clone(), found.policy.mode);
            let violation = in_object(violation, found.subject);
            self.findings.push(Finding { policy, mode, template: template.to_owned(), violation, standing });
        }
        let own = verdict.advisories.into_iter().map(|advisory| {
            let mut advisory = in_object(advisory, found.subject);
            if !template.is_empty() {
                advisory.message = format!("{template}: {}", advisory.message);
            }
            (found.policy.id.clone(), advisory)
        });
        self.advisories.extend(own);
        self.summaries.extend(verdict.summary.map(|summary| (found.policy.id.clone(), summary)));
    }
}

impl PolicyFailure {
    /// Whether it refuses the request.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.failure_policy == FailurePolicy::Fail && self.mode == Mode::Enforce
    }
}

/// What makes a violation the same before and after an update.
fn identity(violation: &Violation) -> (&str, Option<&str>) {
    (&violation.rule, violation.container.as_deref())
}

/// The same, with a pointer that starts from the object. What has no place of its own there is at the template's.
fn in_object(violation: Violation, subject: Option<&Subject>) -> Violation {
    let pointer = match (violation.root, subject.map(|subject| &subject.at)) {
        (Root::Template, Some(seat)) => seat.place_of(&violation.pointer).unwrap_or_else(|| seat.pointer().clone()),
        (Root::Object, _) | (Root::Template, None) => violation.pointer,
    };
    Violation { root: Root::Object, pointer, ..violation }
}

/// The exception that covers a violation, if there is one.
fn covering<'a>(
    policy: &Policy,
    violation: &Violation,
    template: Option<&Template>,
    circumstances: &Circumstances<'a>,
) -> Option<&'a Exception> {
    let occasion = Occasion {
        namespace: circumstances.namespace,
        policy: &policy.id,
        rule: &violation.rule,
        container: violation.container.as_deref(),
        template,
        annotations: circumstances.annotations,
        now: circumstances.now,
    };
    circumstances.exceptions.iter().find(|exception| exception.covers(&occasion))
}

#[cfg(test)]
pub(crate) mod tests;
