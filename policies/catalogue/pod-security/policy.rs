//! The Pod Security Standards, by namespace label and by class of workload, in the built-in controller's words. It
//! judges and never edits: the other policies of the catalogue put right what can be put right.
//!
//! What the levels hold is in `standard`, what a namespace asks for in `labels`, which requests are judged in `judged`;
//! this file puts them together for a pod.

mod baseline;
mod classes;
mod demands;
mod judged;
mod labels;
mod mesh;
mod namespace;
mod restricted;
mod running;
mod settings;
mod spec;
mod standard;
mod words;

use portreeve_sdk::fact::{Fact, Namespace, RunningPods};
use portreeve_sdk::view::{Container, Pod};
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, ResourceRule, SettingsError, Stop, Verdict};
use serde_json::{Map, Value};

use classes::Class;
use demands::Faults;
use judged::Told;
use labels::Asked;
use mesh::Parted;
use settings::NamespaceLabels;
pub(crate) use settings::Settings;
use standard::{Check, Demand, Template};
use words::{Fault, in_one_line, remedies};

use crate::devices::Devices;

/// A label of the namespace can't be read.
const LABEL: &str = "namespace-label";
/// The pod does not meet what users are warned by.
const WARN: &str = "warn-level";
/// The pod does not meet what is recorded.
const AUDIT: &str = "audit-level";

/// The policy.
pub(crate) struct PodSecurity {
    settings: Settings,
    gpus: Devices,
}

impl Policy for PodSecurity {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Pod Security Standards",
            description: "Every pod meets a level of the Pod Security Standards: that of its class of workload or \
                          that of its namespace's label, whichever is stricter.",
            can: Can::VALIDATE,
            resources: &[
                ResourceRule { groups: &["*"], versions: &["*"], resources: &["@templates"], operations: &["*"] },
                ResourceRule {
                    groups: &[""],
                    versions: &["v1"],
                    resources: &["namespaces"],
                    operations: &["CREATE", "UPDATE"],
                },
            ],
            facts: &[
                FactNeed {
                    kind: Namespace::KIND,
                    why: "the namespace's labels say which levels it asks for",
                    required: true,
                },
                FactNeed {
                    kind: RunningPods::KIND,
                    why: "to tell who tightens a namespace which of its pods would not be let in again",
                    required: false,
                },
            ],
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.6", "CC6.8"],
            ..Manifest::new("pod-security", "1.1.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let settings = Settings { injected: settings.injected.with_known(), ..settings };
        let gpus = Devices::new(settings.gpu_resources.clone(), settings.gpu_claims.clone());
        Ok(Self { settings, gpus })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        if namespace::is_meant(case.request()) {
            return Ok(self.judge_namespace(case));
        }
        let Some(pod) = case.pod() else { return Ok(Verdict::default()) };
        match judged::told(case, self.settings.templates) {
            Some(told) if !self.settings.exemptions.take(case) => self.judge_pod(case, pod, told),
            _ => Ok(Verdict::default()),
        }
    }
}

impl PodSecurity {
    fn judge_namespace(&self, case: &Case<'_>) -> Verdict {
        if self.settings.namespace_labels == NamespaceLabels::Ignore {
            return Verdict::default();
        }
        let defaults = self.defaults(self.settings.usual());
        namespace::Judge { defaults, exempt: &self.settings.exemptions }.judge(case)
    }

    fn judge_pod(&self, case: &Case<'_>, pod: &Pod, told: Told) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let containers = case.containers();
        let template = Template { pod, containers: containers.iter().collect(), volumes: case.volumes() };
        let parted = Parted::of(&template, &self.settings.injected);
        let class = self.settings.classes.iter().find(|class| class.takes(case, pod, &self.gpus));
        let own = class.map_or(self.settings.usual(), |class| class.demand(self.settings.usual()));
        let (asked, label) = self.asked(case, own, &mut verdict)?;
        let mut looked_at: Vec<Demand> = label.into_iter().collect();
        looked_at.extend(parted.is_whole().then_some(own));
        match told {
            Told::AsViolation => {
                let found = demands::of_both(&parted, own, label);
                deny(&found, containers, class.map(|class| (own, class)), &mut verdict);
            }
            Told::AsAdvisory => {
                looked_at.retain(|demand| *demand == own);
                advise(WARN, own, &parted.eased(own), &mut verdict);
            }
        }
        parted.tell(own, &self.settings.injected, &mut verdict);
        let denied = !verdict.violations().is_empty();
        let is_covered = |demand: Demand| looked_at.iter().any(|looked_at| looked_at.covers(demand));
        // Who is denied needs no warning.
        if !denied && !is_covered(asked.warn) {
            advise(WARN, asked.warn, &parted.whole(asked.warn), &mut verdict);
        }
        if denied || told == Told::AsAdvisory || !is_covered(asked.audit) {
            advise(AUDIT, asked.audit, &parted.whole(asked.audit), &mut verdict);
        }
        Ok(verdict)
    }

