//! A text to manifests: which of the two formats it is in, and `List`s taken apart.

use std::sync::Arc;

use portreeve_admission::pointer::Pointer;
use serde_json::Value;

use super::error::{Fault, ManifestError};
use super::foreign::Foreign;
use super::node::{Content, Document, Node};
use super::{Identity, Manifest, Origin, json, yaml};

/// Reads the objects of a text: one or several YAML documents, or JSON values after one another. Empty documents are
/// skipped; a `List`, and any other kind that ends so and has a list of `items`, is taken apart.
///
/// `name` is what errors call the text: a file's name, or `stdin`. A text is JSON if its name ends in `.json`, or if it
/// begins with a bracket and is JSON. YAML scalars mean what they mean to `kubectl`: unquoted `yes`, `on`, `y` and
/// their like are booleans, `0644` is octal, `1_000` and `1e3` are the integer 1000; keys that are integers or booleans
/// become texts; aliases are written out and `<<` merges in the order of the text. Refused, though some readers take
/// them: a key that stands twice, fractions and null as keys, infinities, `!!binary`, more than 128 levels, and aliases
/// that would repeat more than 32 MiB.
///
/// # Errors
/// The first thing that is wrong, with its line and column.
pub fn read_stream(name: &str, text: &str) -> Result<Vec<Manifest>, ManifestError> {
    let file = Arc::from(name);
    Stream::read(&file, text)?.manifests(&file)
}

/// What a text holds that nobody said holds objects.
pub(super) enum Contents {
    /// Objects, as far as somebody began to write some.
    Objects(Vec<Manifest>),
    /// What no API server ever sees, alone.
    Foreign(Foreign),
    /// Nothing that looks like an object.
    NoObjects,
}

/// The same of a text that nobody said holds objects.
pub(super) fn read_found(name: &str, text: &str) -> Result<Contents, ManifestError> {
    let file = Arc::from(name);
    let stream = Stream::read(&file, text)?;
    let roots = || stream.documents.iter().map(|document| document.root.as_ref());
    let mut objects = roots().filter(|root| looks_like_an_object(root) && Foreign::of(root).is_none());
    if stream.documents.is_empty() || objects.next().is_some() {
        return stream.manifests(&file).map(Contents::Objects);
    }
    Ok(roots().find_map(Foreign::of).map_or(Contents::NoObjects, Contents::Foreign))
}

/// Whether somebody began to write a Kubernetes object here.
fn looks_like_an_object(node: &Node) -> bool {
    node.child("apiVersion").is_some() || node.child("kind").is_some()
}

/// A text, parsed.
pub(super) struct Stream {
    pub(super) format: Format,
    /// Those that are not empty.
    pub(super) documents: Vec<Document>,
}

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Json,
}

impl Stream {
    pub(super) fn read(file: &Arc<str>, text: &str) -> Result<Self, ManifestError> {
        Self::parsed(file, text).map_err(|error| ManifestError { fault: error.fault.in_text(text), ..error })
    }

    fn parsed(file: &Arc<str>, text: &str) -> Result<Self, ManifestError> {
        let json = || json::read(file, text).map(|documents| Self { format: Format::Json, documents });
        let yaml = || yaml::read(file, text).map(|documents| Self { format: Format::Yaml, documents });
        if file.ends_with(".json") {
            json()
        } else if text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) {
            // Brackets begin YAML too; what is neither was most likely meant as JSON.
            json().or_else(|error| yaml().map_err(|_| error))
        } else {
            yaml()
        }
    }

    fn manifests(&self, file: &Arc<str>) -> Result<Vec<Manifest>, ManifestError> {
        let mut manifests = Vec::new();
        for (at, document) in self.documents.iter().enumerate() {
            take_apart(file, Origin { document: at, path: Pointer::root() }, &document.root, None, &mut manifests)?;
        }
        Ok(manifests)
    }
}

fn take_apart(
    file: &Arc<str>,
    origin: Origin,
    node: &Arc<Node>,
    list: Option<&Node>,
    manifests: &mut Vec<Manifest>,
) -> Result<(), ManifestError> {
    let Content::Map { .. } = node.content else {
        return Err(Fault::NotAnObject.at(file, node.place.spot()));
    };
    let Some(items) = list_items(node) else {
        manifests.push(manifest(file, origin, node, list)?);
        return Ok(());
    };
    for (at, item) in items.iter().enumerate() {
        let origin = Origin { path: origin.path.child("items").child(at), ..origin };
        take_apart(file, origin, item, Some(node), manifests)?;
    }
    Ok(())
}

/// An object, alone or an item of this list.
fn manifest(file: &Arc<str>, origin: Origin, node: &Arc<Node>, list: Option<&Node>) -> Result<Manifest, ManifestError> {
    let mut value = node.value();
    if let Some(list) = list.filter(|_| !looks_like_an_object(node)) {
        name_as_item(&mut value, list);
    }
    let fault = |field| Foreign::of(node).map_or(Fault::Missing(field), Fault::Foreign);
    let identity = Identity::of(&value).map_err(|field| fault(field).at(file, node.place.spot()))?;
    Ok(Manifest { source: Arc::clone(file), origin, node: Arc::clone(node), identity, value })
}

/// Gives an item the version and kind that its list says for all: an API server writes a `PodList` so.
fn name_as_item(item: &mut Value, list: &Node) {
    let text = |name: &str| match &list.child(name)?.0.node.content {
        Content::Scalar(Value::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let kind = text("kind").and_then(|kind| kind.strip_suffix("List")).filter(|kind| !kind.is_empty());
    if let (Some(item), Some(kind), Some(version)) = (item.as_object_mut(), kind, text("apiVersion")) {
        item.insert("apiVersion".to_owned(), version.into());
        item.insert("kind".to_owned(), kind.into());
    }
}

/// The items, if this is a list of objects. A `List` may have none, or null.
fn list_items(node: &Node) -> Option<Vec<Arc<Node>>> {
    let (kind, _) = node.child("kind")?;
    let Content::Scalar(Value::String(kind)) = &kind.node.content else { return None };
    match node.child("items").map(|(items, _)| &items.node.content) {
        Some(Content::List { items, .. }) if kind.ends_with("List") => {
            Some(items.iter().map(|item| Arc::clone(&item.node)).collect())
        }
        Some(Content::Scalar(Value::Null)) | None if kind == "List" => Some(Vec::new()),
        _ => None,
    }
}
