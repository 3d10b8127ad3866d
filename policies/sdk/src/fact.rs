//! Facts: what a policy may know beyond the object. The host gathers them before the call, if the policy declared the
//! kind and the administrator granted it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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

/// The signatures of an image that hold; the host checked them. Its key is the image as written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct ImageSignatures(pub Vec<Signer>);

impl Fact for ImageSignatures {
    const KIND: &'static str = "image-signatures";
}

/// Who signed an image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Signer {
    /// The holder of a key.
    Key {
        /// The name under which the host was given the public key.
        key: String,
    },
    /// Somebody to whom a certificate was issued for the moment of signing.
    Identity {
        /// Who vouched for the subject, such as `https://token.actions.githubusercontent.com`.
        issuer: String,
        /// Who signed, such as an e-mail address or the URL of a workflow.
        subject: String,
    },
}

/// An object of the request's namespace, as a fact shows it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Object {
    /// Name.
    pub name: String,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// The uid of the owner that controls it.
    #[serde(default)]
    pub controller: Option<String>,
    /// `spec` as it stands.
    #[serde(default)]
    pub spec: Value,
}

/// Makes a fact of the objects of one kind in the request's namespace. Its key is empty.
macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Vec<Object>);

        impl Fact for $name {
            const KIND: &'static str = $kind;
        }
    )+};
}

objects! {
    /// The NetworkPolicies of the request's namespace.
    NetworkPolicies = "network-policies";
    /// The PodDisruptionBudgets of the request's namespace.
    DisruptionBudgets = "disruption-budgets";
    /// The HorizontalPodAutoscalers of the request's namespace.
    Autoscalers = "autoscalers";
    /// The Services of the request's namespace.
    Services = "services";
    /// The Pods that run in the Namespace that is judged: of each what the Pod Security Standards look at.
    RunningPods = "running-pods";
}

/// The zones of the cluster's nodes. Its key is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Zones(pub Vec<String>);

impl Fact for Zones {
    const KIND: &'static str = "zones";
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
