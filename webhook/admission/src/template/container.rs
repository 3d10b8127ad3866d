//! Views of containers, of every kind.

use serde::Deserialize;

use super::pod::WindowsOptions;
use super::read::{RawResources, names};
use super::{Entry, Profile, SeLinux, null_as_empty};
use crate::shape::{Given, only_objects};

only_objects!(
    Variable,
    Capabilities,
    Port,
    Mount,
    RawContainer,
    RawDevice,
    RawLifecycle,
    RawHandler,
    Hosted,
    RawSecurity
);

/// A container of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    /// Which list it stands in.
    pub kind: ContainerKind,
    /// `name`.
    pub name: String,
    /// `image`, empty if none was given.
    pub image: String,
    /// Where it stands in the template, such as `/spec/initContainers/0`.
    pub pointer: String,
    /// `securityContext`.
    pub security: Option<ContainerSecurity>,
    /// `ports`.
    pub ports: Vec<Port>,
    /// `volumeMounts`.
    pub mounts: Vec<Mount>,
    /// `devicePath` of `volumeDevices`.
    pub device_paths: Vec<String>,
    /// `resources.requests`.
    pub requests: Vec<Entry>,
    /// `resources.limits`.
    pub limits: Vec<Entry>,
    /// Names of `resources.claims`.
    pub claims: Vec<String>,
    /// Probes that are there.
    pub probes: Vec<Probe>,
    /// Hosts of postStart and preStop handlers, where given.
    pub lifecycle_hosts: Vec<String>,
    /// `command`, `args` and `env`.
    pub program: Program,
}

/// What a container runs and is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// `command`.
    pub command: Vec<String>,
    /// `args`.
    pub args: Vec<String>,
    /// `env`, in the order written.
    pub env: Vec<Variable>,
}

/// One of `env`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct Variable {
    /// `name`.
    #[serde(default)]
    pub name: String,
    /// `value`; none if it comes from elsewhere or was not given.
    pub value: Option<String>,
}

/// Which kind of container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerKind {
    /// In `containers`.
    Regular,
    /// In `initContainers`.
    Init,
    /// In `initContainers`, with `restartPolicy: Always`.
    Sidecar,
    /// In `ephemeralContainers`.
    Ephemeral,
}

/// `securityContext` of a container.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContainerSecurity {
    /// `privileged`.
    pub privileged: Option<bool>,
    /// `allowPrivilegeEscalation`.
    pub allow_privilege_escalation: Option<bool>,
    /// `readOnlyRootFilesystem`.
    pub read_only_root_filesystem: Option<bool>,
    /// `runAsNonRoot`.
    pub run_as_non_root: Option<bool>,
    /// `runAsUser`, a UID.
    pub run_as_user: Option<i64>,
    /// `runAsGroup`, a GID.
    pub run_as_group: Option<i64>,
    /// `capabilities`.
    pub capabilities: Option<Capabilities>,
    /// `seccompProfile`.
    pub seccomp: Option<Profile>,
    /// `appArmorProfile`.
    pub app_armor: Option<Profile>,
    /// `seLinuxOptions`.
    pub se_linux: Option<SeLinux>,
    /// `procMount`.
    pub proc_mount: Option<String>,
    /// `windowsOptions.hostProcess`.
    pub host_process: Option<bool>,
}

/// `capabilities`, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(remote = "Self")]
pub struct Capabilities {
    /// `add`.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub add: Vec<String>,
    /// `drop`.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub drop: Vec<String>,
}

/// One of `ports`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Port {
    /// `name`.
    pub name: Option<String>,
    /// `containerPort`, 1 to 65535 in a valid object.
    #[serde(default)]
    pub container_port: i64,
    /// `hostPort`.
    pub host_port: Option<i64>,
    /// `protocol`; none means TCP.
    pub protocol: Option<String>,
}

/// One of `volumeMounts`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct Mount {
    /// `name` of the volume.
    #[serde(default)]
    pub name: String,
    /// `mountPath`.
    #[serde(default)]
    pub mount_path: String,
    /// `subPath`.
    pub sub_path: Option<String>,
    /// `readOnly`.
    pub read_only: Option<bool>,
}

/// A probe that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Which of the three.
    pub kind: ProbeKind,
    /// How it asks; none if it says nothing of that.
    pub handler: Option<ProbeHandler>,
    /// `host` of its httpGet or tcpSocket handler.
    pub host: Option<String>,
}

/// Which probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    /// `livenessProbe`.
    Liveness,
    /// `readinessProbe`.
    Readiness,
    /// `startupProbe`.
    Startup,
}

/// How a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeHandler {
    /// `httpGet`.
    HttpGet,
    /// `tcpSocket`.
    TcpSocket,
    /// `grpc`.
    Grpc,
    /// `exec`.
    Exec,
}

