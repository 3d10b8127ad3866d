//! Whom an event is about: the topmost controller of an object, since people look at their Deployment and not at the
//! ReplicaSet that it made.

use kube::api::{DynamicObject, PartialObjectMeta};
use kube::{Api, Client, ResourceExt};
use portreeve_admission::case::GroupVersionKind;
use portreeve_admission::kinds::{Scope, scope};

use super::happening::{Involved, ObjectRef};

/// A Pod of a Job of a JobSet of a controller of somebody's own: more than that is a circle.
const MOST_STEPS: usize = 4;

/// The topmost controller that can be found; the nearest, or the object itself, where nothing is known of it.
pub(super) async fn topmost(client: &Client, involved: &Involved) -> ObjectRef {
    let mut top = involved.nearest().clone();
    if involved.controller.is_none() {
        return top;
    }
    for _ in 0..MOST_STEPS {
        match controller(client, &top).await {
            Ok(Some(above)) => top = above,
            Ok(None) => break,
            Err(error) => {
                tracing::debug!(error = crate::with_causes(&error), "an event is about the nearest owner");
                break;
            }
        }
    }
    top
}

/// The controller of an object, if it is there and has one.
async fn controller(client: &Client, of: &ObjectRef) -> Result<Option<ObjectRef>, kube::Error> {
    let Some(found) = read(client, of).await? else { return Ok(None) };
    if of.uid.is_some() && of.uid != found.uid() {
        return Ok(None);
    }
    let owner = found.owner_references().iter().find(|owner| owner.controller == Some(true)).cloned();
    Ok(owner.map(|owner| {
        let (group, kind) = (group(&owner.api_version), owner.kind.as_str());
        let namespace = of.namespace.clone().filter(|_| scope(group, kind) == Scope::Namespaced);
        ObjectRef {
            namespace,
            api_version: owner.api_version,
            kind: owner.kind,
            name: owner.name,
            uid: Some(owner.uid),
        }
    }))
}

async fn read(client: &Client, place: &ObjectRef) -> Result<Option<PartialObjectMeta<DynamicObject>>, kube::Error> {
    let (group, version) = place.api_version.split_once('/').unwrap_or(("", &place.api_version));
    let kind = GroupVersionKind { group: group.into(), version: version.into(), kind: place.kind.clone() };
    let resource = crate::api_resource(&kind);
    let objects: Api<DynamicObject> = match &place.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    objects.get_metadata_opt(&place.name).await
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
