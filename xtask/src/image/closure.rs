//! Which crates go into the program, and in what way: linked into it, compiled into the policies that it carries as
//! WebAssembly, or needed to build either. cargo says so, with the features that it builds them with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::error::ImageError;
use crate::cargo::{cargo, output};

/// The package of the program.
pub(super) const PROGRAM: &str = "portreeve";
/// The package of the policies that ship, and what they are compiled for.
const POLICIES: (&str, &str) = ("portreeve-catalogue", "wasm32-unknown-unknown");

/// A crate in one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Crate {
    /// Its name.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
}

/// What a crate has to do with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Its code is in the program.
    Program,
    /// Its code is in the policies that the program carries.
    Policies,
    /// A build script or a macro needs it.
    Build,
}

/// All crates, each with all that it has to do with the program.
pub(super) type Closure = BTreeMap<Crate, BTreeSet<Part>>;

/// The closure of the program for a target.
pub(super) fn closure(triple: &str) -> Result<Closure, ImageError> {
    let mut closure = Closure::new();
    for (part, package, target) in [(Part::Program, PROGRAM, triple), (Part::Policies, POLICIES.0, POLICIES.1)] {
        let inside = tree(package, target, "normal,no-proc-macro")?;
        for crate_ in &inside {
            closure.entry(crate_.clone()).or_default().insert(part);
        }
        for crate_ in tree(package, target, "normal,build")?.difference(&inside) {
            closure.entry(crate_.clone()).or_default().insert(Part::Build);
        }
    }
    Ok(closure)
}

fn tree(package: &str, target: &str, edges: &str) -> Result<BTreeSet<Crate>, ImageError> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "--package", package, "--target", target, "--edges", edges]);
    output(tree.args(["--prefix", "none", "--format", "{p}"]))?
        .lines()
        .filter(|line| !line.is_empty())
        .map(read)
        .collect()
}

/// A name and a version; after them may stand what kind of crate it is, and where.
fn read(line: &str) -> Result<Crate, ImageError> {
    let mut words = line.split(' ');
    match (words.next(), words.next().and_then(|version| version.strip_prefix('v'))) {
        (Some(name), Some(version)) => Ok(Crate { name: name.to_owned(), version: version.to_owned() }),
        _ => Err(ImageError::Unreadable { program: "cargo tree", printed: line.to_owned() }),
    }
}

impl Part {
    /// As the bill of materials calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Policies => "policies",
            Self::Build => "build",
        }
    }
}

impl fmt::Display for Crate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_of_cargo_tree() {
        let read = |line| read(line).map(|crate_| crate_.to_string());
        assert_eq!(read("serde v1.0.229").unwrap(), "serde 1.0.229");
        assert_eq!(read("toml v1.2.1+spec-1.1.0 (*)").unwrap(), "toml 1.2.1+spec-1.1.0");
        assert_eq!(read("portreeve v0.1.0 (/checkout/webhook/cli)").unwrap(), "portreeve 0.1.0");
        assert!(read("[build-dependencies]").is_err());
    }
}
