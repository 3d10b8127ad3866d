//! What lies behind a mount, and how long it stays. Several policies ask that; what follows from it is theirs to say.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use portreeve_sdk::view::{Mount, Volume};
use portreeve_sdk::{Case, pointer};
use serde_json::Value;

/// What lies behind a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Files that are there to be read.
    ToRead,
    /// An empty folder that everybody may write to and that goes with the pod: `emptyDir`.
    Scratch,
    /// A volume made for this pod, which goes with it and belongs to root until it is given a group: `ephemeral`.
    OfPod,
    /// Data that outlives the pod; the kubelet gives it the group that the pod names.
    Kept,
    /// The same on a disk that others have as well, such as the node's: the kubelet leaves its owner alone.
    Shared,
}

/// The volumes of a pod, with those that a StatefulSet makes for each of its pods.
pub(crate) struct Storage<'a> {
    case: &'a Case<'a>,
    claimed: BTreeSet<String>,
    /// Of each volume by its name, worked out when the first mount is looked at: a pod may have many of both.
    volumes: OnceCell<BTreeMap<&'a str, Contents>>,
}

impl<'a> Storage<'a> {
    pub(crate) fn of(case: &'a Case<'a>) -> Self {
        Self { case, claimed: claim_templates(case), volumes: OnceCell::new() }
    }

    /// What lies behind the mount, as the container sees it: a mount that is read-only shows files to be read.
    pub(crate) fn behind(&self, mount: &Mount) -> Contents {
        if mount.read_only == Some(true) {
            return Contents::ToRead;
        }
        // A controller puts its claims in place of volumes of the same name.
        if self.is_claimed(&mount.name) {
            return Contents::Kept;
        }
        self.volumes().get(mount.name.as_str()).copied().unwrap_or(Contents::Scratch)
    }

    fn volumes(&self) -> &BTreeMap<&'a str, Contents> {
        self.volumes.get_or_init(|| {
            let mut known = BTreeMap::new();
            for volume in self.case.volumes() {
                known.entry(volume.name.as_str()).or_insert_with(|| self.contents(volume));
            }
            known
        })
    }

    /// Whether a StatefulSet makes a volume of this name.
    pub(crate) fn is_claimed(&self, name: &str) -> bool {
        self.claimed.contains(name)
    }

    /// Whatever is not known to go with the pod is taken to stay: new kinds of volumes hold data until told otherwise.
    fn contents(&self, volume: &Volume) -> Contents {
        match volume.source.as_str() {
            "" | "emptyDir" => Contents::Scratch,
            "configMap" | "secret" | "projected" | "downwardAPI" | "image" | "gitRepo" => Contents::ToRead,
            _ if self.is_read_only(volume) => Contents::ToRead,
            "ephemeral" => Contents::OfPod,
            "hostPath" | "nfs" | "cephfs" | "glusterfs" => Contents::Shared,
            _ => Contents::Kept,
        }
    }

    fn is_read_only(&self, volume: &Volume) -> bool {
        let at = pointer::join(&pointer::child(&volume.pointer, &volume.source), "/readOnly");
        self.case.read(&at) == Some(Value::Bool(true))
    }
}

/// They stand beside the template, not in it.
fn claim_templates(case: &Case<'_>) -> BTreeSet<String> {
    if case.request().kind().kind != "StatefulSet" {
        return BTreeSet::new();
    }
    let templates = case.request().read("/spec/volumeClaimTemplates");
    let name = |template: &Value| Some(template.pointer("/metadata/name")?.as_str()?.to_owned());
    templates.iter().filter_map(Value::as_array).flatten().filter_map(name).collect()
}
