//! What cargo knows of packages: their licences and what they need (`cargo metadata`), and the checksums of those that
//! come from a registry (`Cargo.lock`).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::closure::Crate;
use super::error::ImageError;
use crate::cargo::{cargo, output, root};
use crate::error::XtaskError;

/// A package in one version.
#[derive(Debug, Default)]
pub(super) struct Package {
    /// What cargo calls it when it tells what it does.
    pub(super) id: String,
    /// An SPDX expression.
    pub(super) licence: Option<String>,
    /// SHA-256 of its archive in hex; none for packages of this workspace.
    pub(super) checksum: Option<String>,
    /// What it needs to be built and to run, its tests apart.
    pub(super) needs: BTreeSet<Crate>,
}

/// All packages of `Cargo.lock`.
pub(super) type Packages = BTreeMap<Crate, Package>;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Described {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Need>,
}

#[derive(Deserialize)]
struct Need {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// The packages of this workspace and all that they may need.
pub(super) fn packages() -> Result<Packages, ImageError> {
    let metadata = output(cargo().args(["metadata", "--locked", "--format-version", "1"]))?;
    Ok(joined(serde_json::from_str(&metadata).map_err(XtaskError::Metadata)?, &checksums()?))
}

/// The checksums of `Cargo.lock`, by package.
pub(super) fn checksums() -> Result<BTreeMap<Crate, Option<String>>, ImageError> {
    let path = root().join("Cargo.lock");
    let text = std::fs::read_to_string(&path).map_err(|error| XtaskError::Read { path, error })?;
    let lock: Lock = toml::from_str(&text)?;
    let entry = |locked: Locked| (Crate { name: locked.name, version: locked.version }, locked.checksum);
    Ok(lock.package.into_iter().map(entry).collect())
}

fn joined(metadata: Metadata, checksums: &BTreeMap<Crate, Option<String>>) -> Packages {
    let crate_of = |package: &Described| Crate { name: package.name.clone(), version: package.version.clone() };
    let crates: BTreeMap<&str, Crate> =
        metadata.packages.iter().map(|package| (package.id.as_str(), crate_of(package))).collect();
    let needs: BTreeMap<&str, &Node> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let package = |described: &Described| Package {
        id: described.id.clone(),
        licence: described.license.clone(),
        checksum: checksums.get(&crate_of(described)).cloned().flatten(),
        needs: needs
            .get(described.id.as_str())
            .into_iter()
            .flat_map(|node| &node.deps)
            .filter(|need| need.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev")))
            .filter_map(|need| crates.get(need.pkg.as_str()).cloned())
            .collect(),
    };
    metadata.packages.iter().map(|described| (crate_of(described), package(described))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(name: &str) -> Crate {
        Crate { name: name.to_owned(), version: "1.0.0".to_owned() }
    }

    #[test]
    fn what_only_tests_need_is_not_needed() {
        let package = |name: &str| json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT"});
        let need = |name: &str, kind: Option<&str>| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let needs = [need("linked", None), need("tried", Some("dev")), need("built", Some("build"))];
        let metadata = json!({
            "packages": [package("program"), package("linked"), package("tried"), package("built")],
            "resolve": {"nodes": [{"id": "program", "deps": needs}]},
        });
        let checksums = BTreeMap::from([(named("linked"), Some("ab".to_owned()))]);
        let packages = joined(serde_json::from_value(metadata).unwrap(), &checksums);
        assert_eq!(packages[&named("program")].needs, BTreeSet::from([named("linked"), named("built")]));
        assert_eq!(packages[&named("linked")].checksum.as_deref(), Some("ab"));
        assert_eq!(packages[&named("program")].checksum, None);
    }
}
