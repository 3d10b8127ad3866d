//! AdmissionReview v1 in: from the bytes of a call to a `Review`. The objects stay text until somebody asks for a part
//! of them. What the review means for edits and denials is in `plan`; the answer is in `response`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::case::{GroupVersionKind, GroupVersionResource, Operation, Request};
use crate::document::Document;
use crate::meta::ObjectMeta;
use crate::plan::may_be_judged;
use crate::pointer::Pointer;
use crate::shape::ShapeError;

/// The only version of AdmissionReview that is spoken.
pub const API_VERSION: &str = "admission.k8s.io/v1";

/// A decoded call.
#[derive(Debug, Clone)]
pub struct Review {
    /// Of this call alone: mutate, each reinvocation and validate have their own.
    pub uid: String,
    /// What is asked.
    pub request: Arc<Request>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// The object; none on DELETE.
    pub object: Option<Arc<Document>>,
    /// The object before; none on CREATE and CONNECT.
    pub old_object: Option<Arc<Document>>,
    /// Metadata of the object.
    pub meta: ObjectMeta,
    /// Metadata of the object before.
    pub old_meta: ObjectMeta,
    /// Groups of the caller.
    pub groups: Vec<String>,
}

impl Review {
    /// Bytes of its objects as they came.
    #[must_use]
    pub fn object_bytes(&self) -> usize {
        let texts = [&self.object, &self.old_object].into_iter().flatten().filter_map(|object| object.text());
        texts.map(str::len).fold(0, usize::saturating_add)
    }
}

/// A body that is not a review that can be judged.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct ReviewError {
    /// The call's uid if one could be read: then a review can be answered; else only HTTP can.
    pub uid: Option<String>,
    /// What is wrong with it.
    #[source]
    pub reason: ReviewFault,
}

/// What is wrong with a body.
#[derive(Debug, thiserror::Error)]
pub enum ReviewFault {
    /// Not UTF-8.
    #[error("the body is not UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// Not JSON, or a field of the wrong type, or one that stands twice.
    #[error("the body is not an AdmissionReview: {0}")]
    NotAReview(serde_json::Error),
    /// Another kind of object.
    #[error("expected kind AdmissionReview of {API_VERSION}, found kind {kind:?} of {api_version:?}")]
    WrongKind {
        /// `apiVersion` as sent.
        api_version: String,
        /// `kind` as sent.
        kind: String,
    },
    /// A review without a request.
    #[error("the AdmissionReview has no request")]
    NoRequest,
    /// A request without a uid can't be answered.
    #[error("request.uid is missing or empty")]
    NoUid,
    /// An operation that does not exist.
    #[error("request.operation is {0:?}; it should be CREATE, UPDATE, DELETE or CONNECT")]
    UnknownOperation(String),
    /// A request that lacks the object that its operation is about.
    #[error("{operation} without request.{field}")]
    NoObject {
        /// What was asked.
        operation: Operation,
        /// `object` or `oldObject`.
        field: &'static str,
    },
    /// Metadata of the wrong shape.
    #[error("request.{field}: {reason}")]
    BadObject {
        /// `object` or `oldObject`.
        field: &'static str,
        /// What is wrong with it.
        reason: ShapeError,
    },
}

impl ReviewError {
    /// Where the field that is wrong stands in the object, if it is one of the object's.
    #[must_use]
    pub fn place(&self) -> Option<&Pointer> {
        match &self.reason {
            ReviewFault::BadObject { field: "object", reason } => Some(&reason.pointer),
            _ => None,
        }
    }
}

