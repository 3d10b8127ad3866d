//! Facts: what a policy may know beyond the object. The host gathers them before the call, if the policy declared the
//! kind and the administrator granted it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A kind of fact and the shape of its values.
pub trait Fact: DeserializeOwned {
    /// The kind, as the contract names it.
    const KIND: &'static str;
}

/// Labels and annotations of the request's namespace. Its key is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Namespace {
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Fact for Namespace {
    const KIND: &'static str = "namespace";
}

/// What the tag of an image names now. Its key is the image as written, without a digest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageDigest {
    /// Such as `sha256:…`.
    pub digest: String,
}

impl Fact for ImageDigest {
    const KIND: &'static str = "image-digest";
}

/// What an image says about itself. Its key is the image as written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageConfig {
    /// `USER`: a name or a number, with or without a group; empty for root.
    #[serde(default)]
    pub user: String,
    /// Such as `8080/tcp`.
    #[serde(default)]
    pub exposed_ports: Vec<String>,
}

impl Fact for ImageConfig {
    const KIND: &'static str = "image-config";
}

/// A fact that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Kind of the fact.
    pub kind: &'static str,
    /// What was asked for, such as an image.
    pub key: String,
    /// Why it is not there.
    pub reason: String,
}
