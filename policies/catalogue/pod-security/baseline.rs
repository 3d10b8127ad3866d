//! The checks of the baseline level. Each answers what is wrong with a template by the rules of a minor version.

use portreeve_sdk::pointer;
use portreeve_sdk::view::{Container, ContainerSecurity, ProbeKind, Profile, SeLinux};

use super::standard::Template;
use super::words::{Fault, Found, Holder, containers, fault, plural, quoted, sorted, who};

const APP_ARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_ANNOTATION: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// Capabilities that container runtimes give by default.
pub(super) const DEFAULT_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Sysctls that reach no further than the pod, with the minor version that allowed each.
const SAFE_SYSCTLS: &[(u32, &str)] = &[
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
    (37, "net.ipv4.tcp_slow_start_after_idle"),
    (37, "net.ipv4.tcp_notsent_lowat"),
];

/// SELinux types for containers, with the minor version that allowed each.
const SE_LINUX_TYPES: &[(u32, &str)] =
    &[(0, ""), (0, "container_t"), (0, "container_init_t"), (0, "container_kvm_t"), (31, "container_engine_t")];

fn allows(list: &[(u32, &str)], name: &str, minor: u32) -> bool {
    list.iter().any(|&(from, allowed)| from <= minor && allowed == name)
}

/// A field of the pod or of a container's security context, as found.
pub(super) fn holds<'a, V>(container: &'a Container, below: &str, value: V) -> Found<'a, V> {
    Found { holder: Holder::Container(&container.name), pointer: container.field(below), value }
}

/// The security contexts that are written, with their containers.
pub(super) fn secured<'a>(template: &Template<'a>) -> impl Iterator<Item = (&'a Container, &'a ContainerSecurity)> {
    template.containers.iter().copied().filter_map(|container| Some((container, container.security.as_ref()?)))
}

pub(super) fn app_armor(template: &Template<'_>, _: u32) -> Option<Fault> {
    const FIELD: &str = "/securityContext/appArmorProfile/type";
    let bad = |profile: Option<&Profile>| {
        profile.filter(|profile| !is_confined(profile)).map(|profile| profile.type_.clone())
    };
    let pod = bad(template.pod.security.as_ref().and_then(|security| security.app_armor.as_ref()));
    let mut found: Vec<_> = pod.map(|value| on_pod(FIELD, value)).into_iter().collect();
    found.extend(secured(template).filter_map(|(container, security)| {
        bad(security.app_armor.as_ref()).map(|value| holds(container, FIELD, value))
    }));
    let allowed = |value: &str| value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
    let mut annotations: Vec<_> = template.pod.annotations.iter().filter(|entry| !allowed(&entry.value)).collect();
    annotations.sort_by_key(|entry| &entry.name);
    found.extend(annotations.into_iter().filter_map(|entry| {
        let container = entry.name.strip_prefix(APP_ARMOR_ANNOTATION)?;
        Some(annotated(container, &entry.name, &entry.value))
    }));
    let reason = plural(app_armor_values(&found).len(), "forbidden AppArmor profile", "forbidden AppArmor profiles");
    let detail = |found: &[Found<'_, String>]| {
        [&who(found), " must not set AppArmor profile type to ", &quoted(&app_armor_values(found))].concat()
    };
    fault(reason, &found, detail, "set the AppArmor profile to RuntimeDefault or Localhost, or leave it out")
}