/// Decodes a body.
///
/// # Errors
/// Says what is wrong, and the uid if there is one, so that the caller can answer by a review.
pub fn decode(body: &[u8]) -> Result<Review, ReviewError> {
    let envelope = Envelope::read(body).map_err(|reason| ReviewError { uid: None, reason })?;
    let request = envelope.request().map_err(|reason| ReviewError { uid: None, reason })?;
    let uid = request.uid.clone();
    request.into_review().map_err(|reason| ReviewError { uid: Some(uid), reason })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<RawRequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRequest {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    kind: GroupVersionKind,
    #[serde(default)]
    resource: GroupVersionResource,
    sub_resource: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    user_info: UserInfo,
    object: Option<Box<RawValue>>,
    old_object: Option<Box<RawValue>>,
    dry_run: Option<bool>,
}

#[derive(Deserialize, Default)]
struct UserInfo {
    #[serde(default)]
    username: String,
    groups: Option<Vec<String>>,
}

impl Envelope {
    fn read(body: &[u8]) -> Result<Self, ReviewFault> {
        let text = std::str::from_utf8(body).map_err(|error| ReviewFault::NotUtf8(error.valid_up_to()))?;
        serde_json::from_str(text).map_err(ReviewFault::NotAReview)
    }

    fn request(self) -> Result<RawRequest, ReviewFault> {
        if self.api_version != API_VERSION || self.kind != "AdmissionReview" {
            return Err(ReviewFault::WrongKind { api_version: self.api_version, kind: self.kind });
        }
        let request = self.request.ok_or(ReviewFault::NoRequest)?;
        if request.uid.is_empty() { Err(ReviewFault::NoUid) } else { Ok(request) }
    }
}

impl RawRequest {
    fn into_review(self) -> Result<Review, ReviewFault> {
        let operation = operation(&self.operation)?;
        let judged = may_be_judged(operation, self.sub_resource.as_deref().filter(|name| !name.is_empty()));
        // What is never held up is not held up by odd metadata either.
        let read = |field, object: Option<&RawValue>| match object_meta(field, object) {
            Err(_) if !judged => Ok(ObjectMeta::default()),
            read => read,
        };
        let meta = read("object", self.object.as_deref())?;
        let old_meta = read("oldObject", self.old_object.as_deref())?;
        for field in required(operation) {
            let there = if *field == "object" { self.object.is_some() } else { self.old_object.is_some() };
            if !there {
                return Err(ReviewFault::NoObject { operation, field });
            }
        }
        // Delete by collection names the object only in oldObject.
        let name = given(self.name).or_else(|| meta.name.clone()).or_else(|| old_meta.name.clone());
        Ok(Review {
            uid: self.uid,
            request: Arc::new(Request {
                operation,
                kind: self.kind,
                resource: self.resource,
                subresource: given(self.sub_resource),
                namespace: given(self.namespace),
                name: name.filter(|name| !name.is_empty()),
                user_name: self.user_info.username,
            }),
            dry_run: self.dry_run.unwrap_or(false),
            object: self.object.map(|text| Arc::new(Document::from_text(text))),
            old_object: self.old_object.map(|text| Arc::new(Document::from_text(text))),
            meta,
            old_meta,
            groups: self.user_info.groups.unwrap_or_default(),
        })
    }
}

fn operation(text: &str) -> Result<Operation, ReviewFault> {
    match text {
        "CREATE" => Ok(Operation::Create),
        "UPDATE" => Ok(Operation::Update),
        "DELETE" => Ok(Operation::Delete),
        "CONNECT" => Ok(Operation::Connect),
        other => Err(ReviewFault::UnknownOperation(other.to_owned())),
    }
}

/// What an operation can't be judged without. A DELETE carries the old object from 1.15 on; nothing depends on it.
fn required(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::Create => &["object"],
        Operation::Update => &["object", "oldObject"],
        Operation::Delete | Operation::Connect => &[],
    }
}

fn object_meta(field: &'static str, object: Option<&RawValue>) -> Result<ObjectMeta, ReviewFault> {
    object.map_or_else(
        || Ok(ObjectMeta::default()),
        |text| ObjectMeta::of(text).map_err(|reason| ReviewFault::BadObject { field, reason }),
    )
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
