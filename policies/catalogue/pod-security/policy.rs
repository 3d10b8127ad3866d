//! The Pod Security Standards, by namespace label and by class of workload, in the built-in controller's words. It
//! judges and never edits: the other policies of the catalogue put right what can be put right.
//!
//! What the levels hold is in `standard`; this file decides which of them a pod has to meet.

mod baseline;
mod mesh;
mod restricted;
mod settings;
mod standard;
mod words;

use portreeve_sdk::fact::{Fact, Namespace};
use portreeve_sdk::glob::Glob;
use portreeve_sdk::view::{Container, Pod};
use portreeve_sdk::{Can, Case, FactNeed, Finding, Manifest, Policy, SettingsError, Stop, Verdict};
use serde_json::{Map, Value};

use mesh::Parted;
pub(crate) use settings::Settings;
use settings::{Class, NamespaceLabels, Templates};
use standard::{Check, Demand, Level, Template, Version};
use words::Fault;

use crate::devices::Devices;

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
const ENFORCE_VERSION: &str = "pod-security.kubernetes.io/enforce-version";

/// The policy.
pub(crate) struct PodSecurity {
    settings: Settings,
    devices: Devices,
}

impl Policy for PodSecurity {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Pod Security Standards",
            description: "Every pod meets a level of the Pod Security Standards: that of its class of workload or \
                          that of its namespace's label, whichever is stricter.",
            can: Can::VALIDATE,
            facts: &[FactNeed {
                kind: Namespace::KIND,
                why: "the namespace's label says which level it enforces",
                required: true,
            }],
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.6", "CC6.8"],
            ..Manifest::new("pod-security", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let settings = Settings { injected: settings.injected.with_known(), ..settings };
        let devices = Devices::new(settings.gpu_resources.clone(), Devices::usual_claims());
        Ok(Self { settings, devices })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(pod) = case.pod() else { return Ok(verdict) };
        let Some(told) = self.told(case).filter(|_| !self.is_exempt(case)) else { return Ok(verdict) };
        let containers = case.containers();
        let template = Template { pod, containers: containers.iter().collect(), volumes: case.volumes() };
        let parted = Parted::of(&template, &self.settings.injected);
        let class = self.class(pod, containers);
        let own = self.own(class);
        let label = self.label(case, &mut verdict)?;
        let mut summary = Vec::new();
        for (demand, faults) in faults(&parted, own, label) {
            summary.push(in_one_line(demand, &faults));
            for (check, fault) in &faults {
                let details = details(check, class.filter(|_| demand == own));
                tell(&mut verdict, told, &details, check, fault, containers);
            }
        }
        parted.tell(own, &self.settings.injected, &mut verdict);
        if told == Told::AsViolation && !summary.is_empty() {
            verdict.summarise(summary.join("; "));
        }
        Ok(verdict)
    }
}

/// How faults are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    AsViolation,
    AsAdvisory,
}

impl PodSecurity {
    /// None if this kind of object is not judged.
    fn told(&self, case: &Case<'_>) -> Option<Told> {
        let kind = case.request().kind();
        match self.settings.templates {
            _ if kind.group.is_empty() && kind.kind == "Pod" => Some(Told::AsViolation),
            Templates::Enforce => Some(Told::AsViolation),
            Templates::Warn => Some(Told::AsAdvisory),
            Templates::Ignore => None,
        }
    }

    fn is_exempt(&self, case: &Case<'_>) -> bool {
        let exempt = &self.settings.exemptions;
        let runtime_class = case.pod().and_then(|pod| pod.runtime_class.as_ref());
        let named = |names: &[String], name: &String| names.contains(name);
        runtime_class.is_some_and(|class| named(&exempt.runtime_classes, class))
            || (!exempt.usernames.is_empty() && named(&exempt.usernames, &case.request().user_name()))
            || (!exempt.namespaces.is_empty()
                && case.request().namespace().is_some_and(|name| Glob::any(&exempt.namespaces, &name)))
    }

    /// The class that this pod belongs to.
    fn class(&self, pod: &Pod, containers: &[Container]) -> Option<&Class> {
        let belongs = |class: &&Class| class.when.takes(pod, containers, &self.devices);
        self.settings.classes.iter().find(belongs)
    }