/// Types first, then annotations, as the built-in controller tells them.
fn app_armor_values<'f>(found: &'f [Found<'_, String>]) -> Vec<&'f str> {
    let of = |annotations: bool| {
        let wanted = move |one: &&Found<'_, String>| matches!(one.holder, Holder::Annotation(_)) == annotations;
        sorted(found.iter().filter(wanted).map(|one| one.value.as_str()))
    };
    [of(false), of(true)].concat()
}

pub(super) fn capabilities(template: &Template<'_>, _: u32) -> Option<Fault> {
    added_capabilities("non-default capabilities", template, DEFAULT_CAPABILITIES, "remove them from capabilities.add")
}

/// Containers that add a capability outside of `allowed`.
pub(super) fn added_capabilities(
    reason: &str,
    template: &Template<'_>,
    allowed: &[&str],
    remedy: &str,
) -> Option<Fault> {
    let added = |container: &Container| -> Vec<String> {
        let added = container.added_capabilities().iter();
        added.filter(|name| !allowed.contains(&name.as_str())).cloned().collect()
    };
    let found: Vec<_> = template
        .containers
        .iter()
        .map(|container| holds(container, "/securityContext/capabilities/add", added(container)))
        .filter(|one| !one.value.is_empty())
        .collect();
    let detail = |found: &[Found<'_, Vec<String>>]| {
        let names = sorted(found.iter().flat_map(|one| &one.value).map(String::as_str));
        [&who(found), " must not include ", &quoted(&names), " in securityContext.capabilities.add"].concat()
    };
    fault(reason, &found, detail, remedy)
}

pub(super) fn host_namespaces(template: &Template<'_>, _: u32) -> Option<Fault> {
    let pod = template.pod;
    let found: Vec<_> = [("hostNetwork", pod.host_network), ("hostPID", pod.host_pid), ("hostIPC", pod.host_ipc)]
        .into_iter()
        .filter(|(_, shared)| *shared == Some(true))
        .map(|(field, _)| on_pod(&["/", field].concat(), field))
        .collect();
    let detail = |found: &[Found<'_, &str>]| {
        found.iter().map(|one| [one.value, "=true"].concat()).collect::<Vec<_>>().join(", ")
    };
    fault("host namespaces", &found, detail, "leave the node's namespaces alone: remove the field")
}

pub(super) fn host_path_volumes(template: &Template<'_>, _: u32) -> Option<Fault> {
    let host_paths = template.volumes.iter().filter(|volume| volume.source == "hostPath");
    let found: Vec<_> = host_paths
        .map(|volume| Found {
            holder: Holder::Volume(&volume.name),
            pointer: pointer::join(&volume.pointer, "/hostPath"),
            value: (),
        })
        .collect();
    fault("hostPath volumes", &found, who, "use a volume that is not a path of the node")
}

pub(super) fn host_ports(template: &Template<'_>, _: u32) -> Option<Fault> {
    let found: Vec<_> = template
        .containers
        .iter()
        .flat_map(|container| container.ports.iter().enumerate().map(move |(index, port)| (container, index, port)))
        .filter_map(|(container, index, port)| {
            let host_port = port.host_port.filter(|&port| port != 0)?;
            Some(holds(container, &format!("/ports/{index}/hostPort"), host_port.to_string()))
        })
        .collect();
    let detail = |found: &[Found<'_, String>]| {
        let uses = plural(containers(found).len(), " uses ", " use ");
        let ports = sorted(found.iter().map(|one| one.value.as_str()));
        [&who(found), uses, plural(ports.len(), "hostPort ", "hostPorts "), &ports.join(", ")].concat()
    };
    fault("hostPort", &found, detail, "remove the hostPort and let a Service lead to the pod")
}

pub(super) fn host_probes(template: &Template<'_>, _: u32) -> Option<Fault> {
    let mut found = Vec::new();
    for &container in &template.containers {
        let probes = container.probes.iter().filter_map(|probe| Some((probe_field(probe.kind), probe.host.as_ref()?)));
        let hooks = container.lifecycle_hosts.iter().map(|host| ("/lifecycle", host));
        let named = probes.chain(hooks).filter(|(_, host)| !host.is_empty());
        found.extend(named.map(|(field, host)| holds(container, field, host.as_str())));
    }
    found.sort_by_key(|one| if let Holder::Container(name) = one.holder { name } else { "" });
    let detail = |found: &[Found<'_, &str>]| {
        let uses = plural(containers(found).len(), " uses ", " use ");
        let hosts = sorted(found.iter().map(|one| one.value));
        let word = plural(hosts.len(), "probe or lifecycle host ", "probe or lifecycle hosts ");
        [&who(found), uses, word, &quoted(&hosts)].concat()
    };
    fault("probe or lifecycle host", &found, detail, "remove the host, so that the pod itself is asked")
}

fn probe_field(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Liveness => "/livenessProbe",
        ProbeKind::Readiness => "/readinessProbe",
        ProbeKind::Startup => "/startupProbe",
    }
}