#[derive(Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub(super) struct RawContainer {
    #[serde(default, deserialize_with = "null_as_empty")]
    name: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    image: String,
    restart_policy: Option<String>,
    security_context: Option<RawSecurity>,
    #[serde(default, deserialize_with = "null_as_empty")]
    ports: Vec<Port>,
    #[serde(default, deserialize_with = "null_as_empty")]
    volume_mounts: Vec<Mount>,
    #[serde(default, deserialize_with = "null_as_empty")]
    volume_devices: Vec<RawDevice>,
    #[serde(default, deserialize_with = "null_as_empty")]
    resources: RawResources,
    liveness_probe: Option<RawHandler>,
    readiness_probe: Option<RawHandler>,
    startup_probe: Option<RawHandler>,
    #[serde(default, deserialize_with = "null_as_empty")]
    lifecycle: RawLifecycle,
    #[serde(default, deserialize_with = "null_as_empty")]
    command: Vec<String>,
    #[serde(default, deserialize_with = "null_as_empty")]
    args: Vec<String>,
    #[serde(default, deserialize_with = "null_as_empty")]
    env: Vec<Variable>,
}

#[derive(Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct RawDevice {
    #[serde(default, deserialize_with = "null_as_empty")]
    device_path: String,
}

#[derive(Deserialize, Default)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct RawLifecycle {
    post_start: Option<RawHandler>,
    pre_stop: Option<RawHandler>,
}

/// A probe or a lifecycle hook: only how it asks, and where.
#[derive(Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct RawHandler {
    http_get: Option<Hosted>,
    tcp_socket: Option<Hosted>,
    grpc: Option<Given>,
    exec: Option<Given>,
}

#[derive(Deserialize)]
#[serde(remote = "Self")]
struct Hosted {
    host: Option<String>,
}

#[derive(Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct RawSecurity {
    privileged: Option<bool>,
    allow_privilege_escalation: Option<bool>,
    read_only_root_filesystem: Option<bool>,
    run_as_non_root: Option<bool>,
    run_as_user: Option<i64>,
    run_as_group: Option<i64>,
    capabilities: Option<Capabilities>,
    seccomp_profile: Option<Profile>,
    app_armor_profile: Option<Profile>,
    se_linux_options: Option<SeLinux>,
    proc_mount: Option<String>,
    windows_options: Option<WindowsOptions>,
}

impl RawContainer {
    /// The view of a container that stands at `pointer` in a list of this kind.
    pub(super) fn at(self, list: ContainerKind, pointer: String) -> Container {
        let always = self.restart_policy.as_deref() == Some("Always");
        let hooks = [self.lifecycle.post_start, self.lifecycle.pre_stop];
        let probes = [
            (ProbeKind::Liveness, self.liveness_probe),
            (ProbeKind::Readiness, self.readiness_probe),
            (ProbeKind::Startup, self.startup_probe),
        ];
        Container {
            kind: if always && list == ContainerKind::Init { ContainerKind::Sidecar } else { list },
            name: self.name,
            image: self.image,
            pointer,
            security: self.security_context.map(Into::into),
            ports: self.ports,
            mounts: self.volume_mounts,
            device_paths: self.volume_devices.into_iter().map(|device| device.device_path).collect(),
            requests: self.resources.requests.0,
            limits: self.resources.limits.0,
            claims: names(self.resources.claims),
            probes: probes
                .into_iter()
                .filter_map(|(kind, probe)| {
                    probe.map(|probe| Probe { kind, handler: probe.kind(), host: probe.host() })
                })
                .collect(),
            lifecycle_hosts: hooks.into_iter().flatten().filter_map(RawHandler::host).collect(),
            program: Program { command: self.command, args: self.args, env: self.env },
        }
    }
}

impl RawHandler {
    fn kind(&self) -> Option<ProbeHandler> {
        let http = self.http_get.as_ref().map(|_| ProbeHandler::HttpGet);
        http.or_else(|| self.tcp_socket.as_ref().map(|_| ProbeHandler::TcpSocket))
            .or_else(|| self.grpc.as_ref().map(|_| ProbeHandler::Grpc))
            .or_else(|| self.exec.as_ref().map(|_| ProbeHandler::Exec))
    }

    fn host(self) -> Option<String> {
        self.http_get.or(self.tcp_socket).and_then(|handler| handler.host)
    }
}

impl From<RawSecurity> for ContainerSecurity {
    fn from(raw: RawSecurity) -> Self {
        Self {
            privileged: raw.privileged,
            allow_privilege_escalation: raw.allow_privilege_escalation,
            read_only_root_filesystem: raw.read_only_root_filesystem,
            run_as_non_root: raw.run_as_non_root,
            run_as_user: raw.run_as_user,
            run_as_group: raw.run_as_group,
            capabilities: raw.capabilities,
            seccomp: raw.seccomp_profile,
            app_armor: raw.app_armor_profile,
            se_linux: raw.se_linux_options,
            proc_mount: raw.proc_mount,
            host_process: raw.windows_options.and_then(|windows| windows.host_process),
        }
    }
}
