//! Pods of a fact as the checks see them: their JSON, read into the views that the host makes of the request's own pod.
//! Only what a check looks at is read.

use portreeve_sdk::view::{
    Capabilities, Container, ContainerKind, ContainerSecurity, Entry, Pod, PodSecurity, Port, Probe, ProbeKind,
    Profile, SeLinux, Sysctl, Volume,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

use super::standard::Template;

/// `spec` of a pod, with its annotations.
#[derive(Debug)]
pub(super) struct Spec {
    pod: Pod,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
}

impl Spec {
    /// As the checks see it.
    pub(super) fn template(&self) -> Template<'_> {
        Template { pod: &self.pod, containers: self.containers.iter().collect(), volumes: &self.volumes }
    }

    /// `runtimeClassName`.
    pub(super) fn runtime_class(&self) -> Option<&str> {
        self.pod.runtime_class.as_deref()
    }

    /// With the annotations of its pod.
    pub(super) fn annotated(mut self, annotations: BTreeMap<String, String>) -> Self {
        self.pod.annotations = annotations.into_iter().map(|(name, value)| Entry { name, value }).collect();
        self
    }
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        RawSpec::deserialize(json).map(Into::into)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawSpec {
    init_containers: Option<Vec<RawContainer>>,
    containers: Option<Vec<RawContainer>>,
    ephemeral_containers: Option<Vec<RawContainer>>,
    volumes: Option<Vec<BTreeMap<String, Value>>>,
    security_context: Option<RawSecurity>,
    host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    host_ipc: Option<bool>,
    host_users: Option<bool>,
    os: Option<Os>,
    runtime_class_name: Option<String>,
}

#[derive(Deserialize)]
struct Os {
    name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawContainer {
    name: String,
    security_context: Option<RawSecurity>,
    ports: Option<Vec<RawPort>>,
    liveness_probe: Option<Handler>,
    readiness_probe: Option<Handler>,
    startup_probe: Option<Handler>,
    lifecycle: Option<Lifecycle>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPort {
    host_port: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handler {
    http_get: Option<Hosted>,
    tcp_socket: Option<Hosted>,
}

#[derive(Deserialize)]
struct Hosted {
    host: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lifecycle {
    post_start: Option<Handler>,
    pre_stop: Option<Handler>,
}

/// `securityContext` of a pod or of a container: each has some of the fields.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawSecurity {
    privileged: Option<bool>,
    allow_privilege_escalation: Option<bool>,
    run_as_non_root: Option<bool>,
    run_as_user: Option<i64>,
    capabilities: Option<RawCapabilities>,
    seccomp_profile: Option<Typed>,
    app_armor_profile: Option<Typed>,
    se_linux_options: Option<RawSeLinux>,
    proc_mount: Option<String>,
    sysctls: Option<Vec<RawSysctl>>,
    windows_options: Option<WindowsOptions>,
}

#[derive(Deserialize)]
struct RawCapabilities {
    add: Option<Vec<String>>,
    drop: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    type_: Option<String>,
}

#[derive(Deserialize)]
struct RawSeLinux {
    user: Option<String>,
    role: Option<String>,
    #[serde(rename = "type")]
    type_: Option<String>,
}

#[derive(Deserialize)]
struct RawSysctl {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WindowsOptions {
    host_process: Option<bool>,
}

impl From<RawSpec> for Spec {
    fn from(raw: RawSpec) -> Self {
        let lists = [
            ("/spec/initContainers", ContainerKind::Init, raw.init_containers),
            ("/spec/containers", ContainerKind::Regular, raw.containers),
            ("/spec/ephemeralContainers", ContainerKind::Ephemeral, raw.ephemeral_containers),
        ];
        let containers = lists.into_iter().flat_map(|(list, kind, containers)| {
            let numbered = containers.unwrap_or_default().into_iter().enumerate();
            numbered.map(move |(index, container)| container.at(format!("{list}/{index}"), kind))
        });
        Self {
            containers: containers.collect(),
            volumes: raw.volumes.unwrap_or_default().into_iter().enumerate().map(volume).collect(),
            pod: Pod {
                labels: Vec::new(),
                annotations: Vec::new(),
                security: raw.security_context.map(Into::into),
                host_network: raw.host_network,
                host_pid: raw.host_pid,
                host_ipc: raw.host_ipc,
                host_users: raw.host_users,
                os: raw.os.and_then(|os| os.name),
                service_account: None,
                automount_token: None,
                runtime_class: raw.runtime_class_name,
                priority_class: None,
                restart_policy: None,
                node_selector: Vec::new(),
                image_pull_secrets: Vec::new(),
                resource_claims: Vec::new(),
                requests: Vec::new(),
                limits: Vec::new(),
            },
        }
    }
}

/// A volume's source is the field beside its name.
fn volume((index, mut fields): (usize, BTreeMap<String, Value>)) -> Volume {
    let name = fields.remove("name").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    let source = fields.into_iter().find(|(_, source)| !source.is_null()).map(|(field, _)| field).unwrap_or_default();
    Volume { name, pointer: format!("/spec/volumes/{index}"), source, target: None }
}

impl RawContainer {
    fn at(self, pointer: String, kind: ContainerKind) -> Container {
        let probes = [
            (ProbeKind::Liveness, self.liveness_probe),
            (ProbeKind::Readiness, self.readiness_probe),
            (ProbeKind::Startup, self.startup_probe),
        ];
        let probes =
            probes.into_iter().filter_map(|(kind, handler)| Some(Probe { kind, handler: None, host: handler?.host() }));
        let hooks = self.lifecycle.map(|lifecycle| [lifecycle.post_start, lifecycle.pre_stop]);
        Container {
            kind,
            name: self.name,
            image: String::new(),
            pointer,
            security: self.security_context.map(Into::into),
            ports: self.ports.unwrap_or_default().into_iter().map(Into::into).collect(),
            mounts: Vec::new(),
            device_paths: Vec::new(),
            requests: Vec::new(),
            limits: Vec::new(),
            claims: Vec::new(),
            probes: probes.collect(),
            lifecycle_hosts: hooks.into_iter().flatten().flatten().filter_map(Handler::host).collect(),
        }
    }
}

impl Handler {
    fn host(self) -> Option<String> {
        self.http_get.or(self.tcp_socket).and_then(|handler| handler.host)
    }
}

impl From<RawPort> for Port {
    fn from(raw: RawPort) -> Self {
        Self { name: None, container_port: 0, host_port: raw.host_port, protocol: None }
    }
}

impl From<RawSecurity> for PodSecurity {
    fn from(raw: RawSecurity) -> Self {
        let sysctls = raw.sysctls.unwrap_or_default();
        Self {
            run_as_non_root: raw.run_as_non_root,
            run_as_user: raw.run_as_user,
            run_as_group: None,
            fs_group: None,
            fs_group_change_policy: None,
            seccomp: raw.seccomp_profile.map(Into::into),
            app_armor: raw.app_armor_profile.map(Into::into),
            se_linux: raw.se_linux_options.map(Into::into),
            sysctls: sysctls.into_iter().map(|sysctl| Sysctl { name: sysctl.name, value: String::new() }).collect(),
            host_process: raw.windows_options.and_then(|windows| windows.host_process),
        }
    }
}

impl From<RawSecurity> for ContainerSecurity {
    fn from(raw: RawSecurity) -> Self {
        let capabilities = |raw: RawCapabilities| Capabilities {
            add: raw.add.unwrap_or_default(),
            drop: raw.drop.unwrap_or_default(),
        };
        Self {
            privileged: raw.privileged,
            allow_privilege_escalation: raw.allow_privilege_escalation,
            read_only_root_filesystem: None,
            run_as_non_root: raw.run_as_non_root,
            run_as_user: raw.run_as_user,
            run_as_group: None,
            capabilities: raw.capabilities.map(capabilities),
            seccomp: raw.seccomp_profile.map(Into::into),
            app_armor: raw.app_armor_profile.map(Into::into),
            se_linux: raw.se_linux_options.map(Into::into),
            proc_mount: raw.proc_mount,
            host_process: raw.windows_options.and_then(|windows| windows.host_process),
        }
    }
}

impl From<Typed> for Profile {
    fn from(raw: Typed) -> Self {
        Self { type_: raw.type_.unwrap_or_default(), localhost_profile: None }
    }
}

impl From<RawSeLinux> for SeLinux {
    fn from(raw: RawSeLinux) -> Self {
        Self { user: raw.user, role: raw.role, type_: raw.type_, level: None }
    }
}