pub(super) fn privileged(template: &Template<'_>, _: u32) -> Option<Fault> {
    let privileged = template.containers.iter().filter(|container| container.is_privileged());
    let found: Vec<_> = privileged.map(|container| holds(container, "/securityContext/privileged", ())).collect();
    let detail = |found: &[Found<'_, ()>]| [&who(found), " must not set securityContext.privileged=true"].concat();
    fault("privileged", &found, detail, "remove securityContext.privileged")
}

pub(super) fn proc_mount(template: &Template<'_>, minor: u32) -> Option<Fault> {
    if minor >= 35 && template.pod.has_own_users() { None } else { unmasked_proc(template) }
}

/// Containers whose `/proc` is not masked as usual.
pub(super) fn unmasked_proc(template: &Template<'_>) -> Option<Fault> {
    let unmasked = secured(template).filter_map(|(container, security)| {
        let written = security.proc_mount.as_deref().filter(|&written| written != "Default")?;
        Some(holds(container, "/securityContext/procMount", written))
    });
    let detail = |found: &[Found<'_, &str>]| {
        let values = sorted(found.iter().map(|one| one.value));
        [&who(found), " must not set securityContext.procMount to ", &quoted(&values)].concat()
    };
    fault("procMount", &unmasked.collect::<Vec<_>>(), detail, "remove securityContext.procMount")
}

/// What SELinux options set that they may not.
struct SeLinuxFault<'a> {
    type_: Option<&'a str>,
    user: bool,
    role: bool,
}

impl<'a> SeLinuxFault<'a> {
    fn of(options: &'a SeLinux, minor: u32) -> Option<Self> {
        let is_set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let type_ = options.type_.as_deref().filter(|name| !allows(SE_LINUX_TYPES, name, minor));
        let fault = Self { type_, user: is_set(&options.user), role: is_set(&options.role) };
        (fault.type_.is_some() || fault.user || fault.role).then_some(fault)
    }
}

pub(super) fn se_linux(template: &Template<'_>, minor: u32) -> Option<Fault> {
    const FIELD: &str = "/securityContext/seLinuxOptions";
    let pod = template.pod.security.as_ref().and_then(|security| security.se_linux.as_ref());
    let pod = pod.and_then(|options| SeLinuxFault::of(options, minor));
    let mut found: Vec<_> = pod.map(|value| on_pod(FIELD, value)).into_iter().collect();
    found.extend(secured(template).filter_map(|(container, security)| {
        let fault = SeLinuxFault::of(security.se_linux.as_ref()?, minor)?;
        Some(holds(container, FIELD, fault))
    }));
    let detail = |found: &[Found<'_, SeLinuxFault<'_>>]| {
        let types = sorted(found.iter().filter_map(|one| one.value.type_));
        let mut faults = Vec::new();
        if !types.is_empty() {
            faults.push([plural(types.len(), "type ", "types "), &quoted(&types)].concat());
        }
        if found.iter().any(|one| one.value.user) {
            faults.push("user may not be set".into());
        }
        if found.iter().any(|one| one.value.role) {
            faults.push("role may not be set".into());
        }
        [&who(found), " set forbidden securityContext.seLinuxOptions: ", &faults.join("; ")].concat()
    };
    fault("seLinuxOptions", &found, detail, "remove user and role, and leave the type to the runtime")
}

pub(super) fn seccomp(template: &Template<'_>, minor: u32) -> Option<Fault> {
    if minor < 19 { annotated_seccomp(template) } else { forbidden_seccomp(template) }
}

