//! What stands around the objects that are judged, as it is seen in a cluster: objects of a kind, watched, told one by
//! one. What is made of them is not known here.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, WatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use portreeve_admission::case::GroupVersionKind;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::sleep;

pub use kube::runtime::watcher::Event;

/// How long after a refusal it is asked again whether we may watch.
const AGAIN: Duration = Duration::from_secs(10);

/// A label that no object has.
const NOBODYS: &str = "portreeve.dev/nobodys";

/// How much of an object is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Its metadata.
    Metadata,
    /// All of it.
    Whole,
}

/// Tells of all objects of a kind, and of whatever becomes of them, for as long as it is let run. After a failure all
/// of them are told anew.
pub async fn watch(client: Client, kind: &GroupVersionKind, detail: Detail, tell: impl FnMut(Event<Value>)) {
    let api = crate::api_resource(kind);
    match detail {
        Detail::Metadata => told(Api::<PartialObjectMeta<DynamicObject>>::all_with(client, &api), kind, tell).await,
        Detail::Whole => told(Api::<DynamicObject>::all_with(client, &api), kind, tell).await,
    }
}

/// Metadata of a namespace as it stands now; none if there is none.
///
/// # Errors
/// If the API server does not answer, or not us.
pub async fn namespace(client: Client, name: &str) -> Result<Option<Value>, kube::Error> {
    let found = Api::<Namespace>::all(client).get_metadata_opt(name).await?;
    Ok(found.map(written))
}

async fn told<K>(objects: Api<K>, kind: &GroupVersionKind, mut tell: impl FnMut(Event<Value>))
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    allowed(&objects, kind).await;
    let events = watcher::watcher(objects, watcher::Config::default()).default_backoff();
    pin_mut!(events);
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => tell(Event::Init),
            Ok(Event::InitApply(object)) => tell(Event::InitApply(written(object))),
            Ok(Event::InitDone) => tell(Event::InitDone),
            Ok(Event::Apply(object)) => tell(Event::Apply(written(object))),
            Ok(Event::Delete(object)) => tell(Event::Delete(written(object))),
            Err(error) => {
                tracing::warn!(kind = kind.kind, error = crate::with_causes(&error), "the watch begins again");
            }
        }
    }
}

/// Waits as long as the API server says that we may not watch. Where we may list all the same, as for scans, what was
/// listed once would be taken for what there is, for ever.
async fn allowed<K: Clone + Debug + DeserializeOwned>(objects: &Api<K>, kind: &GroupVersionKind) {
    let nothing = WatchParams::default().labels(NOBODYS).timeout(1);
    while let Err(kube::Error::Api(status)) = objects.watch(&nothing, "0").await.map(drop)
        && status.is_forbidden()
    {
        tracing::warn!(kind = kind.kind, error = status.message, "it may not be watched");
        sleep(AGAIN).await;
    }
}

/// As JSON, without the API server's notes on who wrote what.
fn written<K: Resource + Serialize>(mut object: K) -> Value {
    object.managed_fields_mut().clear();
    // Objects of an API server always are JSON.
    serde_json::to_value(object).unwrap_or_default()
}