    /// What the namespace asks of a pod of which we ask `own`, and of that what its labels ask to be enforced. Labels
    /// that can't be read are told.
    fn asked(&self, case: &Case<'_>, own: Demand, verdict: &mut Verdict) -> Result<(Asked, Option<Demand>), Stop> {
        let defaults = self.defaults(own);
        if self.settings.namespace_labels == NamespaceLabels::Ignore || case.request().namespace().is_none() {
            return Ok((defaults, None));
        }
        let namespace: Namespace = case.fact("")?;
        let (asked, faults) = Asked::by(&namespace.labels, defaults);
        for fault in faults {
            verdict.advisory(LABEL).says(format!("Failed to parse policy: {fault}")).mend(fault.remedy());
        }
        Ok((asked, labels::say_what_is_enforced(&namespace.labels).then_some(asked.enforce)))
    }

    /// What a namespace asks that says nothing.
    fn defaults(&self, enforce: Demand) -> Asked {
        Asked { enforce, audit: self.settings.audit, warn: self.settings.warn }
    }
}

/// Tells faults as violations, with the built-in controller's words in one line. `class` is the one whose demand is
/// ours.
fn deny(found: &[(Demand, Faults)], containers: &[Container], class: Option<(Demand, &Class)>, verdict: &mut Verdict) {
    let mut lines = Vec::new();
    for (demand, faults) in found {
        lines.push(format!("violates PodSecurity \"{demand}\": {}", words_of(faults)));
        let class = class.filter(|(own, _)| own == demand).map(|(_, class)| class);
        for (check, fault) in faults {
            tell(check, fault, containers, &details(check, class), verdict);
        }
    }
    if !lines.is_empty() {
        verdict.summarise(lines.join("; "));
    }
}

fn tell(check: &Check, fault: &Fault, containers: &[Container], details: &Map<String, Value>, verdict: &mut Verdict) {
    for place in &fault.places {
        let holder = containers.iter().find(|container| Some(&container.name) == place.container.as_ref());
        let finding = verdict.violation(check.rule);
        let finding = match holder {
            Some(container) => finding.container(container),
            None => finding,
        };
        finding.at(place.pointer.as_str()).says(place.message.as_str()).mend(place.remedy.as_str()).with(details);
    }
}

/// For machines: the check as upstream names it, and the class whose level counted.
fn details(check: &Check, class: Option<&Class>) -> Map<String, Value> {
    let class = class.map(|class| ("class".to_owned(), Value::from(class.name.as_str())));
    [("check".to_owned(), Value::from(check.id))].into_iter().chain(class).collect()
}

/// Tells faults that never deny as the built-in controller does: all in one warning, or for the record alone.
fn advise(rule: &str, demand: Demand, faults: &Faults, verdict: &mut Verdict) {
    if faults.is_empty() {
        return;
    }
    let checks: Vec<&str> = faults.iter().map(|(check, _)| check.id).collect();
    let mut details = Map::from_iter([("checks".to_owned(), Value::from(checks))]);
    if rule == AUDIT {
        details.insert("told".to_owned(), Value::Bool(false));
    }
    verdict
        .advisory(rule)
        .at("/spec")
        .says(format!("would violate PodSecurity \"{demand}\": {}", words_of(faults)))
        .mend(remedies(faults.iter().map(|(_, fault)| fault)))
        .with(&details);
}

fn words_of(faults: &Faults) -> String {
    in_one_line(faults.iter().map(|(_, fault)| fault))
}

#[cfg(test)]
mod tests;
