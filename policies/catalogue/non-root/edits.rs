//! What is set so that containers run as non-root, and only what they still start with.

use portreeve_sdk::fact::ImageConfig;
use portreeve_sdk::view::{Container, ContainerKind, Pod};
use portreeve_sdk::{Case, Verdict};
use serde_json::json;

use super::before::Before;
use super::user::{Runs, User, Users, for_a_group};
use super::{FLAG, Governed, IMAGE_USER, LOW_PORT, LowPorts, NON_ROOT, NonRoot, Stance, USER};
use crate::storage::Storage;

const FIRST_PORT_FOR_ALL: i64 = 1024;
const PORT_SYSCTL: &str = "net.ipv4.ip_unprivileged_port_start";
/// The same in the spelling with slashes, which the kubelet takes for it. Source: `NormalizeName` in Kubernetes'
/// `component-helpers/node/util/sysctl`.
const PORT_SYSCTL_BY_SLASHES: &str = "net/ipv4/ip_unprivileged_port_start";
const POD: &str = "/spec/securityContext";

/// Sets flags, users, groups and the sysctl.
pub(super) fn make(
    policy: &NonRoot,
    case: &Case<'_>,
    storage: &Storage<'_>,
    pod: &Pod,
    governed: &[Governed<'_>],
    verdict: &mut Verdict,
) {
    let before = Before::of(case);
    let made_non_root = flags(governed, verdict);
    let mut given = Vec::new();
    for Governed { container, runs, .. } in governed {
        if let Runs::As(user) = runs {
            set_user(pod, container, user, verdict);
            given.push(*container);
        }
    }
    if pod.security.as_ref().is_none_or(|security| security.fs_group.is_none()) {
        group_of_volumes(&before, storage, governed, verdict);
    }
    let had_it = before.had_sysctl(PORT_SYSCTL, "0");
    let held_to_it = governed.iter().filter(|governed| had_it && governed.runs.starts());
    let mut opened = made_non_root.into_iter().chain(given).chain(held_to_it.map(|governed| governed.container));
    let sets_it = policy.low_ports == LowPorts::Sysctl && !pod.is_on_host_network() && !has_it_by_slashes(pod);
    if sets_it && opened.any(|container| listens_low(case, &policy.users, container)) {
        let sysctl = json!({"name": PORT_SYSCTL, "value": "0"});
        verdict.append_unique(LOW_PORT, [POD, "/sysctls"].concat(), sysctl, &["name"]);
    }
}

/// Whether the pod has the sysctl already, under a name that no edit would find.
fn has_it_by_slashes(pod: &Pod) -> bool {
    pod.security.iter().flat_map(|security| &security.sysctls).any(|sysctl| sysctl.name == PORT_SYSCTL_BY_SLASHES)
}

/// Sets the flag on the pod; if one of the containers says otherwise or would not start, on each of the others. A
/// debugging container comes to a pod whose own fields are fixed. Answers the containers that it is set for.
fn flags<'a>(governed: &[Governed<'a>], verdict: &mut Verdict) -> Vec<&'a Container> {
    let pod_wide = governed.iter().all(|governed| governed.runs.starts());
    let on_pod = |container: &Container| pod_wide && container.kind != ContainerKind::Ephemeral;
    let silent = governed.iter().filter(|governed| governed.stance == Stance::Silent && governed.runs.starts());
    let made: Vec<&Container> = silent.map(|governed| governed.container).collect();
    if made.iter().any(|container| on_pod(container)) {
        verdict.set_default(NON_ROOT, ["/spec", FLAG].concat(), true);
    }
    for container in made.iter().filter(|container| !on_pod(container)) {
        verdict.set_default(NON_ROOT, container.field(FLAG), true);
    }
    made
}

fn set_user(pod: &Pod, container: &Container, user: &User, verdict: &mut Verdict) {
    verdict.set_default(IMAGE_USER, container.field(USER), user.uid);
    let group_of_pod = pod.security.as_ref().and_then(|security| security.run_as_group);
    if let (Some(gid), None) = (user.gid, group_of_pod) {
        verdict.set_default(IMAGE_USER, container.field("/securityContext/runAsGroup"), gid);
    }
}

/// Once for a pod, whose volumes have one group: that of the first user whom it is given for.
fn group_of_volumes(before: &Before<'_>, storage: &Storage<'_>, governed: &[Governed<'_>], verdict: &mut Verdict) {
    let user = governed.iter().find_map(|Governed { container, runs, .. }| {
        let mut mounts = for_a_group(storage, container).peekable();
        mounts.peek()?;
        match runs {
            Runs::As(user) => Some(user),
            Runs::AsBefore(user) => before.has_room_for_group(user, container, mounts).then_some(user),
            _ => None,
        }
    });
    let Some(user) = user else { return };
    verdict.set_default(IMAGE_USER, [POD, "/fsGroup"].concat(), user.fs_group);
    verdict.set_default(IMAGE_USER, [POD, "/fsGroupChangePolicy"].concat(), "OnRootMismatch");
}

/// Whether it listens on a port that only root may open: one that it declares, or if it declares none, its image, or
/// what is known of the image.
pub(super) fn listens_low(case: &Case<'_>, users: &Users, container: &Container) -> bool {
    let low = |port: i64| (1..FIRST_PORT_FOR_ALL).contains(&port);
    if !container.ports.is_empty() {
        return container.ports.iter().any(|port| low(port.container_port));
    }
    let number = |port: &String| port.split('/').next()?.parse().ok();
    match case.fact::<ImageConfig>(&container.image) {
        Ok(config) => config.exposed_ports.iter().filter_map(number).any(low),
        Err(_) => users.known_ports(container).iter().copied().any(low),
    }
}
