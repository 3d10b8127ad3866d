//! A JSON document that is parsed when somebody first asks for a part of it, and never twice.

use std::sync::OnceLock;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::pointer::Pointer;

/// An object of a request: its bytes as they came, or a value that an edit made.
#[derive(Debug)]
pub struct Document {
    text: Option<Box<RawValue>>,
    value: OnceLock<Value>,
}

impl Document {
    /// A document of these bytes, which are JSON already.
    #[must_use]
    pub fn from_text(text: Box<RawValue>) -> Self {
        Self { text: Some(text), value: OnceLock::new() }
    }

    /// A document of this value.
    #[must_use]
    pub fn from_value(value: Value) -> Self {
        Self { text: None, value: OnceLock::from(value) }
    }

    /// The bytes as they came; none for a value that was made here.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref().map(RawValue::get)
    }

    /// The whole document. Text that can't be taken apart, nested deeper than 128 levels or with a number out of range,
    /// shows as null: it is never told to be the same as another, and never edited.
    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| {
            self.text.as_deref().and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or(Value::Null)
        })
    }

    /// The part at `pointer`.
    pub fn find(&self, pointer: &Pointer) -> Option<&Value> {
        pointer.find(self.value())
    }
}
