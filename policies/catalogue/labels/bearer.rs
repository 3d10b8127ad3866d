//! What bears labels and annotations in a request: the object, its pod template, a Namespace. What has to stand there
//! is told in `policy`.

use portreeve_sdk::view::{Change, Operation, Root};
use portreeve_sdk::{Case, Finding, Verdict};
use serde_json::Value;

use super::settings::{Asked, Note, Place};
use crate::label_selector::LabelSelector;

/// One that bears them.
pub(super) struct Bearer<'a, 'c> {
    case: &'a Case<'c>,
    kind: String,
    place: Place,
}

impl<'a, 'c> Bearer<'a, 'c> {
    /// Those of a request.
    pub(super) fn of(case: &'a Case<'c>) -> Vec<Self> {
        let kind = case.request().kind();
        let places = match (kind.group.as_str(), kind.kind.as_str()) {
            ("", "Namespace") => vec![Place::Namespace],
            _ if case.pod().is_none() => Vec::new(),
            ("", "Pod") => vec![Place::Template],
            _ => vec![Place::Object, Place::Template],
        };
        places.into_iter().map(|place| Self { case, kind: kind.kind.clone(), place }).collect()
    }

    /// Whether this one is meant.
    pub(super) fn is_meant(&self, asked: &Asked) -> bool {
        let places = &asked.requirement.places;
        places.contains(&self.place) || (self.is_pod() && places.contains(&Place::Object))
    }

    /// Whether it is a Namespace, which is in none.
    pub(super) fn is_namespace(&self) -> bool {
        self.place == Place::Namespace
    }

    /// What stands there.
    pub(super) fn value(&self, asked: &Asked) -> Option<String> {
        text(if self.is_template() { self.case.read(&asked.at) } else { self.case.request().read(&asked.at) })
    }

    /// What stood there before the request.
    pub(super) fn old_value(&self, asked: &Asked) -> Option<String> {
        text(if self.is_template() { self.case.read_old(&asked.at) } else { self.case.request().read_old(&asked.at) })
    }

    /// Whether a value may be put in: a selector goes on taking what it took, and a Namespace that is there is left to
    /// those who have it.
    pub(super) fn may_be_given(&self, asked: &Asked) -> bool {
        match (self.place, asked.note) {
            (Place::Namespace, _) => self.case.request().operation() == Operation::Create,
            (Place::Template, Note::Label) => !self.selects_by(asked),
            _ => true,
        }
    }

    /// Whether the host puts nothing in on this update, whatever is asked for: metadata of a Pod that runs, and of a
    /// workload whose template stays as it was.
    pub(super) fn is_left_alone(&self) -> bool {
        match self.place {
            Place::Namespace => false,
            Place::Template => self.is_pod(),
            Place::Object => self.case.read("") == self.case.read_old(""),
        }
    }

    /// Puts a value in.
    pub(super) fn give(&self, rule: &str, asked: &Asked, value: &str, verdict: &mut Verdict) {
        let root = if self.is_template() { Root::Template } else { Root::Object };
        verdict.edit(rule, root, asked.at.as_str(), Change::Default(Value::from(value).to_string()));
    }

    /// Lets a finding point to it.
    pub(super) fn point<'v>(&self, finding: Finding<'v>, asked: &Asked) -> Finding<'v> {
        if self.is_template() { finding.at(asked.at.as_str()) } else { finding.at_object(asked.at.as_str()) }
    }

    /// As a sentence names it.
    pub(super) fn name(&self) -> String {
        if self.place == Place::Template && !self.is_pod() {
            "the pod template".to_owned()
        } else {
            ["the ", &self.kind].concat()
        }
    }

    /// Where a reader finds its labels and annotations.
    pub(super) fn metadata(&self) -> &'static str {
        if self.place == Place::Template && !self.is_pod() {
            "the metadata of its pod template"
        } else {
            "its metadata"
        }
    }

    fn is_pod(&self) -> bool {
        self.kind == "Pod"
    }

    fn is_template(&self) -> bool {
        self.place == Place::Template
    }

    /// The selector of a workload has to take its template, and can't be changed.
    fn selects_by(&self, asked: &Asked) -> bool {
        let selector = self.case.request().read("/spec/selector");
        let selector = selector.as_ref().and_then(LabelSelector::read);
        selector.is_some_and(|selector| selector.names(asked.requirement.key.as_str()))
    }
}

fn text(value: Option<Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}
