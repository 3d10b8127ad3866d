//! Workloads and namespaces say what the platform wants to know of them: who answers for them, which change brought
//! them. What is missing may be put in, from the namespace or from the settings.
//!
//! What has to be there is told in `settings`, where it stands in `bearer`.

mod bearer;
mod settings;

use portreeve_sdk::fact::{Missing, Namespace};
use portreeve_sdk::glob::Glob;
use portreeve_sdk::view::Operation;
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, ResourceRule, SettingsError, Stop, Verdict};
use serde_json::{Map, Value};

use crate::owner;
use bearer::Bearer;
pub(crate) use settings::Settings;
use settings::{Asked, Note};

const WRITING: &[&str] = &["CREATE", "UPDATE"];

/// Labels change without the template, so that kinds are named beside all that has one.
const RESOURCES: &[ResourceRule] = &[
    ResourceRule { groups: &["*"], versions: &["*"], resources: &["@templates"], operations: WRITING },
    ResourceRule {
        groups: &[""],
        versions: &["v1"],
        resources: &["namespaces", "pods", "podtemplates", "replicationcontrollers"],
        operations: WRITING,
    },
    ResourceRule {
        groups: &["apps"],
        versions: &["v1"],
        resources: &["daemonsets", "deployments", "replicasets", "statefulsets"],
        operations: WRITING,
    },
    ResourceRule { groups: &["batch"], versions: &["v1"], resources: &["cronjobs", "jobs"], operations: WRITING },
];

/// The policy.
pub(crate) struct Labels {
    kinds: Vec<String>,
    asked: Vec<Asked>,
}

/// What is wrong with a label or an annotation.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing stands there.
    Missing,
    /// This does.
    Value(String),
}

impl Policy for Labels {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Labels and annotations",
            description: "Workloads, their pods and namespaces carry the labels and annotations that the platform asks \
                          for, such as an owner and the change that brought them, with values that it knows. What is \
                          missing is put in where the settings say what.",
            can: Can::MUTATE,
            resources: RESOURCES,
            schema: include_str!("schema.json"),
            facts: &[FactNeed {
                kind: "namespace",
                why: "a label of the namespace can stand for one that a workload leaves out",
                required: false,
            }],
            controls: &["CC2.1", "CC6.1", "CC8.1"],
            ..Manifest::new("labels", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        let (kinds, asked) = settings.checked()?;
        Ok(Self { kinds, asked })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        // What a controller of Kubernetes' own makes carries what its author wrote elsewhere.
        if self.asked.is_empty() || owner::controller_kind(case).is_some() {
            return Ok(verdict);
        }
        for bearer in Bearer::of(case).iter().filter(|bearer| bearer.is_namespace() || self.is_judged(case)) {
            for asked in self.asked.iter().filter(|asked| bearer.is_meant(asked)) {
                judge(case, bearer, asked, &mut verdict)?;
            }
        }
        Ok(verdict)
    }
}

impl Labels {
    fn is_judged(&self, case: &Case<'_>) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&case.request().kind().kind)
    }
}

/// Judges one label or annotation of one bearer.
fn judge(case: &Case<'_>, bearer: &Bearer<'_, '_>, asked: &Asked, verdict: &mut Verdict) -> Result<(), Stop> {
    let Some(fault) = asked.fault(bearer.value(asked)) else { return Ok(()) };
    let is_update = case.request().operation() == Operation::Update;
    let was_so = is_update && asked.fault(bearer.old_value(asked)).is_some();
    let mut is_owed = false;
    if fault == Fault::Missing && bearer.may_be_given(asked) {
        match asked.default_for(case, bearer) {
            Ok(None) => {}
            Ok(Some(value)) => {
                bearer.give(asked.rule(&fault), asked, &value, verdict);
                is_owed = is_update && bearer.is_left_alone();
            }
            // What was missing before holds up no update, whatever could have been put in.
            Err(_) if was_so => {}
            Err(missing) => return Err(missing.into()),
        }
    }
    let rule = asked.rule(&fault);
    // A rule stands for many keys, so that the host could not tell which of its findings are new.
    let finding = match (was_so, is_owed) {
        (true, _) => verdict.advisory(rule).with(&unsaid()),
        // Who sends a manifest again that never held it did nothing wrong: it comes back with the next change.
        (false, true) => verdict.advisory(rule),
        (false, false) => verdict.violation(rule),
    };
    let (says, mend) = asked.words(&fault, bearer);
    bearer.point(finding, asked).says(says).mend(mend);
    Ok(())
}

/// Details of what is for the record alone.
fn unsaid() -> Map<String, Value> {
    Map::from_iter([("told".to_owned(), Value::Bool(false))])
}

impl Asked {
    fn fault(&self, value: Option<String>) -> Option<Fault> {
        match value {
            None => Some(Fault::Missing),
            Some(value) if self.takes(&value) => None,
            Some(value) => Some(Fault::Value(value)),
        }
    }

    fn rule(&self, fault: &Fault) -> &'static str {
        match (self.note, fault) {
            (Note::Label, Fault::Missing) => "missing-label",
            (Note::Annotation, Fault::Missing) => "missing-annotation",
            (Note::Label, Fault::Value(_)) => "label-value",
            (Note::Annotation, Fault::Value(_)) => "annotation-value",
        }
    }

    /// What is to stand where nothing does: that of the namespace first.
    fn default_for(&self, case: &Case<'_>, bearer: &Bearer<'_, '_>) -> Result<Option<String>, Missing> {
        if let (Some(label), false) = (&self.requirement.from_namespace_label, bearer.is_namespace()) {
            let mut namespace: Namespace = case.fact("")?;
            if let Some(value) = namespace.labels.remove(label.as_str()).filter(|value| self.takes(value)) {
                return Ok(Some(value));
            }
        }
        Ok(self.requirement.default.clone())
    }

    /// What is wrong, and what to change.
    fn words(&self, fault: &Fault, bearer: &Bearer<'_, '_>) -> (String, String) {
        let (name, key, what) = (self.note.name(), self.requirement.key.as_str(), &self.requirement.description);
        let told = if what.is_empty() { String::new() } else { [" (", what, ")"].concat() };
        let says = match fault {
            Fault::Missing => format!("{} has no {name} {key:?}{told}", bearer.name()),
            Fault::Value(value) => {
                format!("the {name} {key:?}{told} of {} is {value:?}, which won't do", bearer.name())
            }
        };
        let values: Vec<&str> = self.requirement.values.iter().map(Glob::as_str).collect();
        let among = if values.is_empty() { String::new() } else { [": one of ", &values.join(", ")].concat() };
        (says, format!("set the {name} {key:?} in {}{among}", bearer.metadata()))
    }
}
