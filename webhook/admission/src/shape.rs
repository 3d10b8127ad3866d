//! JSON that has not the shape it should have: which field, and what stands there.

use serde::Deserialize;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::pointer::Pointer;

/// As the path names the whole of what is read.
const WHOLE: &str = ".";

/// A field of the wrong type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", told(at))]
pub struct ShapeError {
    /// The field, such as `spec.containers[0].ports[1].containerPort`.
    pub at: String,
    /// The same from where the reading began.
    pub pointer: Pointer,
    /// What stands there and what should.
    pub reason: String,
}

/// Reads JSON text.
///
/// # Errors
/// Names the first field that has the wrong type.
pub(crate) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, ShapeError> {
    // To keep track of where one is takes as long as the reading: that is done when there is something to tell.
    serde_json::from_str(text)
        .or_else(|_| Ok(serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))?))
}

/// Why a value is no object, if it is none.
pub(crate) fn no_object(value: &Value) -> Option<String> {
    <Given as Deserialize>::deserialize(value).err().map(|error| error.to_string())
}

/// An object, whatever is in it.
#[derive(Deserialize)]
#[serde(remote = "Self")]
pub(crate) struct Given {}

/// Has each of these read from an object and nothing else. Serde would take a list for any of them, by the order of its
/// fields; Kubernetes does not. Each has to say `#[serde(remote = "Self")]`, by which its own reading gets another
/// name.
macro_rules! only_objects {
    ($($shape:ty),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $shape {
            fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $shape;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, fields: A) -> Result<$shape, A::Error> {
                        <$shape>::deserialize(serde::de::value::MapAccessDeserializer::new(fields))
                    }
                }
                json.deserialize_map(Fields)
            }
        }
    )+};
}
pub(crate) use only_objects;

only_objects!(Given);

/// The field before what is wrong with it.
fn told(at: &str) -> String {
    if at == WHOLE { String::new() } else { format!("{at}: ") }
}

impl<E: std::fmt::Display> From<serde_path_to_error::Error<E>> for ShapeError {
    fn from(error: serde_path_to_error::Error<E>) -> Self {
        let path = error.path();
        let token = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self {
            at: path.to_string(),
            pointer: path.iter().filter_map(token).fold(Pointer::root(), |at, token| at.child(token)),
            reason: without_position(error.inner().to_string()),
        }
    }
}

/// Without the line and column of a text that whoever wrote the object never saw.
fn without_position(mut reason: String) -> String {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let position = reason.rsplit_once(" at line ").filter(|(_, position)| {
        position.split_once(" column ").is_some_and(|(line, column)| is_number(line) && is_number(column))
    });
    if let Some(length) = position.map(|(told, _)| told.len()) {
        reason.truncate(length);
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn told(text: &str) -> ShapeError {
        read::<BTreeMap<String, Vec<u8>>>(text).unwrap_err()
    }

    #[test]
    fn the_field_is_told_and_no_position_in_a_text() {
        let error = told("{\"a.b/c\": [1,\n \"x at line 1 column 2\"]}");
        assert_eq!(error.pointer.to_string(), "/a.b~1c/1");
        assert_eq!(error.reason, "invalid type: string \"x at line 1 column 2\", expected u8");
    }
}
