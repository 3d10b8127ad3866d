//! What is known of a cluster: what was told holds until all of its kind was told anew, or somebody forgets it.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::{Sight, Watched};
use crate::set::{KnownFrom, Namespace, Objects, Reach};

/// What is known.
#[derive(Default)]
pub(super) struct Known {
    /// None until all were told of.
    pub(super) namespaces: Option<Namespaces>,
    /// Those that were known before a restart, until all are told of.
    pub(super) before: Namespaces,
    /// The objects that facts are made of.
    pub(super) objects: Objects,
    arriving: BTreeMap<Watched, Arriving>,
}

/// Namespaces by their names.
type Namespaces = HashMap<String, Namespace>;

/// What was told of a kind since it was begun anew.
#[derive(Default)]
struct Arriving {
    namespaces: Namespaces,
    objects: Objects,
}

impl Known {
    /// Nothing yet.
    pub(super) fn nothing() -> Self {
        Self { objects: Objects::default().reaching(Reach::Watched), ..Self::default() }
    }

    /// Lets go of a kind: nothing is known of it any more.
    pub(super) fn forget(&mut self, kind: Watched) {
        self.arriving.remove(&kind);
        match kind {
            Watched::Namespaces => self.namespaces = None,
            Watched::Objects(listed) => self.objects.forget_kind(listed),
        }
    }

    /// Takes in what was seen of a kind.
    pub(super) fn take(&mut self, kind: Watched, sight: Sight) -> Result<(), String> {
        match (sight, kind) {
            (Sight::Begun, _) => drop(self.arriving.insert(kind, Arriving::default())),
            (Sight::One(object), Watched::Namespaces) => {
                put(&mut self.arriving.entry(kind).or_default().namespaces, &object)?;
            }
            (Sight::One(object), Watched::Objects(listed)) => {
                self.arriving.entry(kind).or_default().objects.put(listed, namespace_of(&object), &object)?;
            }
            (Sight::Complete, _) => self.complete(kind),
            (Sight::Now(object), Watched::Namespaces) => put(self.namespaces.get_or_insert_default(), &object)?,
            (Sight::Now(object), Watched::Objects(listed)) => {
                self.objects.put(listed, namespace_of(&object), &object)?;
            }
            (Sight::Gone(object), Watched::Namespaces) => {
                self.namespaces.get_or_insert_default().remove(name_of(&object));
            }
            (Sight::Gone(object), Watched::Objects(listed)) => {
                self.objects.remove(listed, namespace_of(&object), name_of(&object));
            }
        }
        Ok(())
    }

    fn complete(&mut self, kind: Watched) {
        let arrived = self.arriving.remove(&kind).unwrap_or_default();
        match kind {
            Watched::Namespaces => {
                self.namespaces = Some(arrived.namespaces);
                self.before = Namespaces::new();
            }
            Watched::Objects(listed) => self.objects.take_kind(listed, arrived.objects),
        }
    }
}

fn put(namespaces: &mut Namespaces, object: &Value) -> Result<(), String> {
    let (name, namespace) = Namespace::read(object, KnownFrom::Cluster)?;
    namespaces.insert(name, namespace);
    Ok(())
}

fn namespace_of(object: &Value) -> &str {
    object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default()
}

fn name_of(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}
