//! JSON text to documents: one or several values after one another, read strictly, with the place of each. `serde_json`
//! hands out every value as a piece of the text, and a piece's address in it is its place.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{Fault, ManifestError};
use super::node::{Child, Document, Field, Layout, MAX_DEPTH, Node, Place, Spot, Written};
use super::scalar::json_number;

/// Reads all values of the text.
pub(super) fn read(file: &Arc<str>, text: &str) -> Result<Vec<Document>, ManifestError> {
    let reader = Reader { file, text, lines: line_starts(text) };
    // A byte order mark is no JSON, and editors write it all the same.
    let values = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::Deserializer::from_str(values)
        .into_iter::<&RawValue>()
        .map(|value| {
            let value = value.map_err(|error| {
                let spot = Spot { line: error.line(), column: error.column().saturating_sub(1) };
                Fault::NotJson(error).at(file, spot)
            })?;
            reader.document(value)
        })
        .collect()
}

struct Reader<'t> {
    file: &'t Arc<str>,
    text: &'t str,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

/// The fields of an object: keys with their pieces of the text, values as pieces.
struct Fields<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'t> Reader<'t> {
    fn document(&self, raw: &'t RawValue) -> Result<Document, ManifestError> {
        let root = self.node(raw, 0)?;
        Ok(Document { start: root.place.start, end: root.place.end, root })
    }

    fn node(&self, raw: &'t RawValue, depth: usize) -> Result<Arc<Node>, ManifestError> {
        let place = self.place(raw);
        if depth >= MAX_DEPTH {
            return Err(Fault::TooDeep(MAX_DEPTH).at(self.file, place.spot()));
        }
        let depth = depth.saturating_add(1);
        let node = match raw.get().as_bytes().first() {
            Some(b'{') => Node::map(place, Layout::Flow, self.fields(self.parsed(raw)?, depth)?),
            Some(b'[') => {
                let items: Vec<&RawValue> = self.parsed(raw)?;
                let items = items.into_iter().map(|item| self.child(item, depth)).collect::<Result<_, _>>()?;
                Node::list(place, Layout::Flow, items)
            }
            _ => Node::scalar(place, whole(self.parsed(raw)?)),
        };
        Ok(Arc::new(node))
    }

    fn fields(&self, raw: Fields<'t>, depth: usize) -> Result<Vec<Field>, ManifestError> {
        let mut first_lines = HashMap::new();
        let mut fields = Vec::with_capacity(raw.0.len());
        for (key, value) in raw.0 {
            let key_place = self.place(key);
            let key: String = self.parsed(key)?;
            if let Some(first_line) = first_lines.insert(key.clone(), key_place.line) {
                return Err(Fault::DuplicateKey { key, first_line }.at(self.file, key_place.spot()));
            }
            fields.push(Field { key, key_place, child: self.child(value, depth)? });
        }
        Ok(fields)
    }

    fn child(&self, raw: &'t RawValue, depth: usize) -> Result<Child, ManifestError> {
        let node = self.node(raw, depth)?;
        Ok(Child { place: node.place, node, written: Written::Here })
    }

    fn parsed<T: Deserialize<'t>>(&self, raw: &'t RawValue) -> Result<T, ManifestError> {
        serde_json::from_str(raw.get()).map_err(|error| Fault::NotJson(error).at(self.file, self.place(raw).spot()))
    }

    fn place(&self, raw: &RawValue) -> Place {
        let start = raw.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let line = self.lines.partition_point(|line_start| *line_start <= start);
        let line_start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(line_start..start).unwrap_or_default().chars().count();
        Place { line, column, start, end: start.saturating_add(raw.get().len()) }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at.saturating_add(1))).collect()
}

/// A scalar; `1.0` is the integer 1, as it is to everything written in Go.
fn whole(scalar: Value) -> Value {
    match scalar.as_number().filter(|number| number.is_f64()).and_then(serde_json::Number::as_f64) {
        Some(number) => json_number(number),
        None => scalar,
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pieces;
        impl<'de> Visitor<'de> for Pieces {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Pieces)
    }
}
