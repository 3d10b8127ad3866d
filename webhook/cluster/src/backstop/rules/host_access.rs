//! host-access: namespaces, folders and ports of the node. Nothing of it is ever put in or taken away, so that the
//! whole policy can be said.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Drafted;
use super::host_path::{AllowedPath, Folders};
use crate::backstop::cel::{all, any, field_or, list, text};
use crate::backstop::image::ImagePatterns;
use crate::backstop::left_out::Why;
use crate::backstop::rule::Rule;
use crate::backstop::select::{has_labels, runs_as};
use crate::backstop::subject::Side;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Settings {
    forbidden_namespaces: Vec<HostNamespace>,
    paths: Vec<AllowedPath>,
    ports: Vec<PortRange>,
    allow: Vec<Allowance>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            forbidden_namespaces: vec![HostNamespace::Network, HostNamespace::Pid, HostNamespace::Ipc],
            paths: Vec::new(),
            ports: Vec::new(),
            allow: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum HostNamespace {
    Network,
    Pid,
    Ipc,
    Users,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PortRange {
    from: u16,
    to: u16,
}

/// What pods may have that all of the first four describe.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Allowance {
    service_accounts: Vec<String>,
    images: Vec<String>,
    namespaces: Vec<String>,
    labels: BTreeMap<String, String>,
    host_namespaces: Vec<HostNamespace>,
    paths: Vec<AllowedPath>,
    ports: Vec<PortRange>,
}

/// What some pods may have, and whether a pod is one of them.
struct Granted {
    allowance: Allowance,
    images: Option<ImagePatterns>,
    folders: Folders,
}

/// What an expression of a side is.
type Expression = Box<dyn Fn(Side) -> String>;

pub(super) fn draft(settings: Settings) -> Result<Drafted, Why> {
    let granted = || settings.allow.iter().map(Granted::read).collect::<Result<Vec<_>, Why>>();
    let mut rules = Vec::new();
    for namespace in &settings.forbidden_namespaces {
        rules.push(namespace.rule(granted()?));
    }
    let folders = || Folders::read("paths", &settings.paths);
    rules.push(path(held(folders()?, granted()?, Folders::hold)));
    rules.push(writable(
        held(folders()?, granted()?, Folders::hold),
        held(folders()?, granted()?, Folders::hold_for_writing),
    ));
    rules.push(port(settings.ports.clone(), granted()?));
    Ok(Drafted::of(rules))
}

impl HostNamespace {
    fn rule(self, granted: Vec<Granted>) -> Rule {
        let (id, says, remedy) = self.words();
        let fault = move |side: Side| {
            let may = any(granted
                .iter()
                .filter(|granted| granted.allowance.host_namespaces.contains(&self))
                .map(|granted| granted.is_for(side)));
            format!("({} && !{may})", self.is_shared(side))
        };
        Rule::of_pod(id, fault, says, remedy)
    }

    fn is_shared(self, side: Side) -> String {
        let flag = |name: &str| field_or(&side.spec(), name, "false");
        match self {
            Self::Network => flag("hostNetwork"),
            Self::Pid => flag("hostPID"),
            Self::Ipc => flag("hostIPC"),
            // Beside another namespace of the node, and on Windows, the API server refuses users of the pod's own.
            Self::Users => {
                let others = any([Self::Network, Self::Pid, Self::Ipc].map(|other| other.is_shared(side)));
                all([
                    format!("!({})", side.is_windows()),
                    field_or(&side.spec(), "hostUsers", "true"),
                    format!("!{others}"),
                ])
            }
        }
    }

    /// The rule, what is wrong, and what to change.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Network => (
                "host-network",
                "the pod shares the node's network (hostNetwork: true)",
                "remove hostNetwork and let a Service lead to the pod",
            ),
            Self::Pid => (
                "host-pid",
                "the pod sees the node's processes (hostPID: true)",
                "remove hostPID; shareProcessNamespace joins the pod's own containers",
            ),
            Self::Ipc => (
                "host-ipc",
                "the pod shares the node's inter-process communication (hostIPC: true)",
                "remove hostIPC; for shared memory mount an emptyDir of medium Memory at /dev/shm",
            ),
            Self::Users => (
                "host-users",
                "the pod shares the node's users (hostUsers is not false)",
                "set hostUsers to false, which gives the pod users of its own",
            ),
        }
    }
}

