//! The bill of materials of the image: CycloneDX 1.5 in JSON (<https://cyclonedx.org/docs/1.5/json/>), with every crate
//! of the program's closure and what else is in the image. The same input makes the same bytes: it has no time and no
//! serial number.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::closure::{Closure, Crate, PROGRAM, Part};
use super::error::ImageError;
use super::packages::{Package, Packages};
use super::system::{SystemPart, encoded};
use crate::error::XtaskError;

/// The property of a component that says what a crate has to do with the program.
const PART: &str = "portreeve:part";
/// The crate that carries the policies, and the crate of the policies: cargo knows of no edge between them, since one's
/// build script builds the other.
const CARRIED: (&str, &str) = ("portreeve-builtin", "portreeve-catalogue");

/// The document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bill {
    bom_format: String,
    spec_version: String,
    version: u32,
    metadata: Metadata,
    /// All but the program itself.
    pub(super) components: Vec<Component>,
    /// Who needs whom.
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    component: Component,
}

/// A crate or another part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Component {
    #[serde(rename = "type")]
    kind: Kind,
    /// How the document's other places name it.
    #[serde(rename = "bom-ref")]
    pub(super) reference: String,
    /// Its name.
    pub(super) name: String,
    /// Its version, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    scope: Scope,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<Licence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Application,
    Library,
}

