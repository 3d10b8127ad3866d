//! Where a pod template sits in its object: in one place as a rule, or in pieces where a kind has no template and one
//! is put together of its fields. Whoever reads or edits a part of the template asks here where that part really
//! stands.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::document::Document;
use crate::pointer::Pointer;

/// The place of a pod template in an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seat {
    at: Pointer,
    name: String,
    pieces: Option<Arc<Pieces>>,
}

/// A pod template that stands nowhere as a whole.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Pieces {
    template: Value,
    grafts: Vec<Graft>,
}

/// A part of the template and where in the object it really stands.
#[derive(Debug, PartialEq, Eq)]
struct Graft {
    part: Pointer,
    place: Pointer,
}

impl Seat {
    /// Where the template begins, or the field that stands for it.
    #[must_use]
    pub fn pointer(&self) -> &Pointer {
        &self.at
    }

    /// Which of the object's templates it is, such as `workerGroupSpecs[gpu]`; empty if the kind has only one.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where a part of the template stands in the object; none if the kind has no field for it.
    #[must_use]
    pub fn place_of(&self, part: &Pointer) -> Option<Pointer> {
        match &self.pieces {
            None => Some(self.at.join(part)),
            Some(pieces) => pieces.place_of(part),
        }
    }

    /// A part of the template that sits here.
    #[must_use]
    pub fn read<'a>(&'a self, object: &'a Document, part: &Pointer) -> Option<&'a Value> {
        match &self.pieces {
            None => object.find(&self.at.join(part)),
            Some(pieces) => part.find(&pieces.template),
        }
    }

    /// The same as JSON text.
    #[must_use]
    pub fn read_text(&self, object: &Document, part: &Pointer) -> Option<String> {
        match &self.pieces {
            // A Pod's template is the Pod.
            None if self.at.tokens().is_empty() => object.read(part),
            None => object.read(&self.at.join(part)),
            Some(_) => self.read(object, part).map(ToString::to_string),
        }
    }

    /// The same place, named among several.
    pub(super) fn named(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// A template in pieces, of a kind that keeps them at and around `at`.
    pub(super) fn of_pieces(at: Pointer, pieces: Pieces) -> Self {
        Self { at, name: String::new(), pieces: Some(Arc::new(pieces)) }
    }

    /// The template as it was put together; none if it stands as a whole in the object.
    pub(super) fn assembled(&self) -> Option<&Value> {
        self.pieces.as_ref().map(|pieces| &pieces.template)
    }
}

impl From<Pointer> for Seat {
    fn from(at: Pointer) -> Self {
        Self { at, ..Self::default() }
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

impl Pieces {
    /// A template of this metadata and spec. Nothing of it has a place yet.
    pub(super) fn new(metadata: Value, spec: Value) -> Self {
        let fields = [("metadata", metadata), ("spec", spec)].into_iter().filter(|(_, value)| !value.is_null());
        let template: Map<String, Value> = fields.map(|(name, value)| (name.to_owned(), value)).collect();
        Self { template: template.into(), grafts: Vec::new() }
    }

    /// The same with a field of the pod's spec, and where it stands or would stand.
    pub(super) fn with_field(mut self, field: &str, place: Pointer, value: Option<Value>) -> Self {
        if let (Some(spec), Some(value)) = (self.template.get_mut("spec").and_then(Value::as_object_mut), value) {
            spec.insert(field.to_owned(), value);
        }
        self.grafted(&["spec", field], place)
    }

    /// The same with a list of the pod's spec whose elements stand here and there.
    pub(super) fn with_list(mut self, field: &str, elements: Vec<(Pointer, Value)>) -> Self {
        let (places, values): (Vec<Pointer>, Vec<Value>) = elements.into_iter().unzip();
        if let Some(spec) = self.template.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert(field.to_owned(), values.into());
        }
        places
            .into_iter()
            .enumerate()
            .fold(self, |pieces, (index, place)| pieces.grafted(&["spec", field, &index.to_string()], place))
    }

    /// Says where a part stands, and with it all that is in it but for parts that are said to stand elsewhere.
    pub(super) fn grafted(mut self, part: &[&str], place: Pointer) -> Self {
        let part = part.iter().fold(Pointer::root(), |part, token| part.child(token));
        self.grafts.push(Graft { part, place });
        self
    }

    /// The longest graft tells most exactly.
    fn place_of(&self, part: &Pointer) -> Option<Pointer> {
        let fitting = self.grafts.iter().filter_map(|graft| Some((graft, part.strip_prefix(&graft.part)?)));
        let (graft, rest) = fitting.max_by_key(|(graft, _)| graft.part.tokens().len())?;
        Some(graft.place.join(&rest))
    }
}
