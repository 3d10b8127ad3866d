//! Where pod templates sit: by group and kind, for the built-in kinds and for those that the administrator adds. A
//! subject is found by the kind of the object, never by the resource alone: a scale request keeps its resource.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::case::{GroupVersionKind, Subject};
use crate::document::Document;
use crate::pointer::{Pointer, PointerError};
use crate::template::{Template, TemplateError};

/// Where a kind keeps its pod templates: a JSON pointer in which `*` stands for every element of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePath(Pointer);

/// The kinds that have pod templates.
#[derive(Debug, Clone)]
pub struct TemplatePaths(HashMap<(String, String), Vec<TemplatePath>>);

/// An object whose template can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// A template of the wrong shape.
    #[error("the pod template at {at:?} can't be read: {error}")]
    Template {
        /// Where it sits in the object.
        at: String,
        /// What is wrong.
        error: TemplateError,
    },
    /// Too deep to be read as a whole.
    #[error("the object is nested deeper than 120 levels")]
    TooDeep,
}

/// The deepest object that is taken apart. `serde_json` stops at 128.
const DEEPEST: usize = 120;

const BUILT_IN: [(&str, &str, &str); 9] = [
    ("", "Pod", ""),
    ("", "PodTemplate", "/template"),
    ("", "ReplicationController", "/spec/template"),
    ("apps", "Deployment", "/spec/template"),
    ("apps", "StatefulSet", "/spec/template"),
    ("apps", "DaemonSet", "/spec/template"),
    ("apps", "ReplicaSet", "/spec/template"),
    ("batch", "Job", "/spec/template"),
    ("batch", "CronJob", "/spec/jobTemplate/spec/template"),
];

impl Default for TemplatePaths {
    /// The kinds that every cluster has.
    fn default() -> Self {
        let mut paths = Self(HashMap::new());
        for (group, kind, path) in BUILT_IN {
            if let Ok(path) = path.parse() {
                paths.add(group, kind, path);
            }
        }
        paths
    }
}

impl TemplatePaths {
    /// Adds a place where a kind keeps templates.
    pub fn add(&mut self, group: &str, kind: &str, path: TemplatePath) {
        self.0.entry((group.to_owned(), kind.to_owned())).or_default().push(path);
    }

    /// Whether objects of this kind have pod templates.
    #[must_use]
    pub fn has(&self, kind: &GroupVersionKind) -> bool {
        self.paths(kind).is_some()
    }

    /// The templates of an object, in the order of the paths. A path that leads nowhere gives none.
    ///
    /// # Errors
    /// If a template is there and can't be read.
    pub fn subjects(&self, kind: &GroupVersionKind, object: &Document) -> Result<Vec<Subject>, SubjectError> {
        let Some(paths) = self.paths(kind) else { return Ok(Vec::new()) };
        if object.text().is_some_and(|text| deeper_than(text, DEEPEST)) {
            return Err(SubjectError::TooDeep);
        }
        let mut found = Vec::new();
        for path in paths {
            path.read(object, &mut found)?;
        }
        Ok(found)
    }

    /// Whether two objects of this kind have equal templates at the same places. A Pod's template is its spec alone:
    /// its metadata starts nothing.
    #[must_use]
    pub fn same_templates(&self, kind: &GroupVersionKind, new: &Document, old: &Document) -> bool {
        self.paths(kind).unwrap_or_default().iter().all(|path| path.spec_of_a_pod().same(new, old))
    }

    fn paths(&self, kind: &GroupVersionKind) -> Option<&[TemplatePath]> {
        // A map keyed by two strings can't be asked by two `&str`; the clones are short.
        self.0.get(&(kind.group.clone(), kind.kind.clone())).map(Vec::as_slice)
    }
}

impl TemplatePath {
    fn read(&self, object: &Document, found: &mut Vec<Subject>) -> Result<(), SubjectError> {
        if let (Some(text), false) = (object.text(), self.branches()) {
            // The common case: only the template is parsed, straight from the text.
            let raw = raw_at(text, self.0.tokens());
            let template = raw.map(|raw| Template::read(&mut serde_json::Deserializer::from_str(raw)));
            return template.map_or(Ok(()), |template| take(template, self.0.clone(), found));
        }
        for at in self.places(object.value()) {
            if let Some(value) = at.find(object.value()).filter(|value| !value.is_null()) {
                take(Template::read(value), at, found)?;
            }
        }
        Ok(())
    }

    /// For a Pod, whose template is itself, the path of its spec; else this path.
    fn spec_of_a_pod(&self) -> Self {
        if self.0 == Pointer::root() { Self(Pointer::root().child("spec")) } else { self.clone() }
    }

