//! What happened at the gate, as far as an event tells it.

use portreeve_admission::api::Mode;
use portreeve_admission::decision::{Decision, Finding, PolicyFailure, Standing};

use super::series::Key;

/// A denial or a warning by one rule of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Of which object, and whose it is.
    pub involved: Involved,
    /// What became of the request.
    pub weight: Weight,
    /// Name of the ClusterPolicy.
    pub policy: String,
    /// Its rule; none where it came to no verdict.
    pub rule: Option<String>,
    /// The container at fault, if it is one.
    pub container: Option<String>,
    /// What is wrong and what to change, or why there is no verdict.
    pub message: String,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weight {
    /// It was refused.
    Denied,
    /// It passed with a warning.
    Warned,
}

/// An object, and its controller if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Involved {
    /// The object. It may not be there: its creation was denied.
    pub object: ObjectRef,
    /// Its controller, as its `ownerReferences` name it.
    pub controller: Option<ObjectRef>,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Its namespace, if its kind has one.
    pub namespace: Option<String>,
    /// Its name; empty where it was yet to be made.
    pub name: String,
    /// Its uid, once it has one.
    pub uid: Option<String>,
}

impl Involved {
    /// Whom it concerns first: the controller, else the object itself.
    pub(super) fn nearest(&self) -> &ObjectRef {
        self.controller.as_ref().unwrap_or(&self.object)
    }
}

impl Happening {
    /// All that a decision has to tell of an object: what denies, what refuses since it could not be judged, and what
    /// policies warn of. Dry runs are none of its business; what is only recorded is not told.
    #[must_use]
    pub fn all_of(decision: &Decision, involved: &Involved) -> Vec<Self> {
        let found = decision.findings.iter().filter_map(|finding| Some((weight(finding)?, finding)));
        let found = found.map(|(weight, finding)| Self::found(finding, weight, involved.clone()));
        let refused = decision.failures.iter().filter(|failure| failure.refuses());
        found.chain(refused.map(|failure| Self::failed(failure, involved.clone()))).collect()
    }

    fn found(finding: &Finding, weight: Weight, involved: Involved) -> Self {
        let violation = &finding.violation;
        Self {
            involved,
            weight,
            policy: finding.policy.clone(),
            rule: Some(violation.rule.clone()),
            container: violation.container.clone(),
            message: format!("{}: {}", violation.message, violation.remedy),
        }
    }

    fn failed(failure: &PolicyFailure, involved: Involved) -> Self {
        Self {
            involved,
            weight: Weight::Denied,
            policy: failure.policy.clone(),
            rule: None,
            container: None,
            message: format!("the request could not be judged: {}", failure.failure),
        }
    }

    /// By which it is the same as one before.
    pub(super) fn key(&self) -> Key {
        Key {
            object: self.involved.nearest().clone(),
            weight: self.weight,
            policy: self.policy.clone(),
            rule: self.rule.clone(),
        }
    }
}

fn weight(finding: &Finding) -> Option<Weight> {
    match (&finding.standing, finding.mode) {
        (Standing::Counts, Mode::Enforce) => Some(Weight::Denied),
        (Standing::Counts, Mode::Warn) => Some(Weight::Warned),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use portreeve_admission::pointer::Pointer;
    use portreeve_admission::verdict::{Root, Violation};

    use super::*;

    pub(in crate::events) fn place(kind: &str, name: &str) -> ObjectRef {
        let [api_version, kind, name] = ["apps/v1", kind, name].map(str::to_owned);
        ObjectRef { api_version, kind, namespace: Some("shop".to_owned()), name, uid: None }
    }

    /// A denial by a rule of a policy.
    pub(in crate::events) fn denied(object: ObjectRef, rule: &str) -> Happening {
        Happening {
            involved: Involved { object, controller: None },
            weight: Weight::Denied,
            policy: "drop-capabilities".to_owned(),
            rule: Some(rule.to_owned()),
            container: Some("app".to_owned()),
            message: "capabilities are kept: drop ALL".to_owned(),
        }
    }

    fn told(mode: Mode, standing: Standing) -> Option<Weight> {
        let violation = Violation {
            rule: "drop-all".to_owned(),
            container: None,
            root: Root::Object,
            pointer: Pointer::default(),
            message: "m".to_owned(),
            remedy: "r".to_owned(),
            details: None,
        };
        let finding = Finding { policy: "p".to_owned(), mode, template: String::new(), violation, standing };
        let decision = Decision { findings: vec![finding], ..Decision::default() };
        let involved = Involved { object: place("Deployment", "web"), controller: None };
        Happening::all_of(&decision, &involved).first().map(|happening| happening.weight)
    }

    #[test]
    fn what_denies_and_what_is_warned_of_is_told_and_nothing_else() {
        assert_eq!(told(Mode::Enforce, Standing::Counts), Some(Weight::Denied));
        assert_eq!(told(Mode::Warn, Standing::Counts), Some(Weight::Warned));
        assert_eq!(told(Mode::Audit, Standing::Counts), None);
        assert_eq!(told(Mode::Enforce, Standing::Inherited), None);
        assert_eq!(told(Mode::Enforce, Standing::Excepted("e".to_owned())), None);
    }

    #[test]
    fn what_happens_to_pods_of_one_controller_happens_again() {
        let of = |name: &str| {
            let involved = Involved { object: place("Pod", name), controller: Some(place("ReplicaSet", "web-1")) };
            Happening { involved, ..denied(place("Pod", name), "drop-all") }
        };
        assert_eq!(of("a").key(), of("b").key());
        assert_ne!(denied(place("Pod", "a"), "drop-all").key(), denied(place("Pod", "b"), "drop-all").key());
    }
}
