//! The cluster that a server works in: how its API server is reached, and what is kept there. The server itself asks
//! nobody; what is told of the cluster comes to it from outside.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The cluster that we serve.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesConfig {
    /// What leads to its API server. Left out: the service account of the pod that we run in.
    #[serde(default)]
    pub kubeconfig: Option<PathBuf>,
    /// Our own namespace. Left out: `$POD_NAMESPACE`, else that of the service account or the kubeconfig.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Where policies come from.
    #[serde(default)]
    pub policies: PoliciesFrom,
    /// Secret of our own namespace that all replicas take their certificate and their token from: the leader makes it,
    /// and `tls.folder` is this replica's copy. Left out: the folders are this replica's own affair.
    #[serde(default)]
    pub certificate_secret: Option<String>,
    /// Where the certificate is somebody else's (`tls: {certificate, key}`): Secret of our own namespace that all
    /// replicas take the token from. The leader makes it, and renews the token when it would a certificate of our own;
    /// `callers.tokenFolder` is this replica's copy. Needs `registration`. Left out: the token is somebody else's too.
    #[serde(default)]
    pub token_secret: Option<String>,
    /// How long what is in that Secret lasts. Tokens last as long as a certificate.
    #[serde(default)]
    pub rotation: RotationConfig,
    /// Lease of our own namespace, by which one replica does what only one may do.
    #[serde(default = "ours")]
    pub lease: String,
    /// The group whose members may have denials dropped for a time, by an annotation of the PolicySet. Left out: nobody
    /// may, and an annotation of a PolicySet in the cluster does nothing. Whoever sets it is asked by way of the
    /// registration. Of policy files whoever writes them decides.
    #[serde(default)]
    pub break_glass_group: Option<String>,
    /// Whether owners of workloads are told by Events what was denied and warned of.
    #[serde(default = "yes")]
    pub events: bool,
    /// How what is there already is judged again. Left out: it is not.
    #[serde(default)]
    pub scan: Option<ScanConfig>,
    /// How the API server is told to ask us. Left out: somebody else tells it.
    #[serde(default)]
    pub registration: Option<RegistrationConfig>,
}

impl KubernetesConfig {
    /// Our own namespace: as it is configured, else as `$POD_NAMESPACE` says, which a pod has that serves without
    /// asking its cluster too. Whoever has a connection knows where else it may be told.
    #[must_use]
    pub fn own_namespace(configured: Option<&Self>) -> Option<String> {
        let configured = configured.and_then(|kubernetes| kubernetes.namespace.clone());
        configured.or_else(|| std::env::var("POD_NAMESPACE").ok())
    }
}

/// How long our own certificates and tokens last. Each is renewed at two thirds of its life, or when somebody asks
/// (`portreeve cluster rotate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RotationConfig {
    /// Days that a CA holds.
    pub authority_days: u16,
    /// Days that a serving certificate holds. The token comes new with it; in a Secret of its own, as often.
    pub leaf_days: u16,
    /// Seconds that a new CA is trusted before it signs, and a new token taken before it is registered; at least a
    /// minute.
    pub overlap_seconds: u32,
}

impl Default for RotationConfig {
    fn default() -> Self {
        Self { authority_days: 365, leaf_days: 90, overlap_seconds: 86_400 }
    }
}

impl RotationConfig {
    /// CA, leaf and overlap.
    #[must_use]
    pub fn lifetimes(self) -> (Duration, Duration, Duration) {
        let days = |days: u16| Duration::from_secs(86_400).saturating_mul(days.into());
        (days(self.authority_days), days(self.leaf_days), Duration::from_secs(self.overlap_seconds.into()))
    }
}

/// Where policies come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PoliciesFrom {
    /// Our resources in the cluster; the platform profile while there is no ClusterPolicy and no PolicySet.
    #[default]
    Resources,
    /// The policy folder, as without a cluster.
    Files,
}

/// How the API server is told to ask us.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistrationConfig {
    /// Name of both webhook configurations.
    #[serde(default = "ours")]
    pub name: String,
    /// Where the API server reaches us.
    pub at: ServedAt,
    /// PEM of the CAs that our certificate is signed by, where it is not our own.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Seconds that another certificate, where it is not our own, waits before it is served: until then the CA that
    /// signed it is registered, whichever replica finds the files first. A CA that they hold no more stays registered
    /// for three times as long.
    #[serde(default = "two_minutes")]
    pub overlap_seconds: u32,
}

