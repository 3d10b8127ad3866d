//! Which kinds of a cluster are scanned: those that the policies want to see, as far as the API server serves them and
//! lets us list them.

use std::fmt;

use kube::Client;
use kube::api::ListParams;
use kube::discovery::{ApiGroup, ApiResource, Discovery, Scope as Served, verbs};
use portreeve_admission::case::{GroupVersionKind, GroupVersionResource};
use portreeve_admission::kinds::Scope;

use crate::discovery::DiscoveryError;
use crate::pages::{PageError, page};
use crate::registration::{Seekers, Sought};

/// A kind whose objects are scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedKind {
    /// What its objects are called.
    pub kind: GroupVersionKind,
    /// The resource that they are listed by.
    pub resource: GroupVersionResource,
    /// Whether they live in namespaces.
    pub scope: Scope,
    /// Who looks at them.
    pub seekers: Seekers,
}

impl ScannedKind {
    /// As objects name their version: `apps/v1`, or `v1` of the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        self.kind.api_version()
    }

    /// Whether it is that of Pods, which control others by code of their own: what they make has no template of theirs.
    pub(super) fn is_pod(&self) -> bool {
        self.kind.group.is_empty() && self.kind.kind == "Pod"
    }

    pub(super) fn api_resource(&self) -> ApiResource {
        ApiResource {
            group: self.resource.group.clone(),
            version: self.resource.version.clone(),
            api_version: self.api_version(),
            kind: self.kind.kind.clone(),
            plural: self.resource.resource.clone(),
        }
    }
}

impl fmt::Display for ScannedKind {
    /// As rules name it: `deployments.apps`, `pods`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GroupVersionResource { group, resource, .. } = &self.resource;
        if group.is_empty() { f.write_str(resource) } else { write!(f, "{resource}.{group}") }
    }
}

/// The kinds that are sought and served, in the order of their groups.
///
/// # Errors
/// If the API server does not say what it serves.
pub(super) async fn kinds(client: &Client, sought: &Sought) -> Result<Vec<ScannedKind>, DiscoveryError> {
    let served = Discovery::new(client.clone()).run_aggregated().await?;
    Ok(served.groups_alphabetical().into_iter().flat_map(|group| of_group(group, sought)).collect())
}

/// Asks for one object of a kind, to see whether it may be listed.
///
/// # Errors
/// If it may not, or if that can't be told now.
pub(super) async fn try_list(client: &Client, kind: &ScannedKind) -> Result<(), PageError> {
    page(client, &kind.api_resource(), &ListParams::default().limit(1)).await.map(drop)
}

/// Of a group every resource once: in the version that the API server prefers, else in another that a policy asked for.
fn of_group(group: &ApiGroup, sought: &Sought) -> Vec<ScannedKind> {
    let preferred = group.preferred_version_or_latest();
    let others = group.versions().filter(|version| *version != preferred);
    let mut kinds: Vec<ScannedKind> = Vec::new();
    for version in std::iter::once(preferred).chain(others) {
        for (resource, capabilities) in group.versioned_resources(version) {
            let known = kinds.iter().any(|kind| kind.resource.resource == resource.plural);
            if known || !capabilities.supports_operation(verbs::LIST) {
                continue;
            }
            let scope = match capabilities.scope {
                Served::Cluster => Scope::Cluster,
                Served::Namespaced => Scope::Namespaced,
            };
            kinds.extend(scanned(resource, scope, sought));
        }
    }
    kinds
}

fn scanned(served: ApiResource, scope: Scope, sought: &Sought) -> Option<ScannedKind> {
    let ApiResource { group, version, kind, plural, .. } = served;
    let resource = GroupVersionResource { group: group.clone(), version: version.clone(), resource: plural };
    let seekers = sought.seekers(&resource)?;
    Some(ScannedKind { kind: GroupVersionKind { group, version, kind }, resource, scope, seekers })
}
