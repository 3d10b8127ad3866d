//! Kubernetes manifests: reading them from files, folders and streams with the line of every field, and printing a
//! stream again with some objects changed. What is wrong with an object, and what it should be, is decided elsewhere.
//!
//! Texts are read as `kubectl` reads them: YAML by the rules of `sigs.k8s.io/yaml` (see [`read_stream`]), JSON
//! strictly. The parsers are `granit-parser` and `serde_json`; what is done here is to walk what they report.

mod error;
mod fields;
mod foreign;
mod json;
mod node;
mod paths;
mod render;
mod scalar;
mod stream;
mod yaml;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use portreeve_admission::pointer::Pointer;
use serde_json::Value;

pub use error::{Fault, IdentityChanged, IdentityField, ManifestError};
pub use foreign::Foreign;
pub use paths::{Found, ReadError, ReadErrors, Text, files_named, find_manifests, read_paths};
pub use render::{RenderError, render};
pub use stream::read_stream;

use node::Node;

/// One Kubernetes object as read from a text, which knows where each of its fields is written.
#[derive(Debug, Clone)]
pub struct Manifest {
    source: Arc<str>,
    origin: Origin,
    node: Arc<Node>,
    identity: Identity,
    value: Value,
}

/// Where in its stream an object stands: in which document (empty ones not counted), and where in it if that is a list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    document: usize,
    path: Pointer,
}

/// What names an object; no edit changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    api_version: String,
    kind: String,
    name: String,
    namespace: Option<String>,
}

impl Manifest {
    /// The file's name as it was given, or `stdin`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The line on which the object begins, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.node.place.line
    }

    /// The line of the field or item at `pointer`, counted from 1. Where the object has no such field, that of the
    /// nearest one above it that is there. What comes in by an alias or a merge key stands where its anchor is.
    #[must_use]
    pub fn line_of(&self, pointer: &Pointer) -> usize {
        self.node.line_of(pointer.tokens())
    }

    /// The object.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The object, without where it came from.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.value
    }

    /// Group and version as written: `apps/v1`, `v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.identity.api_version
    }

    /// The API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// The version within the group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version().split_once('/').map_or(self.api_version(), |(_, version)| version)
    }

    /// The kind, such as `Deployment`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.identity.kind
    }

    /// `metadata.name`, or `metadata.generateName` where the API server is to make up the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// `metadata.namespace`, if it is written.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.identity.namespace.as_deref()
    }

    /// This object with other content, to be printed by [`render`]. Lines are still those of the text it came from.
    ///
    /// # Errors
    /// When `value` is another object: its version, kind, name or namespace differ.
    pub fn edited(&self, value: Value) -> Result<Self, IdentityChanged> {
        match Identity::of(&value) {
            Ok(identity) if identity == self.identity => Ok(Self {
                source: Arc::clone(&self.source),
                origin: self.origin.clone(),
                node: Arc::clone(&self.node),
                identity,
                value,
            }),
            _ => Err(IdentityChanged { kind: self.kind().to_owned(), name: self.name().to_owned() }),
        }
    }
}

impl Identity {
    /// Reads what names the object; which of it is missing, if something is.
    fn of(object: &Value) -> Result<Self, IdentityField> {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        Ok(Self {
            api_version: text("/apiVersion").ok_or(IdentityField::ApiVersion)?.to_owned(),
            kind: text("/kind").ok_or(IdentityField::Kind)?.to_owned(),
            name: text("/metadata/name")
                .or_else(|| text("/metadata/generateName"))
                .ok_or(IdentityField::Name)?
                .to_owned(),
            namespace: text("/metadata/namespace").map(ToOwned::to_owned),
        })
    }
}