/// Whether it is in the image, or only made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    Required,
    Excluded,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hash {
    alg: String,
    content: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Licence {
    expression: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Property {
    name: String,
    value: String,
}

/// What a component needs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dependency {
    /// The component.
    #[serde(rename = "ref")]
    pub(super) reference: String,
    /// What it needs.
    pub(super) depends_on: BTreeSet<String>,
}

/// The bill of the image that has this program in it.
pub(super) fn bill(
    program: &Path,
    closure: &Closure,
    packages: &Packages,
    system: &[SystemPart],
) -> Result<Bill, ImageError> {
    let unknown = Package::default();
    let package = |named: &Crate| packages.get(named).unwrap_or(&unknown);
    let crates = closure.iter().map(|(named, parts)| Component::of_crate(named, parts, package(named)));
    let (mut itself, others): (Vec<_>, Vec<_>) = crates.partition(|component| component.name == PROGRAM);
    let mut itself = itself.pop().ok_or(ImageError::NoPackage { name: PROGRAM })?;
    itself.kind = Kind::Application;
    itself.hashes = vec![Hash::of_file(program)?];
    let system: Vec<_> = system.iter().map(Component::of_system).collect::<Result<_, _>>()?;
    let mut dependencies: Vec<_> = closure.keys().map(|named| dependency(named, closure, packages)).collect();
    // Linked to the whole, not to one crate of it.
    for dependency in dependencies.iter_mut().filter(|dependency| dependency.reference == itself.reference) {
        dependency.depends_on.extend(system.iter().map(|part| part.reference.clone()));
    }
    Ok(Bill {
        bom_format: "CycloneDX".to_owned(),
        spec_version: "1.5".to_owned(),
        version: 1,
        metadata: Metadata { component: itself },
        components: others.into_iter().chain(system).collect(),
        dependencies,
    })
}

fn dependency(named: &Crate, closure: &Closure, packages: &Packages) -> Dependency {
    let needs = packages.get(named).map(|package| &package.needs).into_iter().flatten();
    let mut depends_on: BTreeSet<_> = needs.filter(|need| closure.contains_key(need)).map(reference).collect();
    if named.name == CARRIED.0 {
        depends_on.extend(closure.keys().filter(|other| other.name == CARRIED.1).map(reference));
    }
    Dependency { reference: reference(named), depends_on }
}

fn reference(named: &Crate) -> String {
    format!("{}@{}", named.name, named.version)
}

impl Bill {
    /// The program, then all other components.
    pub(super) fn all(&self) -> impl Iterator<Item = &Component> {
        std::iter::once(&self.metadata.component).chain(&self.components)
    }
}

impl Component {
    fn of_crate(named: &Crate, parts: &BTreeSet<Part>, package: &Package) -> Self {
        let in_the_image = parts.iter().any(|part| *part != Part::Build);
        // Only what comes from the registry is found there by its name.
        let purl = package.checksum.as_ref().map(|_| format!("pkg:cargo/{}@{}", named.name, encoded(&named.version)));
        Self {
            kind: Kind::Library,
            reference: reference(named),
            name: named.name.clone(),
            version: Some(named.version.clone()),
            scope: if in_the_image { Scope::Required } else { Scope::Excluded },
            hashes: package.checksum.clone().map(Hash::sha_256).into_iter().collect(),
            licenses: package.licence.as_deref().map(Licence::of_cargo).into_iter().collect(),
            purl,
            properties: parts.iter().map(|part| Property::part(*part)).collect(),
        }
    }

    fn of_system(part: &SystemPart) -> Result<Self, ImageError> {
        Ok(Self {
            kind: Kind::Library,
            reference: part.url.clone().unwrap_or_else(|| part.name.clone()),
            name: part.name.clone(),
            version: part.version.clone(),
            scope: Scope::Required,
            hashes: part.file.as_deref().map(Hash::of_file).transpose()?.into_iter().collect(),
            licenses: vec![Licence { expression: part.licence.to_owned() }],
            purl: part.url.clone(),
            properties: Vec::new(),
        })
    }

    /// Whether it is a crate that is this to the program.
    pub(super) fn is(&self, part: Part) -> bool {
        self.properties.contains(&Property::part(part))
    }

    /// The crate; none if it is another part of the image.
    pub(super) fn as_crate(&self) -> Option<Crate> {
        let version = self.version.clone().filter(|_| !self.properties.is_empty())?;
        Some(Crate { name: self.name.clone(), version })
    }

    /// SHA-256 in hex of the crate's archive, or of the file.
    pub(super) fn checksum(&self) -> Option<&str> {
        self.hashes.first().map(|hash| hash.content.as_str())
    }

    /// Whether it says under what licence it is.
    pub(super) fn has_licence(&self) -> bool {
        !self.licenses.is_empty()
    }
}

impl Hash {
    fn sha_256(content: String) -> Self {
        Self { alg: "SHA-256".to_owned(), content }
    }

    fn of_file(path: &Path) -> Result<Self, ImageError> {
        let read = |error| XtaskError::Read { path: path.to_owned(), error };
        Ok(Self::sha_256(hex::encode(Sha256::digest(std::fs::read(path).map_err(read)?))))
    }
}

impl Licence {
    /// Older crates write a slash where SPDX says `OR`.
    fn of_cargo(expression: &str) -> Self {
        let choices: Vec<_> = expression.split('/').map(str::trim).collect();
        Self { expression: choices.join(" OR ") }
    }
}

impl Property {
    fn part(part: Part) -> Self {
        Self { name: PART.to_owned(), value: part.name().to_owned() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn named(name: &str) -> Crate {
        Crate { name: name.to_owned(), version: "1.0.0+a".to_owned() }
    }

    fn package(needs: &[&str], checksum: Option<&str>) -> Package {
        Package {
            id: String::new(),
            licence: Some("MIT/Apache-2.0".to_owned()),
            checksum: checksum.map(ToOwned::to_owned),
            needs: needs.iter().map(|need| named(need)).collect(),
        }
    }

    /// The bill of a program that carries policies, with a C library and a crate that only builds it.
    pub(in super::super) fn small() -> Bill {
        let closure = Closure::from([
            (named(PROGRAM), BTreeSet::from([Part::Program])),
            (named(CARRIED.0), BTreeSet::from([Part::Program])),
            (named(CARRIED.1), BTreeSet::from([Part::Policies])),
            (named("built"), BTreeSet::from([Part::Build])),
        ]);
        let packages = Packages::from([
            (named(PROGRAM), package(&[CARRIED.0, "elsewhere"], None)),
            (named(CARRIED.0), package(&["built"], None)),
            (named(CARRIED.1), package(&[], None)),
            (named("built"), package(&[], Some("ab"))),
            (named("elsewhere"), package(&[], Some("cd"))),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, "x").unwrap();
        let libc = SystemPart {
            file: Some(program.clone()),
            name: "libc".to_owned(),
            version: None,
            url: None,
            licence: "LGPL-2.1-or-later",
        };
        bill(&program, &closure, &packages, &[libc]).unwrap()
    }

    fn needs(bill: &Bill, name: &str) -> Vec<String> {
        let of = |dependency: &&Dependency| dependency.reference == reference(&named(name));
        bill.dependencies.iter().find(of).unwrap().depends_on.iter().cloned().collect()
    }

    #[test]
    fn only_what_made_the_image_is_excluded_from_it() {
        let bill = small();
        let excluded: Vec<_> = bill.all().filter(|part| part.scope == Scope::Excluded).map(|part| &part.name).collect();
        assert_eq!(excluded, ["built"]);
    }

    #[test]
    fn the_policies_hang_on_the_crate_that_carries_them_and_the_c_library_on_the_program() {
        let bill = small();
        assert_eq!(needs(&bill, PROGRAM), ["libc", "portreeve-builtin@1.0.0+a"]);
        assert_eq!(needs(&bill, CARRIED.0), ["built@1.0.0+a", "portreeve-catalogue@1.0.0+a"]);
    }

    #[test]
    fn only_what_comes_from_the_registry_has_a_url_there() {
        let bill = small();
        let urls: Vec<_> = bill.all().filter_map(|part| part.purl.as_deref()).collect();
        assert_eq!(urls, ["pkg:cargo/built@1.0.0%2Ba"]);
    }

    #[test]
    fn a_slash_between_licences_is_a_choice() {
        assert_eq!(Licence::of_cargo("MIT/Apache-2.0").expression, "MIT OR Apache-2.0");
        assert_eq!(Licence::of_cargo("(MIT OR Apache-2.0) AND ISC").expression, "(MIT OR Apache-2.0) AND ISC");
    }

    #[test]
    fn it_reads_what_it_writes() {
        let bill = small();
        let read: Bill = serde_json::from_str(&serde_json::to_string(&bill).unwrap()).unwrap();
        assert!(read.all().eq(bill.all()));
    }
}
