//! The definitions that helm installs are those of the types. `PORTREEVE_WRITE_CRDS=1 cargo test -p portreeve-cluster
//! --test definitions` writes them anew; review the difference.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::path::PathBuf;

use portreeve_cluster::crd::{GROUP, Kind, VERSION, definition};
use serde_json::Value;

/// The first line of every file.
const SOURCE: &str = "# Made from webhook/admission/src/api; webhook/cluster/tests/definitions.rs says how.\n";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../charts/portreeve/crds")
}

fn text(kind: Kind) -> String {
    let definition = serde_json::to_value(definition(kind).unwrap()).unwrap();
    format!("{SOURCE}{}", serde_saphyr::to_string(&definition).unwrap())
}

#[test]
fn definitions_are_current() {
    let write = std::env::var_os("PORTREEVE_WRITE_CRDS").is_some();
    for kind in Kind::ALL {
        let file = folder().join(format!("{}.yaml", kind.plural()));
        if write {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&file, text(kind)).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(
            written == text(kind),
            "{} is not what the types say; see the first lines of this file",
            file.display()
        );
    }
}

#[test]
fn every_file_is_a_definition() {
    let mut files: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let mut kinds = Kind::ALL.map(|kind| format!("{}.yaml", kind.plural()));
    kinds.sort();
    assert_eq!(files, kinds);
}

#[test]
fn a_file_reads_back_as_the_definition() {
    for kind in Kind::ALL {
        let read: Value = serde_saphyr::from_str(&text(kind)).unwrap();
        assert_eq!(read, serde_json::to_value(definition(kind).unwrap()).unwrap());
    }
}

#[test]
fn every_field_is_explained() {
    for kind in Kind::ALL {
        let definition = serde_json::to_value(definition(kind).unwrap()).unwrap();
        let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties").unwrap();
        for part in ["spec", "status"] {
            let silent = silent(&schema[part], part);
            assert!(silent.is_empty(), "{kind:?}: {silent:?}");
        }
    }
}

/// Fields below a schema that nothing is said of.
fn silent(schema: &Value, at: &str) -> Vec<String> {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let below = fields.flat_map(|(name, field)| {
        let at = format!("{at}.{name}");
        let own = field["description"].as_str().is_none_or(str::is_empty).then(|| at.clone());
        own.into_iter().chain(silent(field, &at)).collect::<Vec<_>>()
    });
    let of_items = schema.get("items").map(|items| silent(items, at)).unwrap_or_default();
    below.chain(of_items).collect()
}

#[test]
fn every_place_has_one_type_and_no_reference() {
    for kind in Kind::ALL {
        let text = text(kind);
        for unstructural in ["$ref", "anyOf", "oneOf", "nullable", "additionalProperties: false"] {
            assert!(!text.contains(unstructural), "{kind:?}: {unstructural}");
        }
        assert!(text.contains(&format!("group: {GROUP}")) && text.contains(&format!("name: {VERSION}")));
    }
}
