//! What can be wrong with a manifest, and where. The words are for whoever wrote it.

use std::fmt;
use std::sync::Arc;

use serde_saphyr::granit_parser::ScanError;

use super::foreign::Foreign;
use super::node::Spot;

/// A text that can't be read as Kubernetes objects.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {fault}")]
pub struct ManifestError {
    /// The file's name as it was given, or `stdin`.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    #[source]
    pub fault: Fault,
}

/// What is wrong at a place of a text.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The YAML parser refused it.
    #[error("this is not YAML: {}", .0.info())]
    // No source: it says the same again, with the place.
    NotYaml(Box<ScanError>),
    /// The JSON parser refused it.
    #[error("this is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// The same of a text that looks like a template.
    #[error(
        "{0}; with `{{{{` in it the text looks like a template: render it first, as in `helm template … | portreeve check -`"
    )]
    Unrendered(#[source] Box<Fault>),
    /// What no API server ever sees.
    #[error("this is {0}")]
    Foreign(Foreign),
    /// A document, or an item of a `List`, that is a scalar or a list.
    #[error("a Kubernetes object is a mapping with apiVersion, kind and metadata, and this is not a mapping")]
    NotAnObject,
    /// An object without one of the fields that every object has.
    #[error("the object has no {0}; every Kubernetes object needs it, as a text that is not empty")]
    Missing(IdentityField),
    /// One key twice in a mapping: readers differ in which one they take.
    #[error("the key {key:?} stands in this mapping already, at line {first_line}: remove one of the two")]
    DuplicateKey {
        /// The key, as Kubernetes would read it.
        key: String,
        /// Where it stands first.
        first_line: usize,
    },
    /// A key that JSON can't hold, or not without guessing: null, a fraction, a list or a mapping.
    #[error("a key is a text here, and this one is {0}: write it in quotes")]
    KeyNotText(&'static str),
    /// An explicit tag that does not fit what it stands before.
    #[error("{text:?} is not what the tag !!{tag} before it says")]
    TagMismatch {
        /// The tag, without its exclamation marks.
        tag: String,
        /// The scalar.
        text: String,
    },
    /// Kubernetes takes bytes as base64 text, and its YAML reader does not know the tag.
    #[error("Kubernetes does not read the tag !!binary: write the base64 text without it")]
    BinaryTag,
    /// A number that JSON has no way to write.
    #[error("{0} is not a number that an object can hold; if it is meant as text, write it in quotes")]
    NotANumber(String),
    /// Deeper than any object of Kubernetes.
    #[error("more than {0} lists and mappings inside one another")]
    TooDeep(usize),
    /// Aliases that repeat so much text that the document would fill the memory.
    #[error("the aliases of this document repeat more than {0} MiB of it")]
    TooManyAliases(usize),
    /// `a: &x [*x]`
    #[error("this alias stands inside what it repeats")]
    AliasInItself,
    /// `<<: text`
    #[error("the merge key << takes a mapping or a list of mappings")]
    MergeOfOther,
}

/// A field that every object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityField {
    /// `apiVersion`
    ApiVersion,
    /// `kind`
    Kind,
    /// `metadata.name`, or `metadata.generateName`
    Name,
}

/// An edited manifest that is no longer the same object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an edit of {kind} {name} must leave its apiVersion, kind, name and namespace as they are")]
pub struct IdentityChanged {
    /// The kind of the object.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Fault {
    /// This fault of a text with these words in it. Braces of a template are a mapping as a key to YAML, where they
    /// stand alone.
    pub(super) fn in_text(self, text: &str) -> Self {
        match self {
            Self::NotYaml(_) | Self::NotJson(_) | Self::KeyNotText(_) if text.contains("{{") => {
                Self::Unrendered(Box::new(self))
            }
            other => other,
        }
    }

    /// This fault, at a place of a file.
    pub(super) fn at(self, file: &Arc<str>, spot: Spot) -> ManifestError {
        ManifestError { file: Arc::clone(file), line: spot.line, column: spot.column.saturating_add(1), fault: self }
    }
}

impl fmt::Display for IdentityField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiVersion => "apiVersion",
            Self::Kind => "kind",
            Self::Name => "metadata.name",
        })
    }
}
