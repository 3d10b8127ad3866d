//! A platform as its folder has it: what runs there, what must be denied, its images, what is expected of each
//! workload.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portreeve_admission::case::GroupVersionKind;
use portreeve_admission::document::Document;
use portreeve_admission::subject::{SubjectError, TemplatePaths};
use portreeve_admission::template::Template;
use portreeve_server::manifest::{Manifest, read_paths};
use portreeve_server::set::Listed;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::embedded;
use super::error::DemoError;
use super::expected::Expectation;
use super::images::Image;
use super::site::Site;

/// Where a checkout has them.
const IN_CHECKOUT: &str = "tests/platforms";

/// A platform.
#[derive(Debug)]
pub(super) struct Platform {
    /// The name of its folder.
    pub(super) name: String,
    /// The folder.
    pub(super) folder: PathBuf,
    /// What has a pod template, in the order of the files: `manifests` first, then `denied`.
    pub(super) workloads: Vec<Workload>,
    /// What the webhook is told of beside them: Namespaces, and the objects of `manifests` that facts are made of.
    pub(super) beside: Vec<Value>,
    /// What `images.yaml` says.
    pub(super) images: Vec<Image>,
    /// What `expected.yaml` says; none if there is no such file.
    pub(super) expected: Option<Vec<Expectation>>,
}

/// An object with a pod template.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    pub(super) kind: GroupVersionKind,
    pub(super) namespace: String,
    pub(super) name: String,
    /// `file:line`.
    pub(super) place: String,
    pub(super) object: Value,
}

/// The folder of the platforms: the one that is named, that of a checkout, or the ones that we carry.
pub(super) fn folder(named: Option<&Path>, site: &Site) -> Result<PathBuf, DemoError> {
    let checkout = Path::new(IN_CHECKOUT);
    match named {
        Some(named) => Ok(named.to_owned()),
        None if checkout.is_dir() => Ok(checkout.to_owned()),
        None => {
            let path = site.platforms();
            embedded::unpack(&path).map_err(|source| DemoError::Unwritable { path: path.clone(), source })?;
            Ok(path)
        }
    }
}

/// Every platform of the folder, by name.
pub(super) fn read_all(folder: &Path) -> Result<Vec<Platform>, DemoError> {
    let unreadable = |source| DemoError::Unreadable { path: folder.to_owned(), source };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join("manifests").is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    if folders.is_empty() {
        return Err(DemoError::NoPlatforms(folder.to_owned()));
    }
    folders.into_iter().map(Platform::read).collect()
}

/// A YAML file of the given shape.
pub(super) fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, DemoError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| DemoError::Unreadable { path: path.to_owned(), source })?;
    serde_saphyr::from_str(&text).map_err(|error| DemoError::File { path: path.to_owned(), reason: error.to_string() })
}

impl Platform {
    fn read(folder: PathBuf) -> Result<Self, DemoError> {
        let mut workloads = Vec::new();
        let mut beside = Vec::new();
        for manifest in manifests(&folder)? {
            match Workload::of(&manifest) {
                Some(workload) => workloads.push(workload),
                None if is_known_beside(&manifest) => beside.push(manifest.into_value()),
                None => {}
            }
        }
        let expected = folder.join("expected.yaml");
        Ok(Self {
            name: folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            images: Image::read(&folder.join("images.yaml"))?,
            expected: expected.exists().then(|| read_yaml(&expected)).transpose()?,
            workloads,
            beside,
            folder,
        })
    }
}

impl Workload {
    /// None if it has no pod template.
    fn of(manifest: &Manifest) -> Option<Self> {
        let kind = GroupVersionKind {
            group: manifest.group().to_owned(),
            version: manifest.version().to_owned(),
            kind: manifest.kind().to_owned(),
        };
        TemplatePaths::default().has(&kind).then(|| Self {
            namespace: manifest.namespace().unwrap_or("default").to_owned(),
            name: manifest.name().to_owned(),
            place: format!("{}:{}", manifest.source(), manifest.line()),
            object: manifest.value().clone(),
            kind,
        })
    }

    /// `Deployment shop/web`.
    pub(super) fn reference(&self) -> String {
        format!("{} {}/{}", self.kind.kind, self.namespace, self.name)
    }

    /// The pod template of this object, or of what became of it.
    pub(super) fn template(&self, object: &Value) -> Result<Arc<Template>, DemoError> {
        let subjects = TemplatePaths::default().subjects(&self.kind, &Document::from_value(object.clone()));
        let unreadable = |source: SubjectError| DemoError::Template { workload: self.reference(), source };
        let first = subjects.map_err(unreadable)?.into_iter().next();
        Ok(first.map(|subject| subject.template).unwrap_or_default())
    }
}

fn manifests(folder: &Path) -> Result<Vec<Manifest>, DemoError> {
    let paths: Vec<PathBuf> =
        ["manifests", "denied"].map(|name| folder.join(name)).into_iter().filter(|path| path.is_dir()).collect();
    read_paths(&paths, &mut std::io::empty()).map_err(DemoError::Manifests)
}

/// Whether a server makes something of it that finds it among its policy files.
fn is_known_beside(manifest: &Manifest) -> bool {
    (manifest.api_version(), manifest.kind()) == ("v1", "Namespace") || Listed::of(manifest).is_some()
}
