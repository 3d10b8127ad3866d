//! Which version of a kind is asked for, and how its resource is called: as the API server says, where it was asked,
//! else by what is known of Kubernetes itself.

use std::collections::BTreeMap;

use portreeve_admission::case::{GroupVersionKind, GroupVersionResource};
use portreeve_admission::kinds;

use super::wanted::ANY;

/// What an API server says of the kinds that it serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Served(BTreeMap<(String, String), GroupVersionResource>);

/// Groups of Kubernetes' own workloads. `v1` is the only version of them that any API server of today serves.
const BUILT_IN: [&str; 3] = ["", "apps", "batch"];

impl Served {
    /// Puts down that a kind of a group is served as this resource, in the version that the API server prefers.
    pub fn insert(&mut self, kind: &str, resource: GroupVersionResource) {
        self.0.insert((resource.group.clone(), kind.to_owned()), resource);
    }

    /// The resource that rules name for a kind of whatever version. One that nobody knows yet is asked for in every
    /// version: its templates sit in one place in all of them, and a kind that is installed later is judged at once.
    pub(super) fn resource(&self, kind: &GroupVersionKind) -> GroupVersionResource {
        let known = self.0.get(&(kind.group.clone(), kind.kind.clone()));
        known.cloned().unwrap_or_else(|| {
            let version = if BUILT_IN.contains(&kind.group.as_str()) { "v1" } else { ANY };
            GroupVersionResource { version: version.to_owned(), ..kinds::resource(kind) }
        })
    }

    /// Whether the objects of a kind are called so in rules.
    pub(super) fn is_called(&self, group: &str, kind: &str, resource: &str) -> bool {
        let kind = GroupVersionKind { group: group.to_owned(), version: String::new(), kind: kind.to_owned() };
        self.resource(&kind).resource == resource
    }
}
