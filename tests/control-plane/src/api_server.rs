//! Talking to an API server as a user does: objects go in, and what comes back is the object with its warnings, or a
//! refusal in the API server's words.

use std::path::Path;

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use portreeve_admission::case::GroupVersionKind;
use portreeve_admission::kinds::{Scope, resource, scope};
use serde_json::Value;

use crate::Fault;

/// Who applies.
const FIELD_MANAGER: &str = "portreeve-tests";
/// Where a request says in which trace it is.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Where objects without a namespace are put.
const NAMESPACE: &str = "default";

/// Whether anything comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// The object is stored.
    Real,
    /// All is done but storing it.
    Dry,
}

/// What a request came to.
#[derive(Debug)]
pub enum Answer {
    /// It was done.
    Done {
        /// The object as it stands now.
        object: Value,
        /// What the user is told beside it.
        warnings: Vec<String>,
    },
    /// It was refused.
    Refused(Refusal),
}

/// A refusal.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code} {reason}: {message}")]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// In one word, such as `Forbidden` or `Invalid`.
    pub reason: String,
    /// In all words.
    pub message: String,
}

impl Answer {
    /// The object with its warnings.
    ///
    /// # Errors
    /// If it was refused.
    pub fn done(self) -> Result<(Value, Vec<String>), Refusal> {
        match self {
            Self::Done { object, warnings } => Ok((object, warnings)),
            Self::Refused(refusal) => Err(refusal),
        }
    }

    /// The refusal.
    ///
    /// # Errors
    /// If it was done.
    pub fn refused(self) -> Result<Refusal, Fault> {
        match self {
            Self::Refused(refusal) => Ok(refusal),
            Self::Done { object, .. } => Err(format!("it was done: {object}").into()),
        }
    }
}

/// An API server, as one of its users sees it.
#[derive(Clone)]
pub struct ApiServer {
    client: Client,
    traceparent: Option<HeaderValue>,
}

impl ApiServer {
    /// The one that a kubeconfig leads to, as the user that it names.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn at(kubeconfig: &Path) -> Result<Self, Fault> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Self { client: Client::try_from(config)?, traceparent: None })
    }

    /// The same, asked in a trace that a user began: the value of a W3C `traceparent`.
    ///
    /// # Errors
    /// If no header can have that value.
    pub fn in_trace(&self, traceparent: &str) -> Result<Self, Fault> {
        Ok(Self { client: self.client(), traceparent: Some(traceparent.parse()?) })
    }

    /// The client under it, for typed reading.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        match request(Method::GET, "/readyz", "", Vec::new()) {
            Ok(request) => self.client.send(request).await.is_ok_and(|answer| answer.status().is_success()),
            Err(_) => false,
        }
    }

    /// Its minor version.
    ///
    /// # Errors
    /// If it does not say.
    pub async fn minor(&self) -> Result<u32, Fault> {
        let version = self.client.apiserver_version().await?;
        Ok(version.minor.trim_end_matches('+').parse()?)
    }

    /// Creates the object.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn create(&self, object: &Value, run: Run) -> Result<Answer, Fault> {
        let path = format!("{}?fieldValidation=Strict{}", collection(object), dry(run));
        self.send(request(Method::POST, &path, "application/json", serde_json::to_vec(object)?)?).await
    }

    /// Applies the object on the server's side; of fields that others own, none is taken.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn apply(&self, object: &Value, run: Run) -> Result<Answer, Fault> {
        let path = format!("{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{}", place(object), dry(run));
        self.send(request(Method::PATCH, &path, "application/apply-patch+yaml", serde_json::to_vec(object)?)?).await
    }

    /// Changes some fields of an object that is there: a JSON merge patch.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn merge(&self, object: &Value, patch: &Value) -> Result<Answer, Fault> {
        self.send(request(Method::PATCH, &place(object), "application/merge-patch+json", serde_json::to_vec(patch)?)?)
            .await
    }

    /// Replaces a part of an object that is there, such as `ephemeralcontainers`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn replace(&self, object: &Value, subresource: &str, run: Run) -> Result<Answer, Fault> {
        let path = format!("{}/{subresource}?fieldValidation=Strict{}", place(object), dry(run));
        self.send(request(Method::PUT, &path, "application/json", serde_json::to_vec(object)?)?).await
    }

    /// The object of this kind and name, as it stands.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, object: &Value) -> Result<Answer, Fault> {
        self.send(request(Method::GET, &place(object), "", Vec::new())?).await
    }

    /// Deletes the object of this kind and name.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn delete(&self, object: &Value) -> Result<Answer, Fault> {
        self.send(request(Method::DELETE, &place(object), "", Vec::new())?).await
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Answer, Fault> {
        request.headers_mut().extend(self.traceparent.clone().map(|value| (TRACEPARENT, value)));
        let answer = self.client.send(request).await?;
        let (status, warnings) = (answer.status(), warnings(&answer));
        let body: Value = serde_json::from_slice(&answer.into_body().collect_bytes().await?)?;
        Ok(if status.is_success() {
            Answer::Done { object: body, warnings }
        } else {
            Answer::Refused(refusal(status, &body))
        })
    }
}

fn request(method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Result<Request<Body>, http::Error> {
    let request = Request::builder().method(method).uri(path);
    let request = if content_type.is_empty() { request } else { request.header("content-type", content_type) };
    request.body(Body::from(body))
}

fn dry(run: Run) -> &'static str {
    match run {
        Run::Real => "",
        Run::Dry => "&dryRun=All",
    }
}

/// The path of all objects of this kind in its namespace.
fn collection(object: &Value) -> String {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
    let kind = GroupVersionKind { group: group.into(), version: version.into(), kind: text("/kind").into() };
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let resource = resource(&kind).resource;
    match (scope(group, &kind.kind), text("/metadata/namespace")) {
        (Scope::Cluster, _) => format!("{root}/{resource}"),
        (Scope::Namespaced, "") => format!("{root}/namespaces/{NAMESPACE}/{resource}"),
        (Scope::Namespaced, namespace) => format!("{root}/namespaces/{namespace}/{resource}"),
    }
}

/// The path of this object.
fn place(object: &Value) -> String {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    format!("{}/{name}", collection(object))
}

/// What `Warning` headers say: `299 - "text"`.
fn warnings<B>(answer: &Response<B>) -> Vec<String> {
    let values = answer.headers().get_all(http::header::WARNING).iter();
    let texts = values.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()?.split_once('"'));
    texts.map(|(_, text)| text.strip_suffix('"').unwrap_or(text).replace("\\\"", "\"").replace("\\\\", "\\")).collect()
}

fn refusal(status: StatusCode, body: &Value) -> Refusal {
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    Refusal { code: status.as_u16(), reason: text("reason"), message: text("message") }
}
