//! What a registration has to know of a cluster, asked of its API server: which kinds it serves, in which version and
//! by which name, and which namespaces there are.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::discovery::{ApiCapabilities, ApiResource, Discovery};
use kube::{Api, Client, ResourceExt};
use portreeve_admission::case::GroupVersionResource;
use portreeve_admission::subject::TemplatePaths;

use crate::registration::Served;

/// An API server that does not answer, or not us.
#[derive(Debug, thiserror::Error)]
#[error("the API server does not say what there is")]
pub struct DiscoveryError(#[from] kube::Error);

/// What the API server says of the kinds that have pod templates. Of kinds that it does not serve nothing is said.
///
/// # Errors
/// If it does not answer.
pub async fn served(client: Client, paths: &TemplatePaths) -> Result<Served, DiscoveryError> {
    let kinds = paths.kinds();
    let mut groups: Vec<&str> = kinds.iter().map(|(group, _)| *group).collect();
    groups.dedup();
    let found = Discovery::new(client).filter(&groups).run_aggregated().await?;
    let mut served = Served::default();
    for (group, kind) in kinds {
        let recommended = found.get(group).and_then(|found| found.recommended_kind(kind));
        if let Some((ApiResource { group, version, plural, .. }, ApiCapabilities { .. })) = recommended {
            served.insert(kind, GroupVersionResource { group, version, resource: plural });
        }
    }
    Ok(served)
}

/// Names and labels of all namespaces, for `registration::doctor`.
///
/// # Errors
/// If it does not answer, or we may not list them.
pub async fn namespaces(client: Client) -> Result<BTreeMap<String, BTreeMap<String, String>>, DiscoveryError> {
    let all = Api::<Namespace>::all(client).list_metadata(&ListParams::default()).await?;
    Ok(all.items.into_iter().map(|one| (one.name_any(), one.labels().clone())).collect())
}
