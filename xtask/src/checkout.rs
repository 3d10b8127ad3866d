//! The checkout as the house rules see it: its text files, and its packages as cargo knows them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cargo::{cargo, output, program, root};
use crate::error::XtaskError;

/// All that a rule may look at.
#[derive(Debug, Default)]
pub(crate) struct Checkout {
    /// Text by path, from the workspace's folder, with slashes. Files that git ignores are not among them.
    pub(crate) files: BTreeMap<String, String>,
    /// The workspace's packages.
    pub(crate) packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) licence: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a package says it needs.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) need: Need,
}

/// When a dependency is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Always,
    /// With a feature.
    Feature,
    /// In the build script.
    Build,
    /// In tests.
    Tests,
}

impl Checkout {
    /// Reads the checkout that this was built in.
    pub(crate) fn read() -> Result<Self, XtaskError> {
        Ok(Self { files: files()?, packages: packages()? })
    }

    /// The files under a folder, by what follows the folder's name.
    pub(crate) fn under<'c>(&'c self, folder: &'c str) -> impl Iterator<Item = (&'c str, &'c str)> {
        self.files.iter().filter_map(move |(path, text)| Some((path.strip_prefix(folder)?, text.as_str())))
    }

    /// The names of the folders right under a folder, whose name ends in a slash.
    pub(crate) fn folders<'c>(&'c self, folder: &'c str) -> BTreeSet<&'c str> {
        self.under(folder).filter_map(|(path, _)| Some(path.split_once('/')?.0)).collect()
    }
}

fn files() -> Result<BTreeMap<String, String>, XtaskError> {
    let mut git = program(&"git".into());
    let listed = output(git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    let mut files = BTreeMap::new();
    for path in listed.split_terminator('\0') {
        let place = root().join(path);
        match std::fs::read(&place) {
            // What is no text has no words.
            Ok(bytes) => files.extend(String::from_utf8(bytes).ok().map(|text| (path.to_owned(), text))),
            // Deleted, and git not told yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(XtaskError::Read { path: place, error }),
        }
    }
    Ok(files)
}

fn packages() -> Result<Vec<Package>, XtaskError> {
    let metadata: Value =
        serde_json::from_str(&output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?)?;
    Ok(list(&metadata, "packages").map(package).collect())
}

fn package(package: &Value) -> Package {
    Package {
        name: text(package, "name").unwrap_or_default(),
        licence: text(package, "license"),
        dependencies: list(package, "dependencies").map(dependency).collect(),
    }
}

fn dependency(dependency: &Value) -> Dependency {
    let need = match text(dependency, "kind").as_deref() {
        Some("dev") => Need::Tests,
        Some("build") => Need::Build,
        _ if dependency.get("optional") == Some(&Value::Bool(true)) => Need::Feature,
        _ => Need::Always,
    };
    Dependency { name: text(dependency, "name").unwrap_or_default(), need }
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().map(ToOwned::to_owned)
}
