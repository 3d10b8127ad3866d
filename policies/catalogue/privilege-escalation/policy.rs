//! No process gains more rights than its parent: `allowPrivilegeEscalation: false` on every container, and no
//! container that is `privileged` or, on Windows, a process of the host. What capabilities a container has is for
//! drop-capabilities.

use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::{Container, Pod};
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use crate::capability::canonical;

const ESCALATION: &str = "escalation";
const FLAG: &str = "/securityContext/allowPrivilegeEscalation";

/// Settings of privilege-escalation.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Images that may run privileged or escalate, such as those of a storage driver. Nothing is set on them.
    exempt_images: Vec<ImagePattern>,
}

/// The policy.
pub(crate) struct PrivilegeEscalation {
    settings: Settings,
}

impl Policy for PrivilegeEscalation {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "No privilege escalation",
            description: "A process can gain no more rights than its parent has: allowPrivilegeEscalation is false \
                          on every container, and no container is privileged.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.3", "CC6.8"],
            ..Manifest::new("privilege-escalation", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(pod) = case.pod() else { return Ok(verdict) };
        for container in case.containers() {
            if !ImagePattern::any(&self.settings.exempt_images, &container.image) {
                judge(pod, container, &mut verdict);
            }
        }
        Ok(verdict)
    }
}

fn judge(pod: &Pod, container: &Container, verdict: &mut Verdict) {
    if container.is_privileged() {
        return privileged(container, verdict);
    }
    if is_of_host(pod, container) {
        return of_host(container, verdict);
    }
    // Windows has no such flag: the API server refuses it there.
    let flag = container.security.as_ref().and_then(|security| security.allow_privilege_escalation);
    if pod.is_windows() || flag == Some(false) {
        return;
    }
    if let Some(capability) = container.added_capabilities().iter().find(|name| has_sys_admin(name)) {
        return escalates_by(capability, container, verdict);
    }
    if flag.is_none() {
        verdict.set_default(ESCALATION, container.field(FLAG), false);
    }
    let says =
        if flag.is_none() { "does not set allowPrivilegeEscalation" } else { "sets allowPrivilegeEscalation: true" };
    verdict
        .violation(ESCALATION)
        .container(container)
        .at(container.field(FLAG))
        .says(format!("container {:?} {says}, so that its processes may gain rights", container.name))
        .mend("set securityContext.allowPrivilegeEscalation to false");
}

fn privileged(container: &Container, verdict: &mut Verdict) {
    verdict
        .violation("privileged")
        .container(container)
        .at(container.field("/securityContext/privileged"))
        .says(format!("container {:?} is privileged, which hands it the node", container.name))
        .mend("remove privileged: true and give it only the capability, device or volume that it needs");
}

/// What the container says of itself comes before what the pod says.
fn is_of_host(pod: &Pod, container: &Container) -> bool {
    let own = container.security.as_ref().and_then(|security| security.host_process);
    own.or_else(|| pod.security.as_ref()?.host_process) == Some(true)
}

fn of_host(container: &Container, verdict: &mut Verdict) {
    verdict
        .violation("privileged")
        .container(container)
        .at(container.field("/securityContext/windowsOptions/hostProcess"))
        .says(format!("container {:?} is a process of its host (hostProcess), which hands it the node", container.name))
        .mend("remove windowsOptions.hostProcess: true");
}

/// The API server refuses the flag beside `CAP_SYS_ADMIN`, and beside the others it would say what does not hold: it is
/// not set here.
fn escalates_by(capability: &str, container: &Container, verdict: &mut Verdict) {
    verdict
        .violation(ESCALATION)
        .container(container)
        .at(container.field("/securityContext/capabilities/add"))
        .says(format!("container {:?} adds {capability}, with which it can gain any right", container.name))
        .mend(format!(
            "remove {capability} from capabilities.add and set securityContext.allowPrivilegeEscalation to false"
        ));
}

/// Runtimes give all capabilities for ALL, this one among them.
fn has_sys_admin(capability: &str) -> bool {
    matches!(canonical(capability).as_str(), "SYS_ADMIN" | "ALL")
}
