//! `portreeve policy`.

use super::{assert_promised, folder, portreeve, text};

#[test]
fn every_policy_of_the_platform_profile_is_listed() {
    let listed = portreeve(&["policy", "list", "-o", "json"]).with_code(0).json();
    assert_promised("policy-list", &listed);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|policy| policy["name"].as_str().unwrap()).collect();
    for resource in portreeve_server::set::platform() {
        let reference = resource.reference();
        assert!(names.iter().any(|name| reference.ends_with(&format!("/{name}"))), "{reference}");
    }
}

#[test]
fn a_policy_that_ships_is_shown_with_the_schema_of_its_settings() {
    let module = portreeve(&["policy", "inspect", "non-root", "-o", "json"]).with_code(0).json();
    assert_promised("policy-inspect", &module);
    assert_eq!(module["policies"].as_array().unwrap().len(), 1);
    assert_eq!(module["notFrozenBecause"], serde_json::Value::Null);
    let shown = portreeve(&["policy", "inspect", "non-root"]).with_code(0).stdout;
    assert!(shown.starts_with("non-root ") && shown.contains("frozen, already configured"), "{shown}");
}

#[test]
fn a_module_in_a_file_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalogue.wasm");
    std::fs::write(&file, portreeve_builtin::CATALOGUE).unwrap();
    let module = portreeve(&["policy", "inspect", &text(&file), "-o", "json"]).with_code(0).json();
    assert!(module["policies"].as_array().unwrap().len() > 1);
}

#[test]
fn an_unknown_policy_is_answered_with_those_there_are() {
    let ended = portreeve(&["policy", "inspect", "no-root"]).with_code(2);
    assert!(ended.stderr.contains("\"no-root\"") && ended.stderr.contains("non-root"), "{}", ended.stderr);
}

#[test]
fn a_file_that_is_no_module_is_told() {
    let folder = folder(&[("bad.wasm", "not a module")]);
    let ended = portreeve(&["policy", "inspect", &text(folder.path().join("bad.wasm"))]).with_code(2);
    assert!(ended.stderr.contains("bad.wasm") && ended.stderr.contains("not WebAssembly"), "{}", ended.stderr);
    portreeve(&["policy", "inspect", "missing.wasm"]).with_code(2);
}
