//! Our resources as they stand in a cluster, as plain lists: watched, read with the types that files are read with,
//! told whole after each change. What can't be read is told beside what can. Nothing is checked beyond shapes, and
//! nothing made of them here: that is the server's set.

use std::fmt;

use futures_util::future::ready;
use futures_util::stream::select_all;
use futures_util::{Stream, StreamExt};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use portreeve_admission::api::{Object, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::crd::{GROUP, Kind, VERSION};

/// All of our resources at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// Those that can be read, in the order of kinds and names.
    pub known: Vec<Known>,
    /// Those that can't.
    pub unreadable: Vec<Unreadable>,
}

/// A resource that can be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What it says.
    pub resource: Resource,
    /// What its status has to name.
    pub stored: Stored,
}

/// A resource whose shape is none of this version's: written by a newer one, or before the definition was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What its status has to name.
    pub stored: Stored,
    /// Where in it, and why.
    pub reason: String,
}

/// What is known of a resource whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Which.
    pub place: Place,
    /// By which events name it.
    pub uid: Option<String>,
    /// How often its spec was changed.
    pub generation: Option<i64>,
    /// Its status as it stands; null if it has none yet.
    pub status: Value,
}

/// Which resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace, if its kind has one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Place {
    /// As files name it: `PolicyException/shop/old`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind.name(), self.name),
            None => write!(f, "{}/{}", self.kind.name(), self.name),
        }
    }
}

/// Watches our resources, and tells all of them whenever one changed, first when every kind is known, until nobody
/// listens any more. What the API server does not answer is asked again; what was told last holds meanwhile.
pub async fn watch(client: Client, told: watch::Sender<Option<Resources>>) {
    let (stores, changes): (Vec<_>, Vec<_>) = Kind::ALL.map(|kind| mirrored(client.clone(), kind)).into_iter().unzip();
    let mut changes = select_all(changes);
    let mut complete = Kind::ALL.map(|_| false);
    loop {
        let change = tokio::select! {
            () = told.closed() => return,
            Some(change) = changes.next() => change,
        };
        for (kind, complete) in Kind::ALL.iter().zip(&mut complete) {
            *complete |= change == Change::Complete(*kind);
        }
        if complete.iter().all(|complete| *complete) {
            let now = read(&stores);
            told.send_if_modified(|before| {
                let changed = before.as_ref() != Some(&now);
                *before = Some(now);
                changed
            });
        }
    }
}

/// What happened to the mirror of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It holds all objects now.
    Complete(Kind),
    /// It holds another object, or one less.
    Changed,
}

type Changes = std::pin::Pin<Box<dyn Stream<Item = Change> + Send>>;

/// A mirror of all objects of a kind, and when it changes.
fn mirrored(client: Client, kind: Kind) -> ((Kind, Store<DynamicObject>), Changes) {
    let resource = api_resource(kind);
    let writer = reflector::store::Writer::new(resource.clone());
    let store = writer.as_reader();
    let objects = watcher::watcher(Api::<DynamicObject>::all_with(client, &resource), watcher::Config::default());
    let changes = objects.default_backoff().reflect(writer).filter_map(move |event| ready(change(kind, event)));
    ((kind, store), Box::pin(changes))
}

fn change(kind: Kind, event: watcher::Result<watcher::Event<DynamicObject>>) -> Option<Change> {
    match event {
        Ok(watcher::Event::InitDone) => Some(Change::Complete(kind)),
        Ok(watcher::Event::Apply(_) | watcher::Event::Delete(_)) => Some(Change::Changed),
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => None,
        Err(error) => {
            tracing::warn!(kind = kind.name(), error = crate::with_causes(&error), "the watch begins again");
            None
        }
    }
}

pub(crate) fn api_resource(kind: Kind) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, kind.name()), kind.plural())
}

fn read(stores: &[(Kind, Store<DynamicObject>)]) -> Resources {
    let mut resources = Resources::default();
    for (kind, store) in stores {
        for object in store.state() {
            match known(*kind, &object) {
                Ok(known) => resources.known.push(known),
                Err(unreadable) => resources.unreadable.push(*unreadable),
            }
        }
    }
    resources.known.sort_by(|one, other| one.stored.place.cmp(&other.stored.place));
    resources.unreadable.sort_by(|one, other| one.stored.place.cmp(&other.stored.place));
    resources
}

fn known(kind: Kind, object: &DynamicObject) -> Result<Known, Box<Unreadable>> {
    let stored = Stored {
        place: Place { kind, namespace: object.namespace(), name: object.name_any() },
        uid: object.uid(),
        generation: object.metadata.generation,
        status: object.data.get("status").cloned().unwrap_or_default(),
    };
    match resource(kind, object) {
        Ok(resource) => Ok(Known { resource, stored }),
        Err(reason) => Err(Box::new(Unreadable { stored, reason })),
    }
}

fn resource(kind: Kind, object: &DynamicObject) -> Result<Resource, String> {
    let value = serde_json::to_value(object).map_err(|error| error.to_string())?;
    match kind {
        Kind::ClusterPolicy => typed(value).map(Resource::ClusterPolicy),
        Kind::PolicySet => typed(value).map(Resource::PolicySet),
        Kind::PolicyException => typed(value).map(Resource::PolicyException),
        Kind::Policy => typed(value).map(Resource::Policy),
    }
}

/// As files are read, with the place of what is wrong.
fn typed<Spec: DeserializeOwned>(object: Value) -> Result<Object<Spec>, String> {
    serde_path_to_error::deserialize(object).map_err(|error| format!("{}: {}", error.path(), error.inner()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: Kind, spec: &Value) -> DynamicObject {
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind.name(), "spec": spec, "status": {"conditions": []},
            "metadata": {"name": "a", "namespace": "shop", "generation": 3, "uid": "1", "managedFields": []},
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn an_object_of_a_cluster_is_read_as_a_file_is() {
        let read = known(Kind::Policy, &object(Kind::Policy, &json!({"module": {"builtin": "seccomp"}}))).unwrap();
        assert_eq!((read.stored.place.to_string().as_str(), read.stored.generation), ("Policy/shop/a", Some(3)));
        assert_eq!(read.resource.reference(), "Policy/shop/a");
        assert_eq!(read.stored.status, json!({"conditions": []}));
    }

    #[test]
    fn what_can_not_be_read_is_named_with_the_place_in_it() {
        let spec = json!({"module": {"builtin": "seccomp"}, "mode": "enforced"});
        let unreadable = known(Kind::ClusterPolicy, &object(Kind::ClusterPolicy, &spec)).unwrap_err();
        assert!(unreadable.reason.starts_with("spec.mode: "), "{}", unreadable.reason);
        let Stored { generation, uid, status, .. } = unreadable.stored;
        assert_eq!((generation, uid.as_deref(), status), (Some(3), Some("1"), json!({"conditions": []})));
    }
}
