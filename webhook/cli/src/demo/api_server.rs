//! What an API server does for a webhook: it makes an AdmissionReview of an object, posts it over TLS to the registered
//! path, and reads the answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use json_patch::Patch;
use portreeve_admission::api::Mode;
use portreeve_certs::{CertificateFolder, PathTokens};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::DemoError;
use super::platform::Workload;

/// How long it waits for an answer: what the webhook's registration would say.
const TIMEOUT: &str = "10s";
/// How long until nothing is expected any more.
const GIVEN_UP: Duration = Duration::from_secs(15);

/// Somebody who calls the webhook as an API server does: trusting its CA alone, with the token in the path.
#[derive(Debug)]
pub(super) struct ApiServer {
    client: reqwest::Client,
    webhook: SocketAddr,
    token: String,
    taken: Vec<Duration>,
}

/// Which of the two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Mutate,
    Validate,
}

/// The webhook's answer. The default is that of a call that was not made.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    pub(super) allowed: bool,
    status: Option<Status>,
    patch: Option<String>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
    #[serde(default)]
    audit_annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Status {
    message: String,
}

#[derive(Deserialize)]
struct Envelope {
    response: Answer,
}

impl ApiServer {
    /// For the webhook at this address, whose certificates are in this folder.
    pub(super) fn new(webhook: SocketAddr, certificates: &CertificateFolder) -> Result<Self, DemoError> {
        let token = PathTokens::load(certificates, Timestamp::now())?.current().to_owned();
        Ok(Self { client: client(&certificates.bundle())?, webhook, token, taken: Vec::new() })
    }

    /// Makes one call about a workload, as `object` is by now.
    pub(super) async fn call(&mut self, call: Call, workload: &Workload, object: &Value) -> Result<Answer, DemoError> {
        let (path, webhook, token) = (call.path(), self.webhook, &self.token);
        let url = format!("https://{webhook}{path}/{token}?timeout={TIMEOUT}");
        let failed = |source: reqwest::Error| DemoError::Call {
            call: path,
            workload: workload.reference(),
            // The path holds the token.
            source: source.without_url(),
        };
        let body = review(self.taken.len(), workload, object).to_string();
        let begun = Instant::now();
        let post = self.client.post(url).header("content-type", "application/json").body(body);
        let answer = post.send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let answer = answer.bytes().await.map_err(failed)?;
        self.taken.push(begun.elapsed());
        let envelope: Envelope = serde_json::from_slice(&answer).map_err(|error| no_answer(call, workload, &error))?;
        Ok(envelope.response)
    }

    /// How long each call took, in their order.
    pub(super) fn taken(&self) -> &[Duration] {
        &self.taken
    }
}

impl Call {
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Mutate => "/mutate",
            Self::Validate => "/validate",
        }
    }
}

impl Answer {
    /// The patch, if there is one.
    pub(super) fn patch(&self, workload: &Workload) -> Result<Option<Patch>, DemoError> {
        let Some(patch) = &self.patch else { return Ok(None) };
        let json = STANDARD.decode(patch).map_err(|error| no_answer(Call::Mutate, workload, &error))?;
        serde_json::from_slice(&json).map(Some).map_err(|error| no_answer(Call::Mutate, workload, &error))
    }

    /// What the user is told of a refusal.
    pub(super) fn message(&self) -> &str {
        self.status.as_ref().map_or("", |status| &status.message)
    }

    /// Policies of which a violation counts, and that are in this mode.
    pub(super) fn violated(&self, mode: Mode) -> impl Iterator<Item = &str> {
        self.annotation("violations").filter_map(move |entry| {
            let (its_mode, rule) = entry.split_once(':')?;
            let (policy, _) = rule.split_once('/')?;
            (its_mode == mode.name()).then_some(policy)
        })
    }

    /// Policies that came to no verdict.
    pub(super) fn failed(&self) -> impl Iterator<Item = &str> {
        self.annotation("failures")
    }

    fn annotation<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.audit_annotations.get(key).into_iter().flat_map(|entries| entries.split(", "))
    }
}

/// A client that trusts the CAs of this file and nobody else.
fn client(bundle: &Path) -> Result<reqwest::Client, DemoError> {
    let unreadable = |reason: String| DemoError::File { path: bundle.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(bundle).map_err(|error| unreadable(error.to_string()))? {
        roots.add(certificate.map_err(|error| unreadable(error.to_string()))?).map_err(DemoError::Trust)?;
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(DemoError::Trust)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder().https_only(true).no_proxy().timeout(GIVEN_UP);
    client.tls_backend_preconfigured(tls).build().map_err(DemoError::Client)
}

/// The review of a CREATE by somebody who is no controller.
fn review(number: usize, workload: &Workload, object: &Value) -> Value {
    let Workload { kind, namespace, name, .. } = workload;
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": format!("00000000-0000-4000-8000-{number:012}"),
            "kind": kind,
            "resource": {
                "group": kind.group,
                "version": kind.version,
                // True of every kind that has a pod template from the start.
                "resource": format!("{}s", kind.kind.to_lowercase()),
            },
            "namespace": namespace,
            "name": name,
            "operation": "CREATE",
            "userInfo": {"username": "demo", "groups": ["system:authenticated"]},
            "object": object,
            "oldObject": null,
            "dryRun": false,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    })
}

fn no_answer(call: Call, workload: &Workload, reason: &dyn std::error::Error) -> DemoError {
    DemoError::Answer { call: call.path(), workload: workload.reference(), reason: reason.to_string() }
}
