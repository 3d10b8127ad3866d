//! Changes inside lists and mappings between brackets: values are replaced and added, and stay on their line.

use serde_json::{Map, Value};

use super::super::node::{Child, Field, Written};
use super::revision::{Revision, Slot};

impl Revision<'_> {
    /// Changes fields and adds others behind the last.
    pub(super) fn flow_mapping(&mut self, fields: &[Field], wanted: &Map<String, Value>) -> Option<()> {
        let mut end = None;
        for field in fields {
            if field.child.written == Written::Merge {
                return None;
            }
            self.change(Slot::Flow, &field.child, wanted.get(&field.key)?)?;
            end = end.max(Some(field.child.place.end));
        }
        let is_new = |key: &str| !fields.iter().any(|field| field.key == key);
        for (key, value) in wanted.iter().filter(|(key, _)| is_new(key)) {
            self.splice(end?, end?, format!(", {}", entry(key, value)));
        }
        Some(())
    }

    /// Changes items and adds others behind the last.
    pub(super) fn flow_list(&mut self, items: &[Child], wanted: &[Value]) -> Option<()> {
        for (at, item) in items.iter().enumerate() {
            self.change(Slot::Flow, item, wanted.get(at)?)?;
        }
        let end = items.last()?.place.end;
        for value in wanted.get(items.len()..)? {
            self.splice(end, end, format!(", {}", written(value)));
        }
        Some(())
    }
}

/// A value between brackets: JSON, which every reader of YAML takes, with a space where people put one.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            format!("{{{}}}", fields.iter().map(|(key, value)| entry(key, value)).collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

fn entry(key: &str, value: &Value) -> String {
    format!("{}: {}", Value::from(key), written(value))
}
