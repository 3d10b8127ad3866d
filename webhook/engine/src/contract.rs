//! Whether a component keeps to the contract: what it imports and exports, before any of it runs.

use semver::Version;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentInstance, ComponentItem};

use crate::LoadError;

/// The package and version that this host serves.
pub const CONTRACT: &str = "portreeve:policy@1.0.0";
const PACKAGE: &str = "portreeve:policy";
const MAJOR: u64 = 1;

/// Every function that a policy may import. A test holds this against `wit/policy.wit`.
const GRANTED: [(&str, &[&str]); 5] = [
    ("types", &[]),
    (
        "request",
        &["operation", "kind", "resource", "subresource", "namespace", "name", "user-name", "read", "read-old"],
    ),
    (
        "subject",
        &["present", "pod", "containers", "programs", "volumes", "tolerations", "old-containers", "read", "read-old"],
    ),
    ("facts", &["get"]),
    ("log", &["write"]),
];

const EXPORTS: [&str; 3] = ["describe", "configure", "evaluate"];

/// Checks what the component asks for and what it offers.
pub(crate) fn check(component: &Component) -> Result<(), LoadError> {
    let engine = component.engine();
    let shape = component.component_type();
    for (name, import) in shape.imports(engine) {
        match import.ty {
            ComponentItem::ComponentInstance(instance) => check_import(engine, name, &instance)?,
            // A world's own `use` imports a type by its bare name; a type can do nothing.
            ComponentItem::Type(_) => {}
            _ => return Err(not_granted(name)),
        }
    }
    let exports =
        |name| shape.get_export(engine, name).is_some_and(|e| matches!(e.ty, ComponentItem::ComponentFunc(_)));
    match EXPORTS.into_iter().find(|name| !exports(name)) {
        Some(export) => Err(LoadError::MissingExport { export }),
        None => Ok(()),
    }
}

/// The names of what the component imports.
pub(crate) fn imports(component: &Component) -> Vec<String> {
    component.component_type().imports(component.engine()).map(|(name, _)| name.to_owned()).collect()
}

/// `name` is such as `portreeve:policy/request@1.0.0`.
fn check_import(engine: &wasmtime::Engine, name: &str, instance: &ComponentInstance) -> Result<(), LoadError> {
    let (path, version) = name.split_once('@').ok_or_else(|| not_granted(name))?;
    let interface = path.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/'));
    let interface = interface.ok_or_else(|| not_granted(name))?;
    if version.parse::<Version>().map_or(true, |version| version.major != MAJOR) {
        return Err(LoadError::UnknownContract { found: format!("{PACKAGE}@{version}"), supported: CONTRACT });
    }
    let (_, granted) = GRANTED.iter().find(|(known, _)| *known == interface).ok_or_else(|| not_granted(name))?;
    for (item, import) in instance.exports(engine) {
        let allowed = match import.ty {
            ComponentItem::ComponentFunc(_) => granted.contains(&item),
            ComponentItem::Type(_) => true,
            _ => false,
        };
        if !allowed {
            return Err(not_granted(&format!("{name}#{item}")));
        }
    }
    Ok(())
}

fn not_granted(import: &str) -> LoadError {
    LoadError::ImportNotGranted { import: import.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    type Interfaces = BTreeMap<String, BTreeSet<String>>;

    fn in_the_contract() -> (String, Interfaces, BTreeSet<String>) {
        let mut wit = wit_parser::Resolve::new();
        let (package, _) = wit.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).unwrap();
        let interfaces = wit.packages[package].interfaces.iter().map(|(name, id)| {
            let functions = wit.interfaces[*id].functions.keys().cloned().collect();
            (name.clone(), functions)
        });
        let interfaces = interfaces.collect();
        let world = wit.select_world(&[package], Some("policy")).unwrap();
        let exports = wit.worlds[world].exports.values().filter_map(|item| match item {
            wit_parser::WorldItem::Function(function) => Some(function.name.clone()),
            _ => None,
        });
        let exports = exports.collect();
        (wit.packages[package].name.to_string(), interfaces, exports)
    }

    #[test]
    fn what_is_granted_is_what_the_contract_says() {
        let granted: Interfaces = GRANTED
            .iter()
            .map(|(name, functions)| ((*name).to_owned(), functions.iter().map(ToString::to_string).collect()))
            .collect();
        let (name, interfaces, exports) = in_the_contract();
        assert_eq!(name, CONTRACT);
        assert_eq!(granted, interfaces);
        assert_eq!(EXPORTS.map(str::to_owned).into_iter().collect::<BTreeSet<_>>(), exports);
    }
}
