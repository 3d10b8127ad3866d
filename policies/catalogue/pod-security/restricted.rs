//! The checks of the restricted level. Each answers what is wrong with a template by the rules of a minor version.

use portreeve_sdk::view::Container;

use super::baseline::{added_capabilities, forbidden_seccomp, holds, is_confined, on_pod, secured, unmasked_proc};
use super::standard::Template;
use super::words::{Fault, Found, Holder, both, fault, plural, quoted, sorted, who};

/// Kinds of volumes that can't reach the node or a network of their own accord. A volume without a source is an
/// `emptyDir`: the API server makes it one before anybody looks.
const VOLUMES: &[&str] = &[
    "",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// From 1.25 on, what Windows knows nothing of is not asked of pods that say they run there.
fn is_exempt_as_windows(template: &Template<'_>, minor: u32) -> bool {
    minor >= 25 && template.pod.is_windows()
}

/// From 1.35 on, root inside a user namespace of the pod's own is not root.
fn is_exempt_by_own_users(template: &Template<'_>, minor: u32) -> bool {
    minor >= 35 && template.pod.has_own_users()
}

pub(super) fn privilege_escalation(template: &Template<'_>, minor: u32) -> Option<Fault> {
    if is_exempt_as_windows(template, minor) {
        return None;
    }
    let forbids = |container: &Container| {
        container.security.as_ref().is_some_and(|security| security.allow_privilege_escalation == Some(false))
    };
    let found = lacking(template, "/securityContext/allowPrivilegeEscalation", forbids);
    let detail =
        |found: &[Found<'_, ()>]| [&who(found), " must set securityContext.allowPrivilegeEscalation=false"].concat();
    let remedy = "set securityContext.allowPrivilegeEscalation to false";
    fault("allowPrivilegeEscalation != false", &found, detail, remedy)
}

pub(super) fn capabilities(template: &Template<'_>, minor: u32) -> Option<Fault> {
    if is_exempt_as_windows(template, minor) {
        return None;
    }
    const REASON: &str = "unrestricted capabilities";
    let drops_all = |container: &Container| container.dropped_capabilities().iter().any(|name| name == "ALL");
    let kept = lacking(template, "/securityContext/capabilities/drop", drops_all);
    let detail =
        |found: &[Found<'_, ()>]| [&who(found), " must set securityContext.capabilities.drop=[\"ALL\"]"].concat();
    both(
        fault(REASON, &kept, detail, "set securityContext.capabilities.drop to [\"ALL\"]"),
        added_capabilities(REASON, template, &["NET_BIND_SERVICE"], "add no capability but NET_BIND_SERVICE"),
    )
}

pub(super) fn proc_mount(template: &Template<'_>, _: u32) -> Option<Fault> {
    unmasked_proc(template)
}

pub(super) fn volumes(template: &Template<'_>, _: u32) -> Option<Fault> {
    let found: Vec<_> = template
        .volumes
        .iter()
        .filter(|volume| !VOLUMES.contains(&volume.source.as_str()))
        .map(|volume| Found {
            holder: Holder::Volume(&volume.name),
            pointer: volume.pointer.clone(),
            value: volume.source.as_str(),
        })
        .collect();
    let detail = |found: &[Found<'_, &str>]| {
        let types = sorted(found.iter().map(|one| one.value));
        let uses = plural(found.len(), " uses ", " use ");
        let word = plural(types.len(), "restricted volume type ", "restricted volume types ");
        [&who(found), uses, word, &quoted(&types)].concat()
    };
    let remedy = "use a persistentVolumeClaim, a configMap, a secret, an emptyDir or another of the allowed types";
    fault("restricted volume types", &found, detail, remedy)
}

pub(super) fn run_as_non_root(template: &Template<'_>, minor: u32) -> Option<Fault> {
    if is_exempt_by_own_users(template, minor) {
        return None;
    }
    const REASON: &str = "runAsNonRoot != true";
    const FIELD: &str = "/securityContext/runAsNonRoot";
    let pod = template.pod.security.as_ref().and_then(|security| security.run_as_non_root);
    let own = |container: &Container| container.security.as_ref().and_then(|security| security.run_as_non_root);
    let mut explicit: Vec<_> = (pod == Some(false)).then(|| on_pod(FIELD, ())).into_iter().collect();
    let refusing = template.containers.iter().filter(|container| own(container) == Some(false));
    explicit.extend(refusing.map(|container| holds(container, FIELD, ())));
    let forbidden =
        |found: &[Found<'_, ()>]| [&who(found), " must not set securityContext.runAsNonRoot=false"].concat();
    let missing =
        |found: &[Found<'_, ()>]| ["pod or ", &who(found), " must set securityContext.runAsNonRoot=true"].concat();
    let remedy = "set securityContext.runAsNonRoot to true, and run the image as a user that is not root";
    fault(REASON, &explicit, forbidden, remedy).or_else(|| {
        let implicit = lacking(template, FIELD, |container| own(container).is_some() || pod == Some(true));
        fault(REASON, &implicit, missing, remedy)
    })
}

pub(super) fn run_as_user(template: &Template<'_>, minor: u32) -> Option<Fault> {
    if is_exempt_by_own_users(template, minor) {
        return None;
    }
    const FIELD: &str = "/securityContext/runAsUser";
    let pod = template.pod.security.as_ref().is_some_and(|security| security.run_as_user == Some(0));
    let mut found: Vec<_> = pod.then(|| on_pod(FIELD, ())).into_iter().collect();
    let roots = secured(template).filter(|(_, security)| security.run_as_user == Some(0));
    found.extend(roots.map(|(container, _)| holds(container, FIELD, ())));
    let detail = |found: &[Found<'_, ()>]| [&who(found), " must not set runAsUser=0"].concat();
    fault("runAsUser=0", &found, detail, "set runAsUser to the number of a user that is not root, or leave it out")
}

pub(super) fn seccomp(template: &Template<'_>, minor: u32) -> Option<Fault> {
    if is_exempt_as_windows(template, minor) {
        return None;
    }
    let pod = template.pod.security.as_ref().and_then(|security| security.seccomp.as_ref());
    let pod_is_confined = pod.is_some_and(is_confined);
    let has_profile = |container: &Container| {
        pod_is_confined || container.security.as_ref().is_some_and(|security| security.seccomp.is_some())
    };
    let detail = |found: &[Found<'_, ()>]| {
        let must = " must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"";
        ["pod or ", &who(found), must].concat()
    };
    let remedy = "set securityContext.seccompProfile.type to RuntimeDefault on the pod";
    forbidden_seccomp(template).or_else(|| {
        let found = lacking(template, "/securityContext/seccompProfile/type", has_profile);
        fault("seccompProfile", &found, detail, remedy)
    })
}

/// The containers that don't have what is asked for at that field.
fn lacking<'a>(template: &Template<'a>, field: &str, has: impl Fn(&Container) -> bool) -> Vec<Found<'a, ()>> {
    template
        .containers
        .iter()
        .filter(|container| !has(container))
        .map(|container| holds(container, field, ()))
        .collect()
}