/// Before the fields came, profiles stood in annotations.
fn annotated_seccomp(template: &Template<'_>) -> Option<Fault> {
    let allowed =
        |value: &str| matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let speaks_of_us = |name: &str| {
        let container = name.strip_prefix(SECCOMP_ANNOTATION);
        container.is_some_and(|name| template.containers.iter().any(|container| container.name == name))
    };
    let mut found: Vec<_> = template
        .pod
        .annotations
        .iter()
        .filter(|entry| entry.name == SECCOMP_POD_ANNOTATION || speaks_of_us(&entry.name))
        .filter(|entry| !allowed(&entry.value))
        .map(|entry| match entry.name.strip_prefix(SECCOMP_ANNOTATION) {
            Some(container) => annotated(container, &entry.name, &entry.value),
            None => Found { holder: Holder::Pod, ..annotated("", &entry.name, &entry.value) },
        })
        .collect();
    found.sort_by(|one, other| one.value.cmp(&other.value));
    let detail = |found: &[Found<'_, String>]| {
        let values: Vec<_> = found.iter().map(|one| one.value.as_str()).collect();
        ["forbidden ", plural(found.len(), "annotation ", "annotations "), &values.join(", ")].concat()
    };
    fault("seccompProfile", &found, detail, "set the profile to runtime/default")
}

/// Profiles that are written and confine nothing.
pub(super) fn forbidden_seccomp(template: &Template<'_>) -> Option<Fault> {
    const FIELD: &str = "/securityContext/seccompProfile/type";
    let pod = template.pod.security.as_ref().and_then(|security| security.seccomp.as_ref());
    let pod = pod.filter(|profile| !is_confined(profile)).map(|profile| on_pod(FIELD, profile.type_.as_str()));
    let mut found: Vec<_> = pod.into_iter().collect();
    found.extend(secured(template).filter_map(|(container, security)| {
        let profile = security.seccomp.as_ref().filter(|profile| !is_confined(profile))?;
        Some(holds(container, FIELD, profile.type_.as_str()))
    }));
    let detail = |found: &[Found<'_, &str>]| {
        let values = sorted(found.iter().map(|one| one.value));
        [&who(found), " must not set securityContext.seccompProfile.type to ", &quoted(&values)].concat()
    };
    fault("seccompProfile", &found, detail, "set the type to RuntimeDefault or Localhost")
}

/// Whether a seccomp or AppArmor profile is one that confines.
pub(super) fn is_confined(profile: &Profile) -> bool {
    matches!(profile.type_.as_str(), "RuntimeDefault" | "Localhost")
}

pub(super) fn sysctls(template: &Template<'_>, minor: u32) -> Option<Fault> {
    let written = template.pod.security.as_ref().map_or(&[][..], |security| &security.sysctls);
    let found: Vec<_> = written
        .iter()
        .enumerate()
        .filter(|(_, sysctl)| !allows(SAFE_SYSCTLS, &sysctl.name, minor))
        .map(|(index, sysctl)| on_pod(&format!("/securityContext/sysctls/{index}/name"), sysctl.name.as_str()))
        .collect();
    let detail = |found: &[Found<'_, &str>]| found.iter().map(|one| one.value).collect::<Vec<_>>().join(", ");
    fault("forbidden sysctls", &found, detail, "remove the sysctl")
}

pub(super) fn windows_host_process(template: &Template<'_>, _: u32) -> Option<Fault> {
    const FIELD: &str = "/securityContext/windowsOptions/hostProcess";
    let pod = template.pod.security.as_ref().is_some_and(|security| security.host_process == Some(true));
    let mut found: Vec<_> = pod.then(|| on_pod(FIELD, ())).into_iter().collect();
    let containers = secured(template).filter(|(_, security)| security.host_process == Some(true));
    found.extend(containers.map(|(container, _)| holds(container, FIELD, ())));
    let detail = |found: &[Found<'_, ()>]| {
        [&who(found), " must not set securityContext.windowsOptions.hostProcess=true"].concat()
    };
    fault("hostProcess", &found, detail, "remove windowsOptions.hostProcess")
}

/// A field below the pod's `spec`.
pub(super) fn on_pod<V>(below: &str, value: V) -> Found<'static, V> {
    Found { holder: Holder::Pod, pointer: pointer::join("/spec", below), value }
}

fn annotated<'a>(container: &'a str, name: &str, value: &str) -> Found<'a, String> {
    Found {
        holder: Holder::Annotation(container),
        pointer: pointer::child("/metadata/annotations", name),
        value: [name, "=\"", value, "\""].concat(),
    }
}
