//! What is known of a namespace. Reviews do not carry its labels: they come from the cluster or, without one, from
//! Namespace manifests and, failing that, from the configured default, and the record says which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is known of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Namespace {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Who said so.
    pub known_from: KnownFrom,
}

/// Who told what is known of a namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownFrom {
    /// A Namespace manifest.
    Manifest,
    /// The cluster.
    Cluster,
    /// The cluster, before a restart: it was not reached since.
    LastSeen,
    /// The configured default.
    #[default]
    Default,
}

/// The label that the API server sets on every namespace.
const NAME: &str = "kubernetes.io/metadata.name";

impl KnownFrom {
    /// As the record names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Cluster => "cluster",
            Self::LastSeen => "last-seen",
            Self::Default => "default",
        }
    }
}

impl Namespace {
    /// What a Namespace object says of itself, with its name.
    ///
    /// # Errors
    /// Where it has not the shape it should have.
    pub fn read(object: &Value, known_from: KnownFrom) -> Result<(String, Self), String> {
        let Raw { metadata } =
            serde_path_to_error::deserialize(object).map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
        let namespace = Self {
            labels: metadata.labels.unwrap_or_default(),
            annotations: metadata.annotations.unwrap_or_default(),
            known_from,
        };
        let named = namespace.named(&metadata.name);
        Ok((metadata.name, named))
    }

    /// The same for the namespace of this name: the API server labels every one with its name.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        let mut named = self.clone();
        named.labels.insert(NAME.to_owned(), name.to_owned());
        named
    }

    /// As the fact that policies are given.
    #[must_use]
    pub fn as_fact(&self) -> String {
        let Self { labels, annotations, .. } = self;
        // A map of strings is always JSON.
        serde_json::to_string(&Shown { labels, annotations }).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Raw {
    metadata: RawMetadata,
}

#[derive(Deserialize)]
struct RawMetadata {
    name: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// A namespace as policies see it.
#[derive(Serialize)]
struct Shown<'a> {
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
}
