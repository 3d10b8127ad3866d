//! The checks of the baseline level, all of them of what is written.

use std::rc::Rc;

use super::{Eased, at_baseline, is_baseline, of_container, of_pod};
use crate::backstop::cel::{any, field, field_or, list};
use crate::backstop::rule::Rule;
use crate::backstop::select::{added, adds_only};
use crate::backstop::subject::Side;

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

/// The minor version from which probes and hooks may name no host.
const HOSTS_OF_PROBES: u32 = 34;
/// The minor version from which a pod with users of its own may unmask `/proc`, and be root.
pub(super) const OWN_USERS: u32 = 35;

/// The checks by the rules of a minor version. What stands in the place of one at the restricted level is there.
pub(super) fn rules(minor: u32, eased: &Eased) -> Vec<Rule> {
    let mut rules = of_node();
    rules.extend(of_profiles());
    rules.extend(of_containers(minor, eased));
    rules.extend(of_se_linux(minor));
    rules.push(sysctls(minor));
    rules
}

fn of_node() -> Vec<Rule> {
    const HOST_PROCESS: &str = "securityContext.windowsOptions.hostProcess";
    const FLAGS: [&str; 3] = ["hostNetwork", "hostPID", "hostIPC"];
    let shared = |side: Side| any(FLAGS.map(|flag| field_or(&side.spec(), flag, "false")));
    let shares = format!(
        "'the pod shares namespaces of the node: ' + {}.filter(f, {}[?f].orValue(false)).map(f, f + ': true').join(', ')",
        list(FLAGS),
        Side::New.spec()
    );
    let paths = |side: Side| format!("{}.exists(v, has(v.hostPath))", side.volumes());
    let of_host = |holder: &str| field_or(holder, HOST_PROCESS, "false");
    vec![
        of_pod("host-namespaces", at_baseline, shared, "", "leave the node's namespaces alone: remove the field")
            .saying(shares),
        of_pod(
            "host-path-volumes",
            is_baseline,
            paths,
            "volumes are paths of the node (hostPath)",
            "use a volume that is not a path of the node",
        ),
        of_pod(
            "windows-host-process",
            at_baseline,
            move |side| of_host(&side.spec()),
            "the pod is of processes of its host (hostProcess)",
            "remove windowsOptions.hostProcess",
        ),
        of_container(
            "windows-host-process",
            at_baseline,
            move |side| of_host(side.container()),
            "is a process of its host (hostProcess)",
            "remove windowsOptions.hostProcess",
        ),
    ]
}

fn of_profiles() -> Vec<Rule> {
    const APP_ARMOR: &str = "securityContext.appArmorProfile";
    const ARMOR_REMEDY: &str = "set the AppArmor profile to RuntimeDefault or Localhost, or leave it out";
    let annotated = |side: Side| {
        let annotations = side.annotations();
        format!(
            "{annotations}.exists(k, k.startsWith('container.apparmor.security.beta.kubernetes.io/') && \
             !({annotations}[k] in ['', 'runtime/default']) && !{annotations}[k].startsWith('localhost/'))"
        )
    };
    let armor_of_pod = move |side: Side| any([is_unconfined(&side.spec(), APP_ARMOR), annotated(side)]);
    let armor = |side: Side| is_unconfined(side.container(), APP_ARMOR);
    let mut rules = vec![
        of_pod("app-armor-profile", at_baseline, armor_of_pod, "the pod switches AppArmor off", ARMOR_REMEDY),
        of_container("app-armor-profile", at_baseline, armor, "switches AppArmor off", ARMOR_REMEDY),
    ];
    rules.extend(seccomp("seccomp-profile-baseline", is_baseline, |_| "true".to_owned()));
    rules
}

/// Profiles that are written and confine nothing.
pub(super) fn seccomp(id: &'static str, level: fn(Side) -> String, asked: fn(Side) -> String) -> [Rule; 2] {
    const PROFILE: &str = "securityContext.seccompProfile";
    const REMEDY: &str = "set the type to RuntimeDefault or Localhost";
    let of_its_pod = move |side: Side| format!("({} && {})", asked(side), is_unconfined(&side.spec(), PROFILE));
    let own = move |side: Side| format!("({} && {})", asked(side), is_unconfined(side.container(), PROFILE));
    [
        of_pod(id, level, of_its_pod, "the pod switches seccomp off (seccompProfile.type: Unconfined)", REMEDY),
        of_container(id, level, own, "switches seccomp off (seccompProfile.type: Unconfined)", REMEDY),
    ]
}

fn is_unconfined(holder: &str, profile: &str) -> String {
    let kind = format!("{}.?type", field(holder, profile));
    format!("!({kind}.orValue('RuntimeDefault') in ['RuntimeDefault', 'Localhost'])")
}

