//! What a pod may share with its node: namespaces, folders, ports. Nothing is edited: what is asked for here is part of
//! what the program does.
//!
//! Who may have more is told in `settings`, how paths are compared in `path`. Volumes of other kinds, privileges and
//! devices are other policies'.

mod path;
mod settings;

use std::cell::OnceCell;
use std::collections::BTreeMap;

use portreeve_sdk::view::{Container, Mount, Pod, Volume};
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict, pointer};

use path::HostPath;
pub(crate) use settings::Settings;
use settings::{Access, AllowedPath, HostNamespace, PortRange};

/// The policy.
pub(crate) struct HostAccess {
    settings: Settings,
}

/// What one pod may have.
struct Allowed<'a> {
    namespaces: Vec<HostNamespace>,
    paths: Vec<&'a AllowedPath>,
    ports: Vec<PortRange>,
}

impl Policy for HostAccess {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Access to the node",
            description: "Pods keep out of their node: no namespace of it is shared, no folder mounted and no port \
                          bound, but for those that the settings allow to everybody, or to certain service accounts \
                          and images.",
            can: Can::VALIDATE,
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.6", "CC6.8"],
            ..Manifest::new("host-access", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(pod) = case.pod() else { return Ok(verdict) };
        let allowed = self.allowed(case, pod);
        self.judge_namespaces(pod, &allowed, &mut verdict);
        let mounts = OnceCell::new();
        for volume in case.volumes().iter().filter(|volume| volume.source == "hostPath") {
            let of_it = || mounts.get_or_init(|| by_volume(case.containers())).get(volume.name.as_str());
            judge_path(volume, || of_it().map_or(&[], Vec::as_slice), &allowed, &mut verdict);
        }
        // On the node's own network a container listens wherever it likes, whatever it declares.
        if !pod.is_on_host_network() {
            case.containers().iter().for_each(|container| judge_ports(container, &allowed, &mut verdict));
        }
        Ok(verdict)
    }
}

impl HostAccess {
    fn allowed(&self, case: &Case<'_>, pod: &Pod) -> Allowed<'_> {
        let Settings { paths, ports, allow, .. } = &self.settings;
        let mut allowed = Allowed { namespaces: Vec::new(), paths: paths.iter().collect(), ports: ports.clone() };
        for allowance in allow.iter().filter(|allowance| allowance.is_for(case, pod)) {
            allowed.namespaces.extend(&allowance.host_namespaces);
            allowed.paths.extend(&allowance.paths);
            allowed.ports.extend(&allowance.ports);
        }
        allowed
    }

    fn judge_namespaces(&self, pod: &Pod, allowed: &Allowed<'_>, verdict: &mut Verdict) {
        let refused = |namespace: &&HostNamespace| !allowed.namespaces.contains(namespace);
        for namespace in self.settings.forbidden_namespaces.iter().filter(refused) {
            if namespace.is_shared_by(pod) {
                let (rule, field, says, mend) = namespace.words();
                verdict.violation(rule).at(["/spec/", field].concat()).says(says).mend(mend);
            }
        }
    }
}

impl Allowed<'_> {
    /// The most that may be done at a path; none if it may not be mounted.
    fn access(&self, path: &HostPath) -> Option<Access> {
        self.paths.iter().filter(|allowed| allowed.path.holds(path)).map(|allowed| allowed.access).max()
    }
}

impl HostNamespace {
    fn is_shared_by(self, pod: &Pod) -> bool {
        match self {
            Self::Network => pod.is_on_host_network(),
            Self::Pid => pod.host_pid == Some(true),
            Self::Ipc => pod.host_ipc == Some(true),
            // Beside another namespace of the node, and on Windows, the API server refuses users of the pod's own.
            Self::Users => {
                let others = [Self::Network, Self::Pid, Self::Ipc];
                !pod.is_windows() && !pod.has_own_users() && !others.into_iter().any(|other| other.is_shared_by(pod))
            }
        }
    }

