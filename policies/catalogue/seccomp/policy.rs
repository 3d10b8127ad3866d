//! Every container runs under a seccomp profile: the runtime's own, or one of the node's that is allowed.

use portreeve_sdk::glob::Glob;
use portreeve_sdk::view::{Container, ContainerKind, Profile};
use portreeve_sdk::{Can, Case, Finding, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;
use serde_json::json;

const RULE_UNSET: &str = "unset";
const POD: &str = "/spec/securityContext/seccompProfile";
const CONTAINER: &str = "/securityContext/seccompProfile";
const REMEDY: &str = "set securityContext.seccompProfile.type to RuntimeDefault";

/// Settings of seccomp.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Profiles of type `Localhost` that may be used, as `localhostProfile` names them; `*` stands for any
    /// characters. All, unless given.
    localhost_profiles: Vec<Glob>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { localhost_profiles: vec!["*".into()] }
    }
}

/// The policy.
pub(crate) struct Seccomp {
    settings: Settings,
}

impl Policy for Seccomp {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Seccomp profile",
            description: "Every container runs under a seccomp profile, which keeps it from system calls that \
                          programs do not need and break-outs do. The runtime's own profile is set where none is.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.6", "CC6.8"],
            ..Manifest::new("seccomp", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        // Windows has no seccomp: the API server refuses the field there.
        let Some(pod) = case.pod().filter(|pod| !pod.is_windows()) else { return Ok(verdict) };
        let profile = pod.security.as_ref().and_then(|security| security.seccomp.as_ref());
        if let Some((rule, fault)) = profile.and_then(|profile| self.fault(profile)) {
            verdict.violation(rule).at(POD).says(format!("the pod {fault}")).mend(REMEDY);
        }
        let (mut debugging, mut pod) = (Vec::new(), None);
        for container in case.containers() {
            if self.judge(container, profile.is_some(), &mut verdict) {
                match container.kind {
                    // It comes to a pod whose own fields are fixed.
                    ContainerKind::Ephemeral => debugging.push(container.field(CONTAINER)),
                    ContainerKind::Regular | ContainerKind::Init | ContainerKind::Sidecar => pod = Some(POD.to_owned()),
                }
            }
        }
        for at in debugging.into_iter().chain(pod) {
            verdict.set_default(RULE_UNSET, at, json!({"type": "RuntimeDefault"}));
        }
        Ok(verdict)
    }
}

impl Seccomp {
    /// Whether the container has no profile, neither its own nor the pod's.
    fn judge(&self, container: &Container, pod_has_one: bool, verdict: &mut Verdict) -> bool {
        let about = |finding: Finding<'_>, fault: &str| {
            let says = format!("container {:?} {fault}", container.name);
            finding.container(container).at(container.field(CONTAINER)).says(says).mend(REMEDY);
        };
        match container.security.as_ref().and_then(|security| security.seccomp.as_ref()) {
            Some(profile) => {
                if let Some((rule, fault)) = self.fault(profile) {
                    about(verdict.violation(rule), &fault);
                }
                false
            }
            None if pod_has_one => false,
            None => {
                about(verdict.violation(RULE_UNSET), "has no seccomp profile, and the pod has none for it");
                true
            }
        }
    }

    /// The rule that a profile breaks, and how.
    fn fault(&self, profile: &Profile) -> Option<(&'static str, String)> {
        let name = profile.localhost_profile.as_deref().unwrap_or_default();
        match profile.type_.as_str() {
            "RuntimeDefault" => None,
            "Localhost" if Glob::any(&self.settings.localhost_profiles, name) => None,
            "Localhost" => {
                Some(("localhost", format!("uses the node's seccomp profile {name:?}, which is not allowed")))
            }
            "Unconfined" => Some(("unconfined", "switches seccomp off (seccompProfile.type: Unconfined)".into())),
            other => Some(("unconfined", format!("has the unknown seccompProfile.type {other:?}"))),
        }
    }
}
