//! What a case holds, in the contract's types. Every view is written out field by field, so that a field that is
//! added on one side and forgotten on the other does not compile.

use portreeve_admission::case;
use portreeve_admission::template as own;

use crate::bindings::portreeve::policy::{request, subject};

pub(super) fn operation(operation: case::Operation) -> request::OperationType {
    match operation {
        case::Operation::Create => request::OperationType::Create,
        case::Operation::Update => request::OperationType::Update,
        case::Operation::Delete => request::OperationType::Delete,
        case::Operation::Connect => request::OperationType::Connect,
    }
}

pub(super) fn kind(kind: &case::GroupVersionKind) -> request::GroupVersionKind {
    let case::GroupVersionKind { group, version, kind } = kind.clone();
    request::GroupVersionKind { group, version, kind }
}

pub(super) fn resource(resource: &case::GroupVersionResource) -> request::GroupVersionResource {
    let case::GroupVersionResource { group, version, resource } = resource.clone();
    request::GroupVersionResource { group, version, resource }
}

pub(super) fn pod(pod: &own::Pod) -> subject::PodView {
    subject::PodView {
        labels: entries(&pod.labels),
        annotations: entries(&pod.annotations),
        security: pod.security.as_ref().map(pod_security),
        host_network: pod.host_network,
        host_pid: pod.host_pid,
        host_ipc: pod.host_ipc,
        host_users: pod.host_users,
        os: pod.os.clone(),
        service_account: pod.service_account.clone(),
        automount_token: pod.automount_token,
        runtime_class: pod.runtime_class.clone(),
        priority_class: pod.priority_class.clone(),
        restart_policy: pod.restart_policy.clone(),
        node_selector: entries(&pod.node_selector),
        image_pull_secrets: pod.image_pull_secrets.clone(),
        resource_claims: pod.resource_claims.clone(),
        requests: entries(&pod.requests),
        limits: entries(&pod.limits),
    }
}

pub(super) fn container(container: &own::Container) -> subject::Container {
    subject::Container {
        kind: match container.kind {
            own::ContainerKind::Regular => subject::ContainerKind::Regular,
            own::ContainerKind::Init => subject::ContainerKind::Init,
            own::ContainerKind::Sidecar => subject::ContainerKind::Sidecar,
            own::ContainerKind::Ephemeral => subject::ContainerKind::Ephemeral,
        },
        name: container.name.clone(),
        image: container.image.clone(),
        pointer: container.pointer.clone(),
        security: container.security.as_ref().map(container_security),
        ports: container.ports.iter().map(port).collect(),
        mounts: container.mounts.iter().map(mount).collect(),
        device_paths: container.device_paths.clone(),
        requests: entries(&container.requests),
        limits: entries(&container.limits),
        claims: container.claims.clone(),
        probes: container.probes.iter().map(probe).collect(),
        lifecycle_hosts: container.lifecycle_hosts.clone(),
    }
}

pub(super) fn program(container: &own::Container) -> subject::Program {
    let own::Program { command, args, env } = container.program.clone();
    let variable = |own::Variable { name, value }| subject::Variable { name, value };
    subject::Program { command, args, env: env.into_iter().map(variable).collect() }
}

pub(super) fn volume(volume: &own::Volume) -> subject::Volume {
    let own::Volume { name, pointer, source, target } = volume.clone();
    subject::Volume { name, pointer, source, target }
}

pub(super) fn toleration(toleration: &own::Toleration) -> subject::Toleration {
    let own::Toleration { key, operator, value, effect } = toleration.clone();
    subject::Toleration { key, operator, value, effect }
}

fn pod_security(security: &own::PodSecurity) -> subject::PodSecurity {
    subject::PodSecurity {
        run_as_non_root: security.run_as_non_root,
        run_as_user: security.run_as_user,
        run_as_group: security.run_as_group,
        fs_group: security.fs_group,
        fs_group_change_policy: security.fs_group_change_policy.clone(),
        seccomp: security.seccomp.as_ref().map(profile),
        app_armor: security.app_armor.as_ref().map(profile),
        se_linux: security.se_linux.as_ref().map(se_linux),
        sysctls: security.sysctls.iter().map(sysctl).collect(),
        host_process: security.host_process,
    }
}

fn container_security(security: &own::ContainerSecurity) -> subject::ContainerSecurity {
    subject::ContainerSecurity {
        privileged: security.privileged,
        allow_privilege_escalation: security.allow_privilege_escalation,
        read_only_root_filesystem: security.read_only_root_filesystem,
        run_as_non_root: security.run_as_non_root,
        run_as_user: security.run_as_user,
        run_as_group: security.run_as_group,
        capabilities: security.capabilities.as_ref().map(capabilities),
        seccomp: security.seccomp.as_ref().map(profile),
        app_armor: security.app_armor.as_ref().map(profile),
        se_linux: security.se_linux.as_ref().map(se_linux),
        proc_mount: security.proc_mount.clone(),
        host_process: security.host_process,
    }
}

fn capabilities(capabilities: &own::Capabilities) -> subject::Capabilities {
    let own::Capabilities { add, drop } = capabilities.clone();
    subject::Capabilities { add, drop }
}

fn profile(profile: &own::Profile) -> subject::Profile {
    let own::Profile { kind, localhost_profile } = profile.clone();
    subject::Profile { type_: kind, localhost_profile }
}

fn se_linux(options: &own::SeLinux) -> subject::SeLinux {
    let own::SeLinux { user, role, kind, level } = options.clone();
    subject::SeLinux { user, role, type_: kind, level }
}

fn sysctl(sysctl: &own::Sysctl) -> subject::Sysctl {
    let own::Sysctl { name, value } = sysctl.clone();
    subject::Sysctl { name, value }
}

fn port(port: &own::Port) -> subject::Port {
    let own::Port { name, container_port, host_port, protocol } = port.clone();
    subject::Port { name, container_port, host_port, protocol }
}

fn mount(mount: &own::Mount) -> subject::Mount {
    let own::Mount { name, mount_path, sub_path, read_only } = mount.clone();
    subject::Mount { name, mount_path, sub_path, read_only }
}

fn probe(probe: &own::Probe) -> subject::Probe {
    subject::Probe {
        kind: match probe.kind {
            own::ProbeKind::Liveness => subject::ProbeKind::Liveness,
            own::ProbeKind::Readiness => subject::ProbeKind::Readiness,
            own::ProbeKind::Startup => subject::ProbeKind::Startup,
        },
        handler: probe.handler.map(|handler| match handler {
            own::ProbeHandler::HttpGet => subject::ProbeHandler::HttpGet,
            own::ProbeHandler::TcpSocket => subject::ProbeHandler::TcpSocket,
            own::ProbeHandler::Grpc => subject::ProbeHandler::Grpc,
            own::ProbeHandler::Exec => subject::ProbeHandler::Exec,
        }),
        host: probe.host.clone(),
    }
}

fn entries(entries: &[own::Entry]) -> Vec<subject::Entry> {
    entries.iter().map(|(name, value)| subject::Entry { name: name.clone(), value: value.clone() }).collect()
}
