//! What of an object's metadata decides how it is admitted: name, labels, owner, deletion.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::shape::{self, ShapeError, only_objects};

only_objects!(RawObject, RawMeta, RawOwner);

/// Metadata of an object, as far as admission asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectMeta {
    /// Missing while the API server has yet to generate it.
    pub name: Option<String>,
    /// The prefix of a name to be generated.
    pub generate_name: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Kind and name of the owner with `controller: true`.
    pub controller: Option<(String, String)>,
    /// Whether `deletionTimestamp` is set.
    pub deleting: bool,
}

#[derive(Deserialize)]
#[serde(remote = "Self")]
struct RawObject {
    metadata: Option<RawMeta>,
}

#[derive(Deserialize, Default)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct RawMeta {
    name: Option<String>,
    generate_name: Option<String>,
    labels: Option<BTreeMap<String, Option<String>>>,
    annotations: Option<BTreeMap<String, Option<String>>>,
    owner_references: Option<Vec<RawOwner>>,
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(remote = "Self")]
struct RawOwner {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
    controller: Option<bool>,
}

impl ObjectMeta {
    /// Reads the metadata of an object.
    ///
    /// # Errors
    /// If the object is none, or a field of its metadata has the wrong type.
    pub fn of(object: &RawValue) -> Result<Self, ShapeError> {
        let raw: RawObject = shape::read(object.get())?;
        Ok(raw.metadata.unwrap_or_default().into())
    }
}

impl From<RawMeta> for ObjectMeta {
    fn from(raw: RawMeta) -> Self {
        let owners = raw.owner_references.unwrap_or_default();
        Self {
            name: raw.name.filter(|name| !name.is_empty()),
            generate_name: raw.generate_name.filter(|name| !name.is_empty()),
            labels: texts(raw.labels),
            annotations: texts(raw.annotations),
            controller: owners
                .into_iter()
                .find(|owner| owner.controller == Some(true))
                .map(|owner| (owner.kind, owner.name)),
            deleting: raw.deletion_timestamp.is_some(),
        }
    }
}

fn texts(entries: Option<BTreeMap<String, Option<String>>>) -> BTreeMap<String, String> {
    entries.unwrap_or_default().into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect()
}
