//! Which kinds an API server serves, in which version and by which name: asked of it, for the registration.

use kube::Client;
use kube::discovery::{ApiCapabilities, ApiResource, Discovery};
use portreeve_admission::case::GroupVersionResource;
use portreeve_admission::subject::TemplatePaths;

use crate::registration::Served;

/// An API server that does not say what it serves.
#[derive(Debug, thiserror::Error)]
#[error("the API server does not say which kinds it serves")]
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