    /// The rule, the field below `spec`, what is wrong, and what to change.
    fn words(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Network => (
                "host-network",
                "hostNetwork",
                "the pod shares the node's network (hostNetwork: true)",
                "remove hostNetwork and let a Service lead to the pod",
            ),
            Self::Pid => (
                "host-pid",
                "hostPID",
                "the pod sees the node's processes (hostPID: true)",
                "remove hostPID; shareProcessNamespace joins the pod's own containers",
            ),
            Self::Ipc => (
                "host-ipc",
                "hostIPC",
                "the pod shares the node's inter-process communication (hostIPC: true)",
                "remove hostIPC; for shared memory mount an emptyDir of medium Memory at /dev/shm",
            ),
            Self::Users => (
                "host-users",
                "hostUsers",
                "the pod shares the node's users (hostUsers is not false)",
                "set hostUsers to false, which gives the pod users of its own",
            ),
        }
    }
}

/// A mount of a container, and its place among the container's.
type Mounted<'a> = (&'a Container, usize, &'a Mount);

/// The mounts of all containers by the volume that they show, in their order.
fn by_volume(containers: &[Container]) -> BTreeMap<&str, Vec<Mounted<'_>>> {
    let mut known: BTreeMap<&str, Vec<Mounted<'_>>> = BTreeMap::new();
    for container in containers {
        for (index, mount) in container.mounts.iter().enumerate() {
            known.entry(mount.name.as_str()).or_default().push((container, index, mount));
        }
    }
    known
}

fn judge_path<'a>(
    volume: &Volume,
    mounts: impl FnOnce() -> &'a [Mounted<'a>],
    allowed: &Allowed<'_>,
    verdict: &mut Verdict,
) {
    let written = volume.target.as_deref().unwrap_or_default();
    let path = HostPath::parse(written);
    match path.as_ref().ok().and_then(|path| allowed.access(path)) {
        Some(Access::ReadWrite) => {}
        Some(Access::ReadOnly) => {
            mounts().iter().for_each(|mount| judge_mount(*mount, written, verdict));
        }
        None => {
            let why = path.err().map_or_else(|| "is not among those allowed".to_owned(), |bad| bad.to_string());
            verdict
                .violation("host-path")
                .at(pointer::join(&volume.pointer, "/hostPath"))
                .says(format!("the volume {:?} is the node's path {written:?} (hostPath), which {why}", volume.name))
                .mend(other_paths(&allowed.paths));
        }
    }
}

fn other_paths(allowed: &[&AllowedPath]) -> String {
    let instead = "use a volume of another kind: emptyDir, configMap, or a persistent volume";
    if allowed.is_empty() {
        return instead.to_owned();
    }
    let paths: Vec<&str> = allowed.iter().map(|own| own.path.as_str()).collect();
    [instead, ", or stay within ", &paths.join(", ")].concat()
}

/// A mount of a volume that may only be read. One that says nothing can be written.
fn judge_mount((container, index, mount): Mounted<'_>, path: &str, verdict: &mut Verdict) {
    if mount.read_only == Some(true) {
        return;
    }
    verdict
        .violation("writable-host-path")
        .container(container)
        .at(container.field(&format!("/volumeMounts/{index}/readOnly")))
        .says(format!(
            "container {:?} may write the node's path {path:?} (mounted at {:?}), which is to be read only",
            container.name, mount.mount_path
        ))
        .mend("set readOnly to true on the mount");
}

fn judge_ports(container: &Container, allowed: &Allowed<'_>, verdict: &mut Verdict) {
    for (index, port) in container.ports.iter().enumerate() {
        // Zero stands for none.
        let Some(number) = port.host_port.filter(|&number| number != 0) else { continue };
        if allowed.ports.iter().any(|range| range.holds(number)) {
            continue;
        }
        verdict
            .violation("host-port")
            .container(container)
            .at(container.field(&format!("/ports/{index}/hostPort")))
            .says(format!(
                "container {:?} binds port {number} of the node (hostPort), which is not among those allowed",
                container.name
            ))
            .mend(other_ports(&allowed.ports));
    }
}

fn other_ports(allowed: &[PortRange]) -> String {
    let instead = "remove hostPort and let a Service lead to the pod";
    if allowed.is_empty() {
        return instead.to_owned();
    }
    let ranges: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    [instead, ", or choose one of ", &ranges.join(", ")].concat()
}