impl Granted {
    fn read(allowance: &Allowance) -> Result<Self, Why> {
        Ok(Self {
            images: ImagePatterns::read("allow.images", &allowance.images)?,
            folders: Folders::read("allow.paths", &allowance.paths)?,
            allowance: allowance.clone(),
        })
    }

    /// Whether the pod is one of those meant.
    fn is_for(&self, side: Side) -> String {
        let Allowance { service_accounts, namespaces, labels, .. } = &self.allowance;
        let accounts = (!service_accounts.is_empty()).then(|| runs_as(side, service_accounts));
        let images =
            self.images.as_ref().map(|images| format!("{}.all(i, {})", side.containers(), images.take("i.image")));
        let here = (!namespaces.is_empty())
            .then(|| format!("request.namespace in {}", list(namespaces.iter().map(String::as_str))));
        all(accounts.into_iter().chain(images).chain(here).chain(has_labels(side, labels)))
    }
}

/// Whether a volume `v` lies within folders that are for everybody, or for this pod.
fn held(everybodys: Folders, granted: Vec<Granted>, hold: fn(&Folders) -> String) -> Expression {
    Box::new(move |side| {
        let some = granted.iter().filter(|granted| !granted.allowance.paths.is_empty());
        let some = some.map(|granted| format!("({} && {})", granted.is_for(side), hold(&granted.folders)));
        any(std::iter::once(hold(&everybodys)).chain(some))
    })
}

fn path(held: Expression) -> Rule {
    let bad = move |side| format!("(has(v.hostPath) && !{})", held(side));
    let names = format!("{}.filter(v, {}).map(v, v.hostPath.path)", Side::New.volumes(), bad(Side::New));
    let fault = move |side: Side| format!("{}.exists(v, {})", side.volumes(), bad(side));
    let remedy = "use a volume of another kind: emptyDir, configMap, or a persistent volume";
    Rule::of_pod("host-path", fault, "", remedy)
        .saying(format!("'volumes are paths of the node that are not allowed (hostPath): ' + {names}.join(', ')"))
}

/// A mount that says nothing can be written.
fn writable(held: Expression, for_writing: Expression) -> Rule {
    let fault = move |side: Side| {
        format!(
            "{}.?volumeMounts.orValue([]).exists(m, !m.?readOnly.orValue(false) && {}.exists(v, v.name == m.name && \
             has(v.hostPath) && {} && !{}))",
            side.container(),
            side.volumes(),
            held(side),
            for_writing(side)
        )
    };
    let says = "may write a path of the node (hostPath) that is to be read only";
    Rule::of_container("writable-host-path", fault, says, "set readOnly to true on the mount")
}

/// On the node's own network a container listens wherever it likes, whatever it declares.
fn port(everybodys: Vec<PortRange>, granted: Vec<Granted>) -> Rule {
    let bad = move |side: Side| {
        let some = granted.iter().filter(|granted| !granted.allowance.ports.is_empty());
        let some = some.map(|granted| format!("({} && {})", granted.is_for(side), within(&granted.allowance.ports)));
        format!("(p.?hostPort.orValue(0) != 0 && !{})", any(std::iter::once(within(&everybodys)).chain(some)))
    };
    let ports = |side: Side| format!("{}.?ports.orValue([])", side.container());
    let numbers = format!("{}.filter(p, {}).map(p, string(p.hostPort)).join(', ')", ports(Side::New), bad(Side::New));
    let fault = move |side: Side| {
        let shared = HostNamespace::Network.is_shared(side);
        format!("(!{shared} && {}.exists(p, {}))", ports(side), bad(side))
    };
    Rule::of_container("host-port", fault, "", "remove hostPort and let a Service lead to the pod").saying(format!(
        "{} + {numbers} + {}",
        text("binds ports of the node that are not among those allowed (hostPort "),
        text(")")
    ))
}

/// Whether the port `p` is one of these.
fn within(ranges: &[PortRange]) -> String {
    any(ranges.iter().map(|PortRange { from, to }| format!("(p.hostPort >= {from} && p.hostPort <= {to})")))
}
