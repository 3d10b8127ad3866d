//! What a judge is asked: the request that a case writes down, once for each pod template of its object.

use std::sync::Arc;

use portreeve_admission::case::{self, Case, FactKind, GroupVersionKind, Request};
use portreeve_admission::document::Document;
use portreeve_admission::kinds::{Scope, resource, scope};
use portreeve_admission::subject::{SubjectError, TemplatePaths};
use serde_json::Value;

use crate::file::{Operation, WrittenCase};

/// Who asks, if a case does not say.
const USER: &str = "kubernetes-admin";

/// The namespace of objects that name none.
const NAMESPACE: &str = "default";

/// What a judge is asked of the case's object as it came.
///
/// # Errors
/// If a template of the object can't be read.
pub fn questions(written: &WrittenCase, paths: &TemplatePaths) -> Result<Vec<Case>, SubjectError> {
    of(written, &Arc::new(Document::from_value(written.object.clone())), paths)
}

/// The same of the object as it stands after some edits.
pub(crate) fn of(
    written: &WrittenCase,
    object: &Arc<Document>,
    paths: &TemplatePaths,
) -> Result<Vec<Case>, SubjectError> {
    let request = Arc::new(request(written));
    let old_object = written.old_object.clone().map(|old| Arc::new(Document::from_value(old)));
    let facts = Arc::new(facts(written));
    let came = Document::from_value(written.object.clone());
    let subjects = paths.compared(&request.kind, object, &came, old_object.as_deref())?.into_iter();
    let each = subjects.map(|compared| (Some(compared.subject), compared.before));
    let each: Vec<_> = if each.len() == 0 { vec![(None, None)] } else { each.collect() };
    let question = |(subject, old_subject)| Case {
        request: Arc::clone(&request),
        object: Some(Arc::clone(object)),
        old_object: old_object.clone(),
        old_subject,
        subject,
        facts: Arc::clone(&facts),
    };
    Ok(each.into_iter().map(question).collect())
}

fn request(written: &WrittenCase) -> Request {
    let kind = kind(&written.object);
    let name = text(&written.object, "/metadata/name");
    let namespace = match scope(&kind.group, &kind.kind) {
        // The API server has it so for namespaces themselves.
        Scope::Cluster if (kind.group.as_str(), kind.kind.as_str()) == ("", "Namespace") => name.clone(),
        Scope::Cluster => None,
        Scope::Namespaced => Some(text(&written.object, "/metadata/namespace").unwrap_or_else(|| NAMESPACE.to_owned())),
    };
    Request {
        operation: match written.operation {
            Operation::Create => case::Operation::Create,
            Operation::Update => case::Operation::Update,
        },
        resource: resource(&kind),
        kind,
        subresource: written.subresource.clone(),
        namespace,
        name,
        user_name: written.user.clone().unwrap_or_else(|| USER.to_owned()),
    }
}

fn facts(written: &WrittenCase) -> case::Facts {
    let mut facts = case::Facts::default();
    if let Some(namespace) = &written.namespace {
        facts.insert(FactKind::Namespace, "", Ok(namespace.to_string().into()));
    }
    for fact in &written.facts {
        let value = match (&fact.value, &fact.missing) {
            (Some(value), _) => Ok(value.to_string().into()),
            (None, reason) => Err(reason.clone().unwrap_or_default()),
        };
        facts.insert(fact.kind, &fact.key, value);
    }
    facts
}

fn kind(object: &Value) -> GroupVersionKind {
    let version = text(object, "/apiVersion").unwrap_or_default();
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let kind = text(object, "/kind").unwrap_or_default();
    GroupVersionKind { group: group.to_owned(), version: version.to_owned(), kind }
}

fn text(object: &Value, at: &str) -> Option<String> {
    object.pointer(at)?.as_str().map(str::to_owned)
}
