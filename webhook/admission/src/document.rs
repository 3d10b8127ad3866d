//! A JSON document that is taken apart when somebody first asks for a part of it: to be read, or to be edited.

use std::fmt;
use std::sync::OnceLock;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use serde_json_borrow as borrowed;

use crate::pointer::{Pointer, list_index};

/// An object of a request: its bytes as they came, or a value that an edit made.
#[derive(Debug)]
pub struct Document {
    text: Option<Box<RawValue>>,
    value: OnceLock<Value>,
    /// The text taken apart to be read and nothing else, for a fraction of what `value` costs.
    fields: OnceLock<Vec<Field>>,
}

/// One of the document's own fields. Policies read parts of one or two of them.
#[derive(Debug)]
struct Field {
    name: String,
    text: Box<RawValue>,
    parts: OnceLock<Option<borrowed::OwnedValue>>,
}

impl Document {
    /// A document of these bytes, which are JSON already.
    #[must_use]
    pub fn from_text(text: Box<RawValue>) -> Self {
        Self { text: Some(text), value: OnceLock::new(), fields: OnceLock::new() }
    }

    /// A document of this value.
    #[must_use]
    pub fn from_value(value: Value) -> Self {
        Self { text: None, value: OnceLock::from(value), fields: OnceLock::new() }
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

    /// Why the text can't be taken apart; none if it can.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let text = self.text.as_deref()?.get();
        serde_json::from_str::<Value>(text).err().map(|error| error.to_string())
    }

    /// The part at `pointer`.
    pub fn find(&self, pointer: &Pointer) -> Option<&Value> {
        pointer.find(self.value())
    }

    /// The part at `pointer` as JSON text.
    #[must_use]
    pub fn read(&self, pointer: &Pointer) -> Option<String> {
        match (&self.text, pointer.tokens()) {
            (Some(text), []) => Some(text.get().to_owned()),
            (Some(text), [name, way @ ..]) if self.value.get().is_none() && text.get().starts_with('{') => {
                let fields = self.fields.get_or_init(|| fields_of(text.get()).unwrap_or_default());
                fields.iter().rev().find(|field| field.name == *name)?.read(way)
            }
            _ => self.find(pointer).map(ToString::to_string),
        }
    }
}

impl Field {
    fn read(&self, way: &[String]) -> Option<String> {
        let parts = self.parts.get_or_init(|| borrowed::OwnedValue::from_str(self.text.get()).ok());
        serde_json::to_string(pointed_at(parts.as_ref()?.get_value(), way)?).ok()
    }
}

/// The fields of an object, their values untouched.
fn fields_of(text: &str) -> Result<Vec<Field>, serde_json::Error> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<Field>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Field>, A::Error> {
            let mut fields = Vec::new();
            while let Some((name, text)) = map.next_entry()? {
                fields.push(Field { name, text, parts: OnceLock::new() });
            }
            Ok(fields)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(Fields)
}

/// The part that this way leads to. Of a field that stands twice the last counts, as it does in a `Value`.
fn pointed_at<'a>(whole: &'a borrowed::Value<'a>, way: &[String]) -> Option<&'a borrowed::Value<'a>> {
    way.iter().try_fold(whole, |part, token| match part {
        borrowed::Value::Object(fields) => {
            fields.as_vec().iter().rev().find(|(name, _)| **name == **token).map(|(_, value)| value)
        }
        borrowed::Value::Array(items) => items.get(list_index(token)?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn document(text: &str) -> Document {
        Document::from_text(RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn of_a_field_that_stands_twice_the_last_is_read() {
        let document = document(r#"{"a": 1, "a": {"b": 2}}"#);
        assert_eq!(document.read(&"/a/b".parse().unwrap()).as_deref(), Some("2"));
    }

    #[test]
    fn the_whole_is_read_as_it_came() {
        assert_eq!(document("{\"a\":  1.50}").read(&Pointer::root()).as_deref(), Some("{\"a\":  1.50}"));
    }

    #[test]
    fn nothing_is_read_where_nothing_stands() {
        let document = document(r#"{"a": [1]}"#);
        for nowhere in ["/b", "/a/1", "/a/-", "/a/0/x"] {
            assert_eq!(document.read(&nowhere.parse().unwrap()), None, "{nowhere}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            // Eighths: of other fractions serde_json reads back the last bit only nearly.
            any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c~/é\"]{1,2}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Every place in a document.
    fn places(value: &Value, at: &Pointer, all: &mut Vec<Pointer>) {
        all.push(at.clone());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| places(item, &at.child(index), all));
            }
            Value::Object(fields) => fields.iter().for_each(|(name, value)| places(value, &at.child(name), all)),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn every_part_reads_as_it_is_found(value in json()) {
            let mut all = Vec::new();
            places(&value, &Pointer::root(), &mut all);
            let (read, found) = (document(&value.to_string()), Document::from_value(value));
            for place in all {
                prop_assert_eq!(read.read(&place), found.find(&place).map(ToString::to_string));
            }
        }
    }
}
