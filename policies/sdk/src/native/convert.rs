//! The host's types to the contract's and back: the same shapes under other names.

use portreeve_admission::{case, template, verdict};

use crate::verdict::Verdict;
use crate::view::{
    Capabilities, Change, Container, ContainerKind, ContainerSecurity, Entry, Mount, Operation, Pod, PodSecurity, Port,
    Probe, ProbeHandler, ProbeKind, Profile, Program, Root, SeLinux, Sysctl, Toleration, Variable, Volume,
};

/// An edit that the contract does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// Its pointer is none.
    Pointer(String),
    /// Its value is not JSON.
    Value(String),
}

impl std::fmt::Display for EditError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pointer(reason) => f.write_str(reason),
            Self::Value(reason) => write!(f, "an edit's value is not JSON: {reason}"),
        }
    }
}

impl std::error::Error for EditError {}

/// The edits of a verdict as the host takes them.
///
/// # Errors
/// Names the first that breaks the contract.
pub fn edits(verdict: &Verdict) -> Result<Vec<verdict::Edit>, EditError> {
    let one = |edit: &crate::view::Edit| {
        Ok(verdict::Edit {
            rule: edit.rule.clone(),
            root: taken_root(edit.root),
            pointer: edit.pointer.parse().map_err(|error| EditError::Pointer(format!("{error}")))?,
            change: change(&edit.change)?,
        })
    };
    verdict.edits().iter().map(one).collect()
}

/// The root of a pointer as the host takes it.
pub(super) fn taken_root(root: Root) -> verdict::Root {
    match root {
        Root::Template => verdict::Root::Template,
        Root::Object => verdict::Root::Object,
    }
}

fn change(change: &Change) -> Result<verdict::Change, EditError> {
    let json = |text: &str| serde_json::from_str(text).map_err(|error| EditError::Value(error.to_string()));
    Ok(match change {
        Change::Set(value) => verdict::Change::Set(json(value)?),
        Change::Default(value) => verdict::Change::Default(json(value)?),
        Change::AppendUnique(appended) => {
            verdict::Change::AppendUnique { value: json(&appended.value)?, keys: appended.keys.clone() }
        }
        Change::Remove => verdict::Change::Remove,
    })
}

pub(super) fn operation(operation: case::Operation) -> Operation {
    match operation {
        case::Operation::Create => Operation::Create,
        case::Operation::Update => Operation::Update,
        case::Operation::Delete => Operation::Delete,
        case::Operation::Connect => Operation::Connect,
    }
}

pub(super) fn pod(pod: &template::Pod) -> Pod {
    Pod {
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

fn pod_security(security: &template::PodSecurity) -> PodSecurity {
    let sysctl = |sysctl: &template::Sysctl| Sysctl { name: sysctl.name.clone(), value: sysctl.value.clone() };
    PodSecurity {
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

pub(super) fn container(container: &template::Container) -> Container {
    Container {
        kind: match container.kind {
            template::ContainerKind::Regular => ContainerKind::Regular,
            template::ContainerKind::Init => ContainerKind::Init,
            template::ContainerKind::Sidecar => ContainerKind::Sidecar,
            template::ContainerKind::Ephemeral => ContainerKind::Ephemeral,
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

fn container_security(security: &template::ContainerSecurity) -> ContainerSecurity {
    let capabilities = |capabilities: &template::Capabilities| Capabilities {
        add: capabilities.add.clone(),
        drop: capabilities.drop.clone(),
    };
    ContainerSecurity {
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

fn port(port: &template::Port) -> Port {
    Port {
        name: port.name.clone(),
        container_port: port.container_port,
        host_port: port.host_port,
        protocol: port.protocol.clone(),
    }
}

fn mount(mount: &template::Mount) -> Mount {
    Mount {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        sub_path: mount.sub_path.clone(),
        read_only: mount.read_only,
    }
}

fn probe(probe: &template::Probe) -> Probe {
    Probe {
        kind: match probe.kind {
            template::ProbeKind::Liveness => ProbeKind::Liveness,
            template::ProbeKind::Readiness => ProbeKind::Readiness,
            template::ProbeKind::Startup => ProbeKind::Startup,
        },
        handler: probe.handler.map(|handler| match handler {
            template::ProbeHandler::HttpGet => ProbeHandler::HttpGet,
            template::ProbeHandler::TcpSocket => ProbeHandler::TcpSocket,
            template::ProbeHandler::Grpc => ProbeHandler::Grpc,
            template::ProbeHandler::Exec => ProbeHandler::Exec,
        }),
        host: probe.host.clone(),
    }
}

pub(super) fn program(container: &template::Container) -> Program {
    let template::Program { command, args, env } = container.program.clone();
    let variable = |template::Variable { name, value }| Variable { name, value };
    Program { command, args, env: env.into_iter().map(variable).collect() }
}

pub(super) fn volume(volume: &template::Volume) -> Volume {
    Volume {
        name: volume.name.clone(),
        pointer: volume.pointer.clone(),
        source: volume.source.clone(),
        target: volume.target.clone(),
    }
}

pub(super) fn toleration(toleration: &template::Toleration) -> Toleration {
    Toleration {
        key: toleration.key.clone(),
        operator: toleration.operator.clone(),
        value: toleration.value.clone(),
        effect: toleration.effect.clone(),
    }
}

fn profile(profile: &template::Profile) -> Profile {
    Profile { type_: profile.kind.clone(), localhost_profile: profile.localhost_profile.clone() }
}

fn se_linux(options: &template::SeLinux) -> SeLinux {
    SeLinux {
        user: options.user.clone(),
        role: options.role.clone(),
        type_: options.kind.clone(),
        level: options.level.clone(),
    }
}

fn entries(entries: &[template::Entry]) -> Vec<Entry> {
    entries.iter().map(|(name, value)| Entry { name: name.clone(), value: value.clone() }).collect()
}