impl RegistrationConfig {
    /// How long another certificate waits before it is served; none where it is our own, which is rotated in steps.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        self.ca_file.as_ref().map(|_| Duration::from_secs(self.overlap_seconds.into()))
    }
}

/// Where the API server reaches us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    untagged,
    expecting = "say `{service: NAME}`, with `port` if it is not 443, or `{url: https://HOST:PORT}`"
)]
pub enum ServedAt {
    /// By a Service of our own namespace.
    Service {
        /// Its name.
        service: String,
        /// Its port.
        #[serde(default = "https")]
        port: u16,
    },
    /// By itself.
    Url {
        /// As in `https://10.0.0.7:8443`, for which the certificate has to be.
        #[serde(deserialize_with = "origin")]
        url: String,
    },
}

/// How what is in the cluster already is judged: by the leader, whenever the set in force changes, and from time to
/// time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScanConfig {
    /// Seconds from the end of a round to the next.
    #[serde(default = "hourly")]
    pub every_seconds: NonZeroU32,
    /// The most objects that are judged in a second.
    #[serde(default = "five_hundred")]
    pub per_second: NonZeroU32,
    /// What is written about them.
    #[serde(default)]
    pub reports: ReportsConfig,
}

/// What is written about objects that were judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReportsConfig {
    /// `Report` and `ClusterReport` of `openreports.io/v1alpha1`.
    #[default]
    OpenReports,
    /// `PolicyReport` and `ClusterPolicyReport` of `wgpolicyk8s.io/v1alpha2`.
    PolicyReports,
}

impl KubernetesConfig {
    /// What can't be meant together, in words.
    pub(super) fn contradiction(&self) -> Option<String> {
        let is_unasked = self.policies == PoliciesFrom::Resources && self.registration.is_none();
        let group = self.break_glass_group.as_ref().filter(|_| is_unasked)?;
        Some(format!(
            "kubernetes.breakGlassGroup names {group:?}, and without kubernetes.registration nobody asks whether who \
             sets break-glass is in it: have this server registered by itself, or name no group"
        ))
    }

    /// Paths that may be relative.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let ca_file = self.registration.as_mut().and_then(|registration| registration.ca_file.as_mut());
        [self.kubeconfig.as_mut(), ca_file].into_iter().flatten()
    }
}

/// An address without a path, since the calls' own are put behind it.
fn origin<'de, D: Deserializer<'de>>(text: D) -> Result<String, D::Error> {
    let text = String::deserialize(text)?;
    let url = Url::parse(&text).map_err(D::Error::custom)?;
    let bare = url.scheme() == "https" && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return Err(D::Error::custom("it is no https://HOST:PORT"));
    }
    Ok(url.origin().ascii_serialization())
}

fn yes() -> bool {
    true
}

fn hourly() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(3599)
}

fn five_hundred() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(499)
}

/// Of a Secret that changed every node has the new files within a minute and a half.
fn two_minutes() -> u32 {
    120
}

fn ours() -> String {
    "portreeve".to_owned()
}

fn https() -> u16 {
    443
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served_at(text: &str) -> Result<ServedAt, serde_json::Error> {
        serde_json::from_value(serde_json::json!({"url": text}))
    }

    #[test]
    fn an_address_is_one_without_a_path() {
        for text in ["https://10.0.0.7:8443", "https://10.0.0.7:8443/"] {
            assert_eq!(served_at(text).unwrap(), ServedAt::Url { url: "https://10.0.0.7:8443".to_owned() });
        }
        // Whatever a URL's rules make of it is what is registered.
        for text in [" https://Gate", "https:gate", "https:\\\\gate", "https://gate:443"] {
            assert_eq!(served_at(text).unwrap(), ServedAt::Url { url: "https://gate".to_owned() }, "{text}");
        }
        for text in ["http://a", "https://a/b", "https://a?b", "https://a#b", "https://b@a", "a:8443", ""] {
            let error = served_at(text).unwrap_err().to_string();
            assert!(error.contains("`{url: https://HOST:PORT}`"), "{text}: {error}");
        }
    }
}