fn of_containers(minor: u32, eased: &Eased) -> Vec<Rule> {
    let eased = Rc::clone(eased);
    let adds = move |side| format!("(!{} && !{})", adds_only(side, DEFAULT_CAPABILITIES), eased(side));
    let bound = |side: Side| format!("{}.?ports.orValue([]).filter(p, p.?hostPort.orValue(0) != 0)", side.container());
    let ports = move |side: Side| format!("{}.size() > 0", bound(side));
    let numbers =
        format!("'binds ports of the node: hostPort ' + {}.map(p, string(p.hostPort)).join(', ')", bound(Side::New));
    let unmasked = move |side: Side| {
        let exempt = if minor >= OWN_USERS { side.has_own_users() } else { "false".to_owned() };
        format!("({} && !({exempt}))", is_unmasked(side))
    };
    let privileged = |side: Side| field_or(side.container(), "securityContext.privileged", "false");
    let mut rules = vec![
        of_container("capabilities-baseline", is_baseline, adds, "", "remove them from capabilities.add")
            .saying(format!("'adds capabilities beyond the usual ones: ' + {}.join(', ')", added(Side::New))),
        of_container("host-ports", at_baseline, ports, "", "remove the hostPort and let a Service lead to the pod")
            .saying(numbers),
        of_container("privileged", at_baseline, privileged, "is privileged", "remove securityContext.privileged"),
        of_container(
            "proc-mount",
            at_baseline,
            unmasked,
            "unmasks /proc (procMount)",
            "remove securityContext.procMount",
        ),
    ];
    rules.extend((minor >= HOSTS_OF_PROBES).then(hosts));
    rules
}

/// Whether a container's `/proc` is not masked as usual.
pub(super) fn is_unmasked(side: Side) -> String {
    format!("{} != 'Default'", field_or(side.container(), "securityContext.procMount", "'Default'"))
}

fn hosts() -> Rule {
    let named = |side: Side| {
        let asked = ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"]
            .map(|at| field_or(side.container(), at, "{}"))
            .join(", ");
        format!("[{asked}].exists(p, p.?httpGet.?host.orValue('') != '' || p.?tcpSocket.?host.orValue('') != '')")
    };
    of_container(
        "host-probes-and-host-lifecycle",
        at_baseline,
        named,
        "names a host in a probe or hook",
        "remove the host, so that the pod itself is asked",
    )
}

fn of_se_linux(minor: u32) -> [Rule; 2] {
    const SAYS: &str = "sets a user, a role or a forbidden type of SELinux (seLinuxOptions)";
    const REMEDY: &str = "remove user and role, and leave the type to the runtime";
    let allowed = list(SE_LINUX_TYPES.iter().filter(|(from, _)| *from <= minor).map(|(_, name)| *name));
    let forbidden = move |holder: &str| {
        let option = |name: &str| field_or(holder, &format!("securityContext.seLinuxOptions.{name}"), "''");
        format!("(!({} in {allowed}) || {} != '' || {} != '')", option("type"), option("user"), option("role"))
    };
    let of_its_pod = forbidden.clone();
    [
        of_pod(
            "se-linux-options",
            at_baseline,
            move |side| of_its_pod(&side.spec()),
            &format!("the pod {SAYS}"),
            REMEDY,
        ),
        of_container("se-linux-options", at_baseline, move |side| forbidden(side.container()), SAYS, REMEDY),
    ]
}

fn sysctls(minor: u32) -> Rule {
    let safe = list(SAFE_SYSCTLS.iter().filter(|(from, _)| *from <= minor).map(|(_, name)| *name));
    let unsafe_ones = move |side: Side| {
        format!("{}.filter(s, !(s.name in {safe}))", field_or(&side.spec(), "securityContext.sysctls", "[]"))
    };
    let named = unsafe_ones(Side::New);
    let fault = move |side: Side| format!("{}.size() > 0", unsafe_ones(side));
    of_pod("sysctls", at_baseline, fault, "", "remove the sysctl")
        .saying(format!("'the pod sets sysctls that are not safe: ' + {named}.map(s, s.name).join(', ')"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backstop::tests::quoted;

    fn names(list: &[(u32, &'static str)]) -> Vec<&'static str> {
        list.iter().map(|(_, name)| *name).collect()
    }

    #[test]
    fn what_is_safe_is_safe_by_the_catalogue() {
        let catalogue = include_str!("../../../../../../policies/catalogue/pod-security/baseline.rs");
        let of_catalogue = |name: &str| quoted(catalogue, name, "];");
        assert_eq!(of_catalogue("DEFAULT_CAPABILITIES: "), DEFAULT_CAPABILITIES);
        assert_eq!(of_catalogue("const SAFE_SYSCTLS"), names(SAFE_SYSCTLS));
        assert_eq!(of_catalogue("const SE_LINUX_TYPES"), names(SE_LINUX_TYPES));
    }
}
