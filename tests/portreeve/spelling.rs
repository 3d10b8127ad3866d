//! The words of our settings and resources are words to `kubectl` too: YAML 1.1 reads a bare `on` as true and `08` as a
//! number, so that what a user wrote would be something else in a cluster.

use std::collections::BTreeSet;

use portreeve_cluster::crd::{Kind, definition};
use portreeve_server::manifest::read_stream;
use serde_json::{Value, json};

/// The names of fields, and the words to choose from, that a schema has.
fn words(schema: &Value) -> BTreeSet<String> {
    let below = match schema {
        Value::Object(parts) => parts.values().flat_map(words).collect(),
        Value::Array(parts) => parts.iter().flat_map(words).collect(),
        _ => BTreeSet::new(),
    };
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(|fields| fields.keys());
    let chosen = schema.get("enum").and_then(Value::as_array).into_iter().flatten().chain(schema.get("const"));
    let chosen = chosen.filter_map(Value::as_str).map(str::to_owned);
    below.into_iter().chain(fields.cloned()).chain(chosen).collect()
}

/// Those that mean something else where they are written without quotes.
fn misread(schema: &Value) -> Vec<String> {
    let is_misread = |word: &String| {
        let written = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{{word}: {word}}}\n");
        read_stream("word.yaml", &written).unwrap().pop().unwrap().value()["data"] != json!({word: word})
    };
    words(schema).into_iter().filter(is_misread).collect()
}

#[test]
fn no_word_of_the_settings_has_to_be_quoted() {
    for (policy, schema) in portreeve_catalogue::schemas() {
        assert_eq!(misread(schema.as_value()), [""; 0], "{policy}");
    }
}

/// A mode written as a bare `off` is answered with what to write.
#[test]
fn no_word_of_our_resources_has_to_be_quoted_but_off() {
    for kind in Kind::ALL {
        let definition = serde_json::to_value(definition(kind).unwrap()).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        assert!(!words(schema).is_empty(), "{kind:?}");
        assert!(misread(schema).iter().all(|word| word == "off"), "{kind:?}: {:?}", misread(schema));
    }
}
