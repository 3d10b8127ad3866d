//! Policies judged without WebAssembly: a scene is made of JSON, and a policy sees it through the same [`Case`] as
//! in a component. For tests. What a component does beyond that (traps, limits, being frozen) is not shown here.
//!
//! ```
//! use portreeve_sdk::native::Scene;
//! # use portreeve_sdk::{Case, Manifest, Policy, SettingsError, Stop, Verdict};
//! # struct Lenient;
//! # impl Policy for Lenient {
//! #     type Settings = std::collections::BTreeMap<String, ()>;
//! #     fn manifest() -> Manifest { Manifest::new("lenient", "1.0.0") }
//! #     fn configure(_: Self::Settings) -> Result<Self, SettingsError> { Ok(Self) }
//! #     fn evaluate(&self, _: &Case<'_>) -> Result<Verdict, Stop> { Ok(Verdict::default()) }
//! # }
//! let pod = serde_json::json!({
//!     "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "a"}]}
//! });
//! let verdict = Scene::create(pod)?.judge::<Lenient>(&serde_json::json!({}))?;
//! assert!(verdict.violations().is_empty());
//! # Ok::<(), portreeve_sdk::native::SceneError>(())
//! ```

mod convert;
mod outcome;
mod source;

use std::sync::Arc;

use portreeve_admission::case::{
    Case as AdmissionCase, FactKind, Facts, GroupVersionKind, GroupVersionResource, Operation, Request,
};
use portreeve_admission::document::Document;
use portreeve_admission::subject::{SubjectError, TemplatePaths};
use serde_json::Value;

use crate::case::{Case, Views};
use crate::policy::{Policy, SettingsError, Stop};
use crate::verdict::Verdict;

pub use convert::{EditError, edits};
pub use outcome::outcome;

/// A request, its objects and its facts.
#[derive(Debug, Clone)]
pub struct Scene(AdmissionCase);

/// Why a scene can't be played.
#[derive(Debug, Clone, PartialEq)]
pub enum SceneError {
    /// The object's template can't be read.
    Subject(SubjectError),
    /// The settings are refused.
    Settings(SettingsError),
    /// The policy came to no verdict.
    Stop(Stop),
}

impl std::fmt::Display for SceneError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Subject(error) => error.fmt(f),
            Self::Settings(error) => write!(f, "the setting {:?}: {}", error.at, error.reason),
            Self::Stop(stop) => write!(f, "no verdict: {stop:?}"),
        }
    }
}

impl std::error::Error for SceneError {}

impl Scene {
    /// A CREATE of this object.
    ///
    /// # Errors
    /// If its template can't be read.
    pub fn create(object: Value) -> Result<Self, SceneError> {
        Self::of(Operation::Create, object, None)
    }

    /// An UPDATE from one object to another.
    ///
    /// # Errors
    /// If a template can't be read.
    pub fn update(old: Value, object: Value) -> Result<Self, SceneError> {
        Self::of(Operation::Update, object, Some(old))
    }

    /// Puts down a fact, or why it could not be had.
    #[must_use]
    pub fn with_fact(mut self, kind: FactKind, key: &str, value: Result<Value, &str>) -> Self {
        let value = value.map(|value| Arc::from(value.to_string())).map_err(str::to_owned);
        Arc::make_mut(&mut self.0.facts).insert(kind, key, value);
        self
    }

    /// The same request to a subresource, such as `ephemeralcontainers`.
    #[must_use]
    pub fn to_subresource(mut self, subresource: &str) -> Self {
        Arc::make_mut(&mut self.0.request).subresource = Some(subresource.to_owned());
        self
    }

    /// What a policy with these settings says.
    ///
    /// # Errors
    /// If the settings are refused, or there is no verdict.
    pub fn judge<P: Policy>(&self, settings: &Value) -> Result<Verdict, SceneError> {
        let judge = crate::export::Registration::of::<P>().configure(&settings.to_string());
        judge.map_err(SceneError::Settings)?.evaluate(&self.views(), P::manifest().name).map_err(SceneError::Stop)
    }

    /// The views of this scene, for policies that are configured already.
    #[must_use]
    pub fn views(&self) -> Views {
        Views::new(source::Json(self.0.clone()))
    }

    /// The same, as the host sees it.
    #[must_use]
    pub fn case(&self) -> &AdmissionCase {
        &self.0
    }

    /// Shows the scene to `look`, as an instance with no name.
    pub fn show<T>(&self, look: impl FnOnce(&Case<'_>) -> T) -> T {
        look(&Case::new(&self.views(), ""))
    }

    fn of(operation: Operation, object: Value, old: Option<Value>) -> Result<Self, SceneError> {
        let kind = kind_of(&object);
        let request = Request {
            operation,
            resource: resource_of(&kind),
            subresource: None,
            namespace: text(&object, "/metadata/namespace").or_else(|| Some("default".into())),
            name: text(&object, "/metadata/name"),
            user_name: "kubernetes-admin".into(),
            kind,
        };
        let object = Document::from_value(object);
        let old = old.map(Document::from_value);
        let subject = |document| {
            let subjects = TemplatePaths::default().subjects(&request.kind, document).map_err(SceneError::Subject)?;
            Ok(subjects.into_iter().next())
        };
        let old_subject = old.as_ref().map(subject).transpose()?.flatten();
        Ok(Self(AdmissionCase {
            subject: subject(&object)?,
            old_subject,
            request: Arc::new(request),
            object: Some(Arc::new(object)),
            old_object: old.map(Arc::new),
            facts: Arc::new(Facts::default()),
        }))
    }
}

impl From<AdmissionCase> for Scene {
    /// A case that the host made.
    fn from(case: AdmissionCase) -> Self {
        Self(case)
    }
}

/// The kind that an object says it has.
#[must_use]
pub fn kind_of(object: &Value) -> GroupVersionKind {
    let version = text(object, "/apiVersion").unwrap_or_default();
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let kind = text(object, "/kind").unwrap_or_default();
    GroupVersionKind { group: group.into(), version: version.into(), kind }
}

/// Good for every kind that has a pod template.
fn resource_of(kind: &GroupVersionKind) -> GroupVersionResource {
    GroupVersionResource {
        group: kind.group.clone(),
        version: kind.version.clone(),
        resource: kind.kind.to_lowercase() + "s",
    }
}

fn text(object: &Value, at: &str) -> Option<String> {
    object.pointer(at)?.as_str().map(str::to_owned)
}
