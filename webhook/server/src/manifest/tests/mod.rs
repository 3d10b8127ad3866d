//! Tests of reading and printing, by what a user does; `written` makes documents for the properties.

mod lines;
mod paths;
mod reading;
mod rendering;
mod scalars;
mod written;

use serde_json::Value;

use super::{Manifest, ManifestError, read_stream};

/// The values of a YAML text's objects.
fn values(text: &str) -> Vec<Value> {
    read(text).into_iter().map(Manifest::into_value).collect()
}

fn read(text: &str) -> Vec<Manifest> {
    read_stream("app.yaml", text).unwrap()
}

fn refused(text: &str) -> ManifestError {
    read_stream("app.yaml", text).unwrap_err()
}

/// An object with this `spec`, indented by two.
fn with_spec(spec: &str) -> String {
    format!("apiVersion: v1\nkind: Thing\nmetadata:\n  name: one\nspec:\n{spec}")
}

/// The `spec` of the only object of a text.
fn spec(text: &str) -> Value {
    let [only] = values(&with_spec(text)).try_into().unwrap();
    only["spec"].clone()
}
