//! One policy, checked against the manifest of its module: its settings, its facts, its selectors, its time.

use std::collections::BTreeSet;
use std::time::Duration;

use portreeve_admission::api::{self, ClusterPolicySpec, Match, Mode, ModuleSource, PolicySetSpec, Resources};
use portreeve_admission::case::Operation;
use portreeve_admission::policy::{Abilities, Policy, ResourceRule, Stage};
use portreeve_engine::{Instance, Manifest};
use serde_json::Value;

use super::conditions::Conditions;
use super::draft::InForce;
use super::settings;
use crate::deadline::duration;

/// What a policy may take if neither it nor the set says.
const TIMEOUT: Duration = Duration::from_secs(2);

/// No API server waits longer.
const MOST: Duration = Duration::from_secs(30);

/// A policy with what its module is to be configured with.
pub(super) struct Drafted {
    pub(super) policy: Policy,
    pub(super) conditions: Conditions,
    pub(super) instance: Instance,
}

/// The instance of a policy whose name in its module is written down, so that nobody has to ask the module.
pub(super) fn instance_by_name(policy: &InForce) -> Option<Instance> {
    let name = match &policy.spec.module {
        ModuleSource::Builtin { builtin } => builtin,
        ModuleSource::File { policy, .. } | ModuleSource::Oci { policy, .. } => policy.as_ref()?,
    };
    Some(instance(policy, name))
}

/// Checks a policy against its manifest; every reason why it can't be in force.
pub(super) fn draft_policy(
    located: &InForce,
    manifests: &[Manifest],
    set: &PolicySetSpec,
) -> Result<Drafted, Vec<String>> {
    let spec = &located.spec;
    let manifest = carried(&spec.module, manifests).map_err(|reason| vec![reason])?;
    let instance = instance(located, &manifest.name);
    let mut reasons = Vec::new();
    match settings::faults(&manifest.settings_schema, &instance.settings) {
        Ok(faults) => reasons.extend(faults.iter().map(|fault| format!("spec.{fault}"))),
        Err(reason) => reasons.push(format!("the schema of {:?} is none: {reason}", manifest.name)),
    }
    reasons.extend(bad_selectors(spec));
    reasons.extend(bad_rules(&spec.matching));
    let conditions = Conditions::compile(&spec.matching.match_conditions);
    let conditions = conditions.map_err(|bad| reasons.extend(bad)).unwrap_or_default();
    reasons.extend(spec.exceptions.as_ref().and_then(|rules| rules.check().err()).map(|bad| format!("spec.{bad}")));
    let timeout = spec.timeout.as_deref().or(set.timeout.as_deref()).map(duration).transpose();
    let timeout = timeout.map_err(|error| reasons.push(format!("spec.{error}"))).ok().flatten().unwrap_or(TIMEOUT);
    if timeout.is_zero() || timeout > MOST {
        reasons.push(format!("spec.timeout: {timeout:?} is not more than nothing and at most {MOST:?}"));
    }
    reasons.extend(undeclared(spec, manifest));
    if !reasons.is_empty() {
        return Err(reasons);
    }
    Ok(Drafted { policy: policy(located, manifest, &instance, set, timeout), conditions, instance })
}

fn instance(located: &InForce, policy: &str) -> Instance {
    Instance {
        id: located.name.clone(),
        policy: policy.to_owned(),
        settings: Value::Object(located.spec.settings.clone()),
        granted: located.spec.facts.iter().copied().collect(),
    }
}

fn policy(
    located: &InForce,
    manifest: &Manifest,
    instance: &Instance,
    set: &PolicySetSpec,
    timeout: Duration,
) -> Policy {
    let spec = &located.spec;
    Policy {
        id: located.name.clone(),
        of_namespace: located.namespace.clone(),
        mode: spec.mode,
        mutate: spec.mutate.unwrap_or(spec.mode != Mode::Audit),
        rollout: spec.rollout.iter().map(|stage| in_stage(stage, spec.mutate)).collect(),
        failure_policy: spec.failure_policy.unwrap_or(set.failure_policy),
        timeout,
        matching: spec.matching.clone(),
        wants: manifest.resources.iter().map(wanted).collect(),
        can: Abilities {
            validate: manifest.can.validate,
            mutate: manifest.can.mutate,
            rewrite_images: manifest.can.rewrite_images,
        },
        facts: BTreeSet::clone(&instance.granted),
    }
}

