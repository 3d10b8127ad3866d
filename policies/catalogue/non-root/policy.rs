//! No container runs as root: `runAsNonRoot: true`, no user 0, and a user by number where the image names none that the
//! kubelet could check. Who that is is in `user`; what is set for it is in `edits`, beside what stood there `before`;
//! what is said of it is in `judge`.

mod before;
mod edits;
mod judge;
mod user;

use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::{Container, Pod};
use portreeve_sdk::{Can, Case, FactNeed, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use self::user::{Id, Runs, UserRule, Users};
use crate::injected::{Injected, Judgement};
use crate::storage::Storage;

const NON_ROOT: &str = "non-root";
const ROOT_USER: &str = "root-user";
const IMAGE_USER: &str = "image-user";
const LOW_PORT: &str = "low-port";
const FLAG: &str = "/securityContext/runAsNonRoot";
const USER: &str = "/securityContext/runAsUser";

/// Settings of non-root.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Who containers run as, where neither they nor the image say so by number. The first that selects a container
    /// holds; it comes before what is known of common images.
    users: Vec<UserRule>,
    /// Who the others run as, user and group alike. Not used for containers that keep data in volumes that outlive the
    /// pod: files there belong to somebody already. None, unless given.
    default_user: Option<Id>,
    /// What it is that nobody knows the user of an image. The container is made to run as non-root; if its image has
    /// root or a name for a user, the kubelet does not start it.
    unknown_user: Judgement,
    /// What it is that nobody knows the user of an image beside data that outlives the pod. Nothing is set: a database
    /// that ran as root could not open its own files as anybody else.
    unknown_owner: Judgement,
    /// What is done for a container that is to run as non-root and listens below port 1024.
    low_ports: LowPorts,
    /// Images that may run as root. Nothing is set on them, and what the pod says for their containers alone is left
    /// standing.
    exempt_images: Vec<ImagePattern>,
    /// Containers that a mesh adds.
    injected: Injected,
}

/// What is done for low ports.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "lowercase")]
enum LowPorts {
    /// The pod gets the sysctl `net.ipv4.ip_unprivileged_port_start=0`, which both Pod Security levels allow.
    #[default]
    Sysctl,
    /// Nothing.
    Leave,
}

/// The policy.
pub(crate) struct NonRoot {
    users: Users,
    unknown: Unknown,
    low_ports: LowPorts,
    exempt_images: Vec<ImagePattern>,
    injected: Injected,
}

/// What is made of not knowing.
struct Unknown {
    user: Judgement,
    owner: Judgement,
}

/// A container, and what it would run as.
struct Governed<'a> {
    container: &'a Container,
    stance: Stance,
    runs: Runs,
    judgement: Judgement,
    /// Whether its image may run as root.
    exempt: bool,
}

/// What pod and container say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stance {
    /// `runAsNonRoot: true` holds.
    NonRoot,
    /// Neither says anything.
    Silent,
    /// `runAsNonRoot: false`, or user 0.
    Root,
}

impl Policy for NonRoot {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Run as non-root",
            description: "No container runs as root. Where an image has no user that can be checked, one that is \
                          known for it is set, with the group and the ports that it then needs.",
            can: Can::MUTATE,
            facts: &[FactNeed {
                kind: "image-config",
                why: "to see whether an image runs as root, and whether its user can be checked by number",
                required: false,
            }],
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.3", "CC6.8"],
            ..Manifest::new("non-root", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            users: Users::new(settings.users, settings.default_user)?,
            unknown: Unknown { user: settings.unknown_user, owner: settings.unknown_owner },
            low_ports: settings.low_ports,
            exempt_images: settings.exempt_images,
            injected: settings.injected.with_known(),
        })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        // Root in a user namespace of its own is nobody on the node: Pod Security exempts it too.
        let Some(pod) = case.pod().filter(|pod| !pod.has_own_users()) else { return Ok(verdict) };
        let storage = Storage::of(case);
        let governed: Vec<Governed<'_>> =
            case.containers().iter().map(|container| self.govern(case, &storage, pod, container)).collect();
        judge::pod(case, pod, &governed, &mut verdict);
        for governed in &governed {
            judge::container(case, pod, governed, &self.unknown, &mut verdict);
        }
        if self.low_ports == LowPorts::Sysctl && pod.is_on_host_network() {
            judge::low_ports_of_the_node(case, &self.users, &governed, &mut verdict);
        }
        // Windows has neither numbers for users nor groups: the API server refuses them there.
        if !pod.is_windows() {
            edits::make(self, case, &storage, pod, &governed, &mut verdict);
        }
        Ok(verdict)
    }
}

impl NonRoot {
    fn govern<'a>(&self, case: &Case<'a>, storage: &Storage<'_>, pod: &Pod, container: &'a Container) -> Governed<'a> {
        let exempt = ImagePattern::any(&self.exempt_images, &container.image);
        let judgement = if exempt { Judgement::Allow } else { self.injected.judge(container) };
        let stance = stance(pod, container);
        let left_alone = judgement != Judgement::Deny
            || self.injected.knows(container)
            || stance == Stance::Root
            || pod.is_windows();
        let runs = if left_alone { Runs::LeftAlone } else { self.users.of(case, storage, pod, container) };
        Governed { container, stance, runs, judgement, exempt }
    }
}

fn stance(pod: &Pod, container: &Container) -> Stance {
    let own = container.security.as_ref();
    let of_pod = pod.security.as_ref();
    let user = own.and_then(|own| own.run_as_user).or_else(|| of_pod?.run_as_user);
    let flag = own.and_then(|own| own.run_as_non_root).or_else(|| of_pod?.run_as_non_root);
    match (flag, user) {
        (Some(false), _) | (_, Some(0)) => Stance::Root,
        (Some(true), _) => Stance::NonRoot,
        (None, _) => Stance::Silent,
    }
}
