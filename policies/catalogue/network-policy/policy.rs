//! A namespace that takes workloads denies by default what nobody allowed: asked when a workload is made there. Nothing
//! is edited: a NetworkPolicy is an object of its own, and the answer says which to apply.
//!
//! How a NetworkPolicy is read is told in `written`.

mod written;

use portreeve_sdk::fact::NetworkPolicies;
use portreeve_sdk::glob::Glob;
use portreeve_sdk::view::{Operation, Pod};
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use crate::owner;
use written::{Direction, Lets, Written};

/// Settings of network-policy.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// The ways of traffic that are judged. With Egress, pods need a NetworkPolicy that lets them ask the DNS.
    directions: Vec<Direction>,
    /// What has to be there for each of them.
    require: Vec<Required>,
    /// What the NetworkPolicy that denies by default may let through itself.
    default_lets: DefaultLets,
    /// Namespaces that are not judged, by name; `*` stands for any characters.
    exempt_namespaces: Vec<Glob>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            directions: vec![Direction::Ingress],
            require: vec![Required::DefaultDeny],
            default_lets: DefaultLets::Nothing,
            exempt_namespaces: Vec::new(),
        }
    }
}

/// What has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "camelCase")]
enum Required {
    /// A NetworkPolicy for every pod of the namespace that denies what no other allows, and none that allows everything
    /// to all of them.
    DefaultDeny,
    /// A NetworkPolicy that selects the pod, whatever it lets through.
    Selected,
}

/// What the NetworkPolicy that denies by default may let through itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "camelCase")]
enum DefaultLets {
    /// Nothing: what is allowed stands in others.
    Nothing,
    /// What its rules name, such as the DNS or the namespace's own pods. All else is denied as well.
    Some,
}

/// The policy.
pub(crate) struct NetworkPolicy {
    settings: Settings,
}

impl Policy for NetworkPolicy {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Network denied by default",
            description: "A namespace that takes workloads has a NetworkPolicy that denies what no other allows, so that \
                          a pod reaches, and is reached by, only whom somebody named.",
            can: Can::VALIDATE,
            schema: include_str!("schema.json"),
            facts: &[FactNeed {
                kind: "network-policies",
                why: "whether the namespace denies by default stands in its NetworkPolicies",
                required: true,
            }],
            controls: &["CC6.1", "CC6.6"],
            ..Manifest::new("network-policy", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        if settings.directions.is_empty() {
            return Err(SettingsError::new("/directions", "names no way of traffic: give Ingress, Egress or both"));
        }
        if settings.require.is_empty() {
            return Err(SettingsError::new("/require", "asks for nothing: give defaultDeny, selected or both"));
        }
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let (Some(pod), Some(namespace)) = (case.pod(), case.request().namespace()) else { return Ok(verdict) };
        if !self.is_judged(case, namespace) {
            return Ok(verdict);
        }
        let NetworkPolicies(objects) = case.fact("")?;
        let policies: Vec<Written<'_>> = objects.iter().filter_map(Written::read).collect();
        for required in &self.settings.require {
            match required {
                Required::DefaultDeny => {
                    self.judge_default(&policies, namespace, &mut verdict);
                    self.judge_openings(&policies, &mut verdict);
                }
                Required::Selected => self.judge_selection(&policies, pod, &mut verdict),
            }
        }
        Ok(verdict)
    }
}

impl NetworkPolicy {
    /// What a controller of Kubernetes' own makes was judged as its author made it: its pods come and go as the cluster
    /// heals itself.
    fn is_judged(&self, case: &Case<'_>, namespace: &str) -> bool {
        case.request().operation() == Operation::Create
            && !Glob::any(&self.settings.exempt_namespaces, namespace)
            && owner::controller_kind(case).is_none()
    }

    fn judge_default(&self, policies: &[Written<'_>], namespace: &str, verdict: &mut Verdict) {
        let denies = |policy: &Written<'_>, direction| match policy.lets(direction) {
            Some(Lets::Nothing) => policy.is_for_all(),
            Some(Lets::Some) => policy.is_for_all() && self.settings.default_lets == DefaultLets::Some,
            Some(Lets::Everything) | None => false,
        };
        let missing = self.without(|direction| policies.iter().any(|policy| denies(policy, direction)));
        if missing.is_empty() {
            return;
        }
        // All ways, not those that are missing alone: an object of that name may be there for the others.
        let all = names(&self.settings.directions, ", ");
        verdict
            .violation("default-deny")
            .says(format!(
                "the namespace {namespace:?} has no NetworkPolicy that denies all {} by default",
                names(&missing, " and ")
            ))
            .mend(format!(
                "apply {{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: default-deny, \
                 namespace: {namespace}}}, spec: {{podSelector: {{}}, policyTypes: [{all}]}}}} and allow what is needed"
            ));
    }

    /// What denies by default does nothing beside what allows everything: NetworkPolicies add up.
    fn judge_openings(&self, policies: &[Written<'_>], verdict: &mut Verdict) {
        for policy in policies.iter().filter(|policy| policy.is_for_all()) {
            let opened = self.without(|direction| policy.lets(direction) != Some(Lets::Everything));
            if !opened.is_empty() {
                verdict
                    .violation("allow-all")
                    .says(format!(
                        "the NetworkPolicy {:?} allows all {} of every pod, so that nothing is denied by default",
                        policy.name(),
                        names(&opened, " and ")
                    ))
                    .mend("remove the rule that names nobody and no port, or give it a podSelector");
            }
        }
    }

    fn judge_selection(&self, policies: &[Written<'_>], pod: &Pod, verdict: &mut Verdict) {
        // On the node's own network no NetworkPolicy reaches a pod.
        if pod.is_on_host_network() {
            return;
        }
        let selects = |policy: &Written<'_>, direction| policy.is_for(pod) && policy.lets(direction).is_some();
        let missing = self.without(|direction| policies.iter().any(|policy| selects(policy, direction)));
        if !missing.is_empty() {
            verdict
                .violation("selected")
                .at("/metadata/labels")
                .says(format!("no NetworkPolicy selects the pod for {}", names(&missing, " and ")))
                .mend(format!(
                    "apply a NetworkPolicy with policyTypes [{}] whose podSelector takes the pod's labels",
                    names(&missing, ", ")
                ));
        }
    }

    /// The judged ways of which something does not hold.
    fn without(&self, holds: impl Fn(Direction) -> bool) -> Vec<Direction> {
        self.settings.directions.iter().copied().filter(|direction| !holds(*direction)).collect()
    }
}

fn names(directions: &[Direction], between: &str) -> String {
    directions.iter().map(|direction| direction.name()).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use portreeve_sdk::export::Registration;

    use super::*;

    #[test]
    fn settings_that_ask_for_nothing_are_refused() {
        for (settings, at) in [(r#"{"directions": []}"#, "/directions"), (r#"{"require": []}"#, "/require")] {
            assert_eq!(Registration::of::<NetworkPolicy>().configure(settings).err().unwrap().at, at);
        }
    }
}