    /// What the settings ask of the pods of a class.
    fn own(&self, class: Option<&Class>) -> Demand {
        match class {
            Some(class) => Demand { level: class.level, version: class.version.unwrap_or(self.settings.version) },
            None => Demand { level: self.settings.level, version: self.settings.version },
        }
    }

    /// What the namespace's label asks of every pod in it. A label that can't be read asks for the most, as the
    /// built-in controller has it, and the fault is told.
    fn label(&self, case: &Case<'_>, verdict: &mut Verdict) -> Result<Option<Demand>, Stop> {
        if self.settings.namespace_labels == NamespaceLabels::Ignore || case.request().namespace().is_none() {
            return Ok(None);
        }
        let namespace: Namespace = case.fact("")?;
        let Some(level) = namespace.labels.get(ENFORCE) else { return Ok(None) };
        let version = namespace.labels.get(ENFORCE_VERSION).map_or("latest", String::as_str);
        let parsed_level = level.parse();
        if parsed_level.is_err() {
            unreadable(verdict, ENFORCE, level).mend("write privileged, baseline or restricted");
        }
        let parsed_version = version.parse();
        if parsed_version.is_err() {
            unreadable(verdict, ENFORCE_VERSION, version).mend("write latest or v1.N");
        }
        Ok(Some(Demand {
            level: parsed_level.unwrap_or(Level::Restricted),
            version: parsed_version.unwrap_or(Version::Latest),
        }))
    }
}

fn unreadable<'v>(verdict: &'v mut Verdict, label: &str, value: &str) -> Finding<'v> {
    verdict.advisory("namespace-label").says(format!("the namespace's label {label} can't be read: {value:?}"))
}

/// What a check finds.
type Faults = Vec<(&'static Check, Fault)>;

/// What is wrong by our own demand and by the label's, the stricter one first. Each check speaks once, and what one demand
/// holds is not asked again by the other, unless ours was eased for a mesh.
fn faults(parted: &Parted<'_>, own: Demand, label: Option<Demand>) -> Vec<(Demand, Faults)> {
    let mut all: Vec<(Demand, Faults)> = Vec::new();
    if !label.is_some_and(|label| label.covers(own)) {
        all.push((own, parted.eased(own)));
    }
    // Where both ask the same, the label speaks for both.
    let label_speaks = |label: &Demand| label.covers(own) || !own.covers(*label) || !parted.is_whole();
    if let Some(label) = label.filter(label_speaks) {
        let place = if label.level > own.level { 0 } else { all.len() };
        all.insert(place, (label, parted.whole(label)));
    }
    let mut seen = Vec::new();
    for (_, faults) in &mut all {
        faults.retain(|(check, _)| !seen.contains(&check.id));
        seen.extend(faults.iter().map(|(check, _)| check.id));
    }
    all.retain(|(_, faults)| !faults.is_empty());
    all
}

/// The built-in controller's words for a pod that does not meet a demand.
fn in_one_line(demand: Demand, faults: &[(&Check, Fault)]) -> String {
    let words: Vec<_> = faults.iter().map(|(_, fault)| [&fault.reason, " (", &fault.detail, ")"].concat()).collect();
    format!("violates PodSecurity \"{demand}\": {}", words.join(", "))
}

/// For machines: the check as upstream names it, and the class whose level counted.
fn details(check: &Check, class: Option<&Class>) -> Map<String, Value> {
    let class = class.map(|class| ("class".to_owned(), Value::from(class.name.as_str())));
    [("check".to_owned(), Value::from(check.id))].into_iter().chain(class).collect()
}

fn tell(
    verdict: &mut Verdict,
    told: Told,
    details: &Map<String, Value>,
    check: &Check,
    fault: &Fault,
    containers: &[Container],
) {
    for place in &fault.places {
        let finding = match told {
            Told::AsAdvisory => verdict.advisory(check.rule),
            Told::AsViolation => verdict.violation(check.rule),
        };
        let holder = containers.iter().find(|container| Some(&container.name) == place.container.as_ref());
        let finding = match holder {
            Some(container) => finding.container(container),
            None => finding,
        };
        let finding = finding.at(place.pointer.as_str()).says(place.message.as_str());
        finding.mend(place.remedy.as_str()).with(details);
    }
}

#[cfg(test)]
mod tests;