fn in_stage(stage: &api::Stage, mutate: Option<bool>) -> Stage {
    Stage {
        selector: stage.namespace_selector.clone(),
        mode: stage.mode,
        mutate: stage.mutate.or(mutate).unwrap_or(stage.mode != Mode::Audit),
    }
}

fn bad_selectors(spec: &ClusterPolicySpec) -> Vec<String> {
    let namespace = ("namespaceSelector", &spec.matching.namespace_selector);
    let object = ("objectSelector", &spec.matching.object_selector);
    let fault = |(field, selector): (&str, &Option<portreeve_admission::api::LabelSelector>)| {
        let error = selector.as_ref()?.check().err()?;
        Some(format!("spec.match.{field}: {error}"))
    };
    let of_stage = |(index, stage): (usize, &api::Stage)| {
        let error = stage.namespace_selector.check().err()?;
        Some(format!("spec.rollout[{index}].namespaceSelector: {error}"))
    };
    let stages = spec.rollout.iter().enumerate().filter_map(of_stage);
    [namespace, object].into_iter().filter_map(fault).chain(stages).collect()
}

/// Rules that nothing can meet.
fn bad_rules(matching: &Match) -> Vec<String> {
    let mut reasons = Vec::new();
    for (index, Resources { api_groups, api_versions, resources }) in matching.resources.iter().enumerate() {
        for (field, names) in [("apiGroups", api_groups), ("apiVersions", api_versions), ("resources", resources)] {
            let at = format!("spec.match.resources[{index}].{field}");
            if names.is_empty() {
                reasons.push(format!("{at}: it names none; write \"*\" for all"));
            }
            // As everything that has a name in Kubernetes, and a plural: `Deployment` is a kind.
            let bad = |name: &&String| name.contains(|letter: char| letter.is_uppercase() || letter.is_whitespace());
            reasons
                .extend(names.iter().find(bad).map(|name| format!("{at}: {name:?} is no name of one, as in \"pods\"")));
        }
    }
    if matching.operations.contains(&Operation::Delete) {
        reasons.push("spec.match.operations: DELETE is never held up, and no policy sees it".to_owned());
    }
    reasons
}

/// The policy of the module that the source names.
fn carried<'a>(source: &ModuleSource, manifests: &'a [Manifest]) -> Result<&'a Manifest, String> {
    let names = || manifests.iter().map(|manifest| manifest.name.as_str()).collect::<Vec<_>>().join(", ");
    let wanted = match source {
        ModuleSource::Builtin { builtin } => Some(builtin),
        ModuleSource::File { policy, .. } | ModuleSource::Oci { policy, .. } => policy.as_ref(),
    };
    match (wanted, manifests) {
        (Some(wanted), _) => manifests
            .iter()
            .find(|manifest| &manifest.name == wanted)
            .ok_or_else(|| format!("spec.module: there is no policy {wanted:?}; there are {}", names())),
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("spec.module: say which policy of the module: {}", names())),
    }
}

/// Facts that are granted without being asked for, which is a mistake as a rule.
fn undeclared(spec: &ClusterPolicySpec, manifest: &Manifest) -> Vec<String> {
    let asked = |kind| manifest.facts.iter().any(|need| need.kind == kind);
    let stray = spec.facts.iter().filter(|kind| !asked(**kind));
    stray.map(|kind| format!("spec.facts: {:?} does not ask for {:?}", manifest.name, kind.name())).collect()
}

fn wanted(rule: &portreeve_engine::ResourceRule) -> ResourceRule {
    ResourceRule {
        groups: rule.groups.clone(),
        versions: rule.versions.clone(),
        resources: rule.resources.clone(),
        operations: rule.operations.iter().map(ToString::to_string).collect(),
    }
}