    fn same(&self, new: &Document, old: &Document) -> bool {
        if let (Some(new), Some(old), false) = (new.text(), old.text(), self.branches())
            && raw_at(new, self.0.tokens()) == raw_at(old, self.0.tokens())
        {
            return true;
        }
        // What can't be read as a whole can't be told to be the same.
        if new.value().is_null() || old.value().is_null() {
            return false;
        }
        let places = self.places(new.value());
        places == self.places(old.value()) && places.iter().all(|at| at.find(new.value()) == at.find(old.value()))
    }

    fn branches(&self) -> bool {
        self.0.tokens().iter().any(|token| token == "*")
    }

    /// The pointers that this path stands for in an object.
    fn places(&self, object: &Value) -> Vec<Pointer> {
        self.0.tokens().iter().fold(vec![Pointer::root()], |places, token| {
            if token != "*" {
                return places.iter().map(|place| place.child(token)).collect();
            }
            let length = |place: &Pointer| place.find(object).and_then(Value::as_array).map_or(0, Vec::len);
            places.iter().flat_map(|place| (0..length(place)).map(|index| place.child(index))).collect()
        })
    }
}

fn take(template: Result<Template, TemplateError>, at: Pointer, found: &mut Vec<Subject>) -> Result<(), SubjectError> {
    let template = template.map_err(|error| SubjectError::Template { at: at.to_string(), error })?;
    found.push(Subject { template: Arc::new(template), at });
    Ok(())
}

/// The text of the value at a path of field names; none if something on the way is missing, null or no object.
fn raw_at<'a>(text: &'a str, path: &[String]) -> Option<&'a str> {
    path.iter().try_fold(text, |text, field| {
        let fields: HashMap<std::borrow::Cow<'a, str>, &'a RawValue> = serde_json::from_str(text).ok()?;
        fields.get(field.as_str()).map(|value| value.get()).filter(|value| *value != "null")
    })
}

fn deeper_than(text: &str, limit: usize) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

impl FromStr for TemplatePath {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for TemplatePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn subjects(group: &str, kind: &str, object: &Value) -> Result<Vec<String>, SubjectError> {
        let kind = GroupVersionKind { group: group.into(), version: "v1".into(), kind: kind.into() };
        let text = RawValue::from_string(object.to_string()).unwrap();
        let found = TemplatePaths::default().subjects(&kind, &Document::from_text(text))?;
        Ok(found.iter().map(|subject| subject.at.to_string()).collect())
    }

    #[test]
    fn finds_the_template_of_every_workload_kind() {
        for (group, kind, at) in BUILT_IN {
            let tokens = at.split('/').skip(1);
            let template = json!({"spec": {"containers": [{"name": "a"}]}});
            let object = tokens.collect::<Vec<_>>().iter().rev().fold(template, |inner, token| json!({*token: inner}));
            assert_eq!(subjects(group, kind, &object).unwrap(), [at], "{kind}");
        }
    }

    #[test]
    fn a_kind_without_a_template_has_no_subject() {
        assert!(subjects("autoscaling", "Scale", &json!({"spec": {"replicas": 1}})).unwrap().is_empty());
    }

    #[test]
    fn a_template_that_is_missing_or_null_gives_no_subject() {
        assert!(subjects("", "ReplicationController", &json!({"spec": {"template": null}})).unwrap().is_empty());
        assert!(subjects("", "ReplicationController", &json!({"spec": {}})).unwrap().is_empty());
    }

    #[test]
    fn a_template_that_is_no_object_is_an_error_that_says_where() {
        let error = subjects("apps", "Deployment", &json!({"spec": {"template": "x"}})).unwrap_err();
        assert!(error.to_string().contains("\"/spec/template\""), "{error}");
    }

    #[test]
    fn an_object_nested_too_deep_is_refused() {
        let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(subjects("", "Pod", &json!({"spec": deep})), Err(SubjectError::TooDeep));
    }

    #[test]
    fn brackets_in_strings_are_no_depth() {
        let object = json!({"metadata": {"annotations": {"a": "[".repeat(500) + "\\\""}}});
        assert_eq!(subjects("", "Pod", &object).unwrap(), [""]);
    }

    #[test]
    fn a_star_stands_for_every_element() {
        let mut paths = TemplatePaths::default();
        paths.add("x.io", "Set", "/spec/jobs/*/template".parse().unwrap());
        let kind = GroupVersionKind { group: "x.io".into(), version: "v1".into(), kind: "Set".into() };
        let object = json!({"spec": {"jobs": [{"template": {"spec": {}}}, {}, {"template": {"spec": {}}}]}});
        let found = paths.subjects(&kind, &Document::from_value(object)).unwrap();
        let places: Vec<_> = found.iter().map(|subject| subject.at.to_string()).collect();
        assert_eq!(places, ["/spec/jobs/0/template", "/spec/jobs/2/template"]);
    }
}
