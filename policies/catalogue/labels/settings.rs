//! What users may write under `settings`: which labels and annotations have to be there, and what may stand in them.

use portreeve_sdk::glob::Glob;
use portreeve_sdk::{SettingsError, pointer};
use serde::Deserialize;

use crate::label_key::{LabelKey, is_label_value};

/// Settings of labels. Which labels a platform wants is its own choice: without settings none is asked for.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Labels that have to be there.
    pub(super) labels: Vec<Requirement>,
    /// Annotations that have to be there.
    pub(super) annotations: Vec<Requirement>,
    /// Kinds of workloads that are judged. All, unless given.
    pub(super) kinds: Vec<String>,
}

/// A label or an annotation that has to be there.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Requirement {
    /// Its key.
    pub(super) key: LabelKey,
    /// What it says, such as "the team that answers for it". It is told to whoever leaves it out.
    #[serde(default)]
    pub(super) description: String,
    /// Where it has to be. In a Pod, `object` and `template` are the same place.
    #[serde(rename = "where", default = "on_objects")]
    pub(super) places: Vec<Place>,
    /// What may stand there; `*` stands for any characters. Anything but nothing, unless given.
    #[serde(default)]
    pub(super) values: Vec<Glob>,
    /// Label of the namespace whose value is put in where nothing stands.
    #[serde(default)]
    pub(super) from_namespace_label: Option<LabelKey>,
    /// What is put in where nothing stands and the namespace has no such label.
    #[serde(default)]
    pub(super) default: Option<String>,
}

/// Where a label or an annotation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(super) enum Place {
    /// In the metadata of the workload.
    Object,
    /// In its pod template, and so in its Pods.
    Template,
    /// In the metadata of Namespaces.
    Namespace,
}

fn on_objects() -> Vec<Place> {
    vec![Place::Object]
}

/// What a requirement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// By labels objects are selected.
    Label,
    /// Annotations are for reading.
    Annotation,
}

/// A requirement, with what it is about.
pub(super) struct Asked {
    pub(super) note: Note,
    pub(super) requirement: Requirement,
    /// The pointer to it from whatever bears it.
    pub(super) at: String,
}

impl Settings {
    /// The kinds, empty for all, and every requirement.
    ///
    /// # Errors
    /// If a requirement is asked for nowhere or a second time at the same place, or has a default that would not do.
    pub(super) fn checked(self) -> Result<(Vec<String>, Vec<Asked>), SettingsError> {
        asked_once(Note::Label, &self.labels)?;
        asked_once(Note::Annotation, &self.annotations)?;
        let labels = self.labels.into_iter().enumerate().map(|(index, own)| Asked::new(Note::Label, index, own));
        let annotations = self.annotations.into_iter().enumerate();
        let annotations = annotations.map(|(index, own)| Asked::new(Note::Annotation, index, own));
        Ok((self.kinds, labels.chain(annotations).collect::<Result<_, _>>()?))
    }
}

/// Refuses a key that is asked for twice at one place: one of the two would be overlooked.
fn asked_once(note: Note, requirements: &[Requirement]) -> Result<(), SettingsError> {
    for (index, one) in requirements.iter().enumerate() {
        let same = |other: &Requirement| other.key == one.key && other.places.iter().any(|at| one.places.contains(at));
        if requirements.iter().take(index).any(same) {
            let reason = format!("{:?} is asked for already: write one entry for each place", one.key.as_str());
            return Err(SettingsError::new(format!("/{}/{index}/key", note.list()), reason));
        }
    }
    Ok(())
}

impl Asked {
    fn new(note: Note, index: usize, requirement: Requirement) -> Result<Self, SettingsError> {
        let at = pointer::child(&["/metadata/", note.list()].concat(), requirement.key.as_str());
        let asked = Self { note, requirement, at };
        let error = |field, reason| Err(SettingsError::new(format!("/{}/{index}/{field}", note.list()), reason));
        if asked.requirement.places.is_empty() {
            return error("where", "names no place: give object, template or namespace");
        }
        if asked.requirement.default.as_deref().is_some_and(|value| !asked.takes(value)) {
            return error("default", "is no value that `values` and the API server take");
        }
        Ok(asked)
    }

    /// Whether this value may stand there.
    pub(super) fn takes(&self, value: &str) -> bool {
        let values = &self.requirement.values;
        let is_listed = if values.is_empty() { !value.is_empty() } else { Glob::any(values, value) };
        is_listed && (self.note == Note::Annotation || is_label_value(value))
    }
}

impl Note {
    /// The field of the metadata that holds such.
    fn list(self) -> &'static str {
        match self {
            Self::Label => "labels",
            Self::Annotation => "annotations",
        }
    }

    /// As a sentence names one.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Annotation => "annotation",
        }
    }
}

#[cfg(test)]
mod tests {
    use portreeve_sdk::export::Registration;

    use super::super::Labels;

    fn refused_at(settings: &str) -> String {
        Registration::of::<Labels>().configure(settings).err().unwrap().at
    }

    #[test]
    fn a_key_that_the_api_server_refuses_is_refused() {
        assert_eq!(refused_at(r#"{"labels": [{"key": "the owner"}]}"#), "/labels/0/key");
        let by_namespace = r#"{"labels": [{"key": "owner", "fromNamespaceLabel": "-"}]}"#;
        assert_eq!(refused_at(by_namespace), "/labels/0/fromNamespaceLabel");
    }

    #[test]
    fn a_default_that_would_not_do_is_refused() {
        let unlisted = r#"{"labels": [{"key": "a"}, {"key": "owner", "values": ["team-*"], "default": "ops"}]}"#;
        assert_eq!(refused_at(unlisted), "/labels/1/default");
        assert_eq!(refused_at(r#"{"labels": [{"key": "owner", "default": "the ops team"}]}"#), "/labels/0/default");
        let annotation = r#"{"annotations": [{"key": "owner", "default": "the ops team"}]}"#;
        assert!(Registration::of::<Labels>().configure(annotation).is_ok());
    }

    #[test]
    fn a_key_that_is_asked_for_twice_at_one_place_is_refused() {
        let twice = r#"{"labels": [{"key": "a"}, {"key": "owner"}, {"key": "a", "where": ["template", "object"]}]}"#;
        assert_eq!(refused_at(twice), "/labels/2/key");
        assert_eq!(refused_at(r#"{"annotations": [{"key": "a"}, {"key": "a"}]}"#), "/annotations/1/key");
        let apart =
            r#"{"labels": [{"key": "a"}, {"key": "a", "where": ["namespace"]}], "annotations": [{"key": "a"}]}"#;
        assert!(Registration::of::<Labels>().configure(apart).is_ok());
    }

    #[test]
    fn a_requirement_that_is_asked_for_nowhere_is_refused() {
        assert_eq!(refused_at(r#"{"annotations": [{"key": "owner", "where": []}]}"#), "/annotations/0/where");
    }
}
