//! What is known of a namespace. Reviews do not carry its labels: they come from the cluster or, without one, from
//! Namespace manifests and, failing that, from the configured default, and the record says which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
            Self::Default => "default",
        }
    }
}

impl Namespace {
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

/// A namespace as policies see it.
#[derive(Serialize)]
struct Shown<'a> {
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
}
