//! AdmissionReview v1 out: the response, within what the API server accepts. Long warnings are cut here and not by
//! the API server, which would cut in the middle of a word or drop them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::review::API_VERSION;

/// A response to one call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Response {
    /// Of the call.
    pub uid: String,
    /// Set if the request is not admitted.
    pub refusal: Option<Refusal>,
    /// RFC 6902, if anything is to be changed.
    pub patch: Option<json_patch::Patch>,
    /// For the caller to read.
    pub warnings: Vec<String>,
    /// For the API server's audit log. The API server puts the webhook's name before each key.
    pub audit: BTreeMap<AuditKey, String>,
}

/// Why a request is not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which status it gets.
    pub kind: RefusalKind,
    /// For the caller to read.
    pub message: String,
}

/// HTTP code and Kubernetes reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// A violation: 403, `Forbidden`.
    Forbidden,
    /// A request that can't be read: 400, `BadRequest`.
    BadRequest,
    /// A failure of ours: 500, `InternalError`.
    InternalError,
}

/// Names of audit annotations: each a valid qualified name's last part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditKey {
    /// `decision`: allowed, denied, failed.
    Decision,
    /// `record`: where the book holds it.
    Record,
    /// `violations`: policy, rule and container of each, those that only audit too.
    Violations,
    /// `failures`: policies that came to no verdict.
    Failures,
    /// `exceptions`: those that were used.
    Exceptions,
}

/// The API server passes warnings on as they are while all that a request gets, from both of our calls and from others,
/// has 4096 characters at most. Past that it cuts each at 256, and drops what is over 4096 then.
const WARNING: usize = 256;
const WARNINGS: usize = 4096;
/// What a call may say without cutting: half, since there are two.
const UNCUT: usize = WARNINGS / 2;
/// Room for the last line, which counts what is left out.
const LAST: usize = 64;
/// Audit annotations go into every line of the audit log.
const ANNOTATION: usize = 2048;

impl Response {
    /// An admission without further words.
    #[must_use]
    pub fn allowed(uid: impl Into<String>) -> Self {
        Self { uid: uid.into(), ..Self::default() }
    }

    /// A refusal.
    #[must_use]
    pub fn refused(uid: impl Into<String>, kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { refusal: Some(Refusal { kind, message: message.into() }), ..Self::allowed(uid) }
    }

    /// The whole AdmissionReview as JSON.
    ///
    /// # Errors
    /// If the patch can't be written as JSON, which no value of `serde_json` gives cause for.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let patch = self.patch.as_ref().map(serde_json::to_vec).transpose()?;
        serde_json::to_vec(&Envelope {
            api_version: API_VERSION,
            kind: "AdmissionReview",
            response: Wire {
                uid: &self.uid,
                allowed: self.refusal.is_none(),
                status: self.refusal.as_ref().map(Status::of),
                patch_type: patch.as_ref().map(|_| "JSONPatch"),
                patch: patch.map(|patch| STANDARD.encode(patch)),
                warnings: within_limits(&self.warnings),
                audit_annotations: self.audit.iter().map(|(key, text)| (key.name(), cut(text, ANNOTATION))).collect(),
            },
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    api_version: &'a str,
    kind: &'a str,
    response: Wire<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    code: u16,
    reason: &'static str,
    message: &'a str,
}

impl<'a> Status<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        let (code, reason) = match refusal.kind {
            RefusalKind::Forbidden => (403, "Forbidden"),
            RefusalKind::BadRequest => (400, "BadRequest"),
            RefusalKind::InternalError => (500, "InternalError"),
        };
        Self { status: "Failure", code, reason, message: &refusal.message }
    }
}

impl AuditKey {
    /// As the API server gets it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Record => "record",
            Self::Violations => "violations",
            Self::Failures => "failures",
            Self::Exceptions => "exceptions",
        }
    }
}

/// All warnings, each on one line, if they are short enough together; else as many as fit when each is cut, the last
/// one counting what did not fit.
fn within_limits(warnings: &[String]) -> Vec<String> {
    let whole: Vec<String> = warnings.iter().map(|warning| one_line(warning)).collect();
    if whole.iter().map(|line| line.chars().count()).sum::<usize>() <= UNCUT {
        return whole;
    }
    let mut kept = Vec::new();
    let mut room = WARNINGS - LAST;
    for (index, line) in whole.iter().enumerate() {
        let line = cut(line, WARNING);
        let length = line.chars().count();
        if length > room {
            kept.push(format!("and {} more warnings", warnings.len() - index));
            break;
        }
        room -= length;
        kept.push(line);
    }
    kept
}

/// A warning travels in an HTTP header: no control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn wire(response: &Response) -> Value {
        serde_json::from_slice::<Value>(&response.to_json().unwrap()).unwrap()["response"].clone()
    }

    #[test]
    fn an_admission_says_no_more_than_it_has_to() {
        assert_eq!(wire(&Response::allowed("u")), json!({"uid": "u", "allowed": true}));
    }

    #[test]
    fn a_patch_comes_with_its_type_in_base64() {
        let patch = json_patch::diff(&json!({}), &json!({"a": 1}));
        let wire = wire(&Response { patch: Some(patch), ..Response::allowed("u") });
        assert_eq!(wire["patchType"], "JSONPatch");
        let text = STANDARD.decode(wire["patch"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), json!([{"op": "add", "path": "/a", "value": 1}]));
    }

    #[test]
    fn code_and_reason_belong_together() {
        for (kind, code, reason) in [
            (RefusalKind::Forbidden, 403, "Forbidden"),
            (RefusalKind::BadRequest, 400, "BadRequest"),
            (RefusalKind::InternalError, 500, "InternalError"),
        ] {
            let status = wire(&Response::refused("u", kind, "why"))["status"].clone();
            assert_eq!(status, json!({"status": "Failure", "code": code, "reason": reason, "message": "why"}));
        }
    }

    #[test]
    fn warnings_stay_within_the_limits_of_the_api_server() {
        let warnings: Vec<String> = (0..100).map(|n| format!("{n} {}", "é\n".repeat(200))).collect();
        let wire = wire(&Response { warnings, ..Response::allowed("u") });
        let sent: Vec<&str> = wire["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        assert!(sent.iter().all(|warning| warning.chars().count() <= 256 && !warning.contains('\n')));
        assert!(sent.iter().map(|warning| warning.chars().count()).sum::<usize>() <= 4096);
        let told = sent.len() - 1;
        assert_eq!(*sent.last().unwrap(), format!("and {} more warnings", 100 - told));
    }

    #[test]
    fn a_long_warning_is_sent_whole_where_there_is_room() {
        let warnings = vec!["w".repeat(1000), "v".repeat(1000)];
        let wire = wire(&Response { warnings: warnings.clone(), ..Response::allowed("u") });
        assert_eq!(wire["warnings"], json!(warnings));
    }

    #[test]
    fn every_audit_key_is_a_valid_name() {
        let keys =
            [AuditKey::Decision, AuditKey::Record, AuditKey::Violations, AuditKey::Failures, AuditKey::Exceptions];
        for key in keys {
            let name = key.name();
            assert!(!name.is_empty() && name.len() <= 63 && name.bytes().all(|b| b.is_ascii_lowercase()));
        }
    }
}
