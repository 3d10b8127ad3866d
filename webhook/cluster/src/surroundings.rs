//! What stands around the objects that are judged, as it is seen in a cluster: objects of a kind, watched, told one by
//! one. What is made of them is not known here.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, ListParams, WatchParams};
use kube::core::{PartialObjectMeta, Status};
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

/// So many refusals, a few seconds of them, have a watch asked about anew: an API server that starts refuses for a
/// moment what it grants.
const REFUSALS: usize = 4;

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

/// What is told of a kind.
#[derive(Debug, Clone)]
pub enum Told {
    /// Objects, or what became of one.
    Event(Event<Value>),
    /// They may not be watched, or no longer: whether what was told still is so, nobody knows.
    Refused,
}

/// Tells of all objects of a kind, and of whatever becomes of them, for as long as it is let run. After a failure all
/// of them are told anew.
pub async fn watch(client: Client, kind: &GroupVersionKind, detail: Detail, tell: impl FnMut(Told)) {
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

async fn told<K>(objects: Api<K>, kind: &GroupVersionKind, mut tell: impl FnMut(Told))
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    loop {
        while is_refused(&objects, kind).await {
            tell(Told::Refused);
            sleep(AGAIN).await;
        }
        told_until_refused(objects.clone(), kind, &mut tell).await;
    }
}

/// By itself a watch goes on for ever from where it was, also where it is refused.
async fn told_until_refused<K>(objects: Api<K>, kind: &GroupVersionKind, tell: &mut impl FnMut(Told))
where
    K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
{
    let events = watcher::watcher(objects, watcher::Config::default()).default_backoff();
    pin_mut!(events);
    let mut refusals = 0;
    while refusals < REFUSALS
        && let Some(event) = events.next().await
    {
        let event = match event {
            Ok(Event::Init) => Event::Init,
            Ok(Event::InitApply(object)) => Event::InitApply(written(object)),
            Ok(Event::InitDone) => Event::InitDone,
            Ok(Event::Apply(object)) => Event::Apply(written(object)),
            Ok(Event::Delete(object)) => Event::Delete(written(object)),
            Err(error) => {
                tracing::warn!(kind = kind.kind, error = crate::with_causes(&error), "the watch begins again");
                refusals += usize::from(is_refusal(&error));
                continue;
            }
        };
        tell(Told::Event(event));
    }
}

fn is_refusal(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => refusal(error).is_some(),
        watcher::Error::WatchError(status) => status.is_forbidden(),
        watcher::Error::NoResourceVersion => false,
    }
}

fn refusal(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => Some(status),
        _ => None,
    }
}

/// Whether the API server says that we may not list or not watch them. Where only one is granted, as for scans, what
/// was listed once would be taken for what there is, for ever.
async fn is_refused<K: Clone + Debug + DeserializeOwned>(objects: &Api<K>, kind: &GroupVersionKind) -> bool {
    let listed = objects.list(&ListParams::default().labels(NOBODYS).match_any()).await.map(drop);
    let watched = objects.watch(&WatchParams::default().labels(NOBODYS).timeout(1), "0").await.map(drop);
    let mut errors = [listed, watched].into_iter().filter_map(Result::err);
    let refusal = errors.find_map(|error| refusal(&error).map(|status| status.message.clone()));
    if let Some(error) = &refusal {
        tracing::warn!(kind = kind.kind, error, "it may not be watched");
    }
    refusal.is_some()
}

/// As JSON, without the API server's notes on who wrote what.
fn written<K: Resource + Serialize>(mut object: K) -> Value {
    object.managed_fields_mut().clear();
    // Objects of an API server always are JSON.
    serde_json::to_value(object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use hyper::{Request, Response};
    use kube::client::Body;
    use serde_json::json;
    use tokio::sync::mpsc;
    use tokio::time::timeout;
    use tower::service_fn;

    use super::*;

    /// An API server with one namespace, which refuses every watch, and while `barred` whatever it is asked. It is
    /// barred by a watch, if it is to be.
    fn refusing(barred: &Arc<AtomicBool>, by_watch: bool) -> Client {
        let barred = Arc::clone(barred);
        let answer = move |request: Request<Body>| {
            let query = request.uri().query().unwrap_or_default();
            let is_watch = query.contains("watch=true") && !query.contains("nobodys");
            let is_barred = barred.fetch_or(is_watch && by_watch, Ordering::SeqCst);
            let (code, answer) = match is_watch || is_barred {
                true => (403, json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"})),
                false => {
                    (200, json!({"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"name": "shop"}}]}))
                }
            };
            let body = Body::from(answer.to_string().into_bytes());
            async move { Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap()) }
        };
        Client::new(service_fn(answer), "default")
    }

    /// What is told of first, where nothing stays barred once a refusal was told of.
    async fn told_first(many: usize, by_watch: bool) -> Vec<&'static str> {
        let barred = Arc::new(AtomicBool::new(false));
        let client = refusing(&barred, by_watch);
        let namespaces = GroupVersionKind { group: String::new(), version: "v1".into(), kind: "Namespace".into() };
        let (tell, mut told) = mpsc::unbounded_channel();
        let word = move |told: Told| {
            let word = match told {
                Told::Event(Event::Init) => "begun",
                Told::Event(Event::InitDone) => "all",
                Told::Event(_) => "one",
                Told::Refused => "refused",
            };
            barred.fetch_and(word != "refused", Ordering::SeqCst);
            tell.send(word).unwrap();
        };
        let watching = tokio::spawn(async move { watch(client, &namespaces, Detail::Whole, word).await });
        let mut words = Vec::new();
        while words.len() < many {
            words.push(timeout(AGAIN * 10, told.recv()).await.unwrap().unwrap());
        }
        watching.abort();
        words
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_no_longer_be_watched_is_not_known_until_it_may_be_again() {
        let words = told_first(7, true).await;
        assert_eq!(words, ["begun", "one", "all", "refused", "begun", "one", "all"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_is_over_is_no_loss() {
        assert_eq!(told_first(6, false).await, ["begun", "one", "all", "begun", "one", "all"]);
    }
}
