//! A platform of `tests/platforms`: what runs there, what must be denied, its policies and images, what is expected of
//! each workload.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test may fail by panic"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use portreeve_server::manifest::{Manifest, read_paths};
use portreeve_server::set::Listed;
use portreeve_supply::RegistriesConfig;
use portreeve_supply::loopback::{FixtureImage, LoopbackRegistry, Shape};
use portreeve_supply::reference::{ImageReference, RegistryHost};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::places::checkout;

/// What the controller of Deployments writes beside them.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Files of kinds that an API server learns from an operator, which is not here.
const OF_OPERATORS: [&str; 2] = ["secret-provider-class.yaml", "service-monitor.yaml"];

/// A platform.
pub struct Platform {
    /// The name of its folder.
    pub name: String,
    folder: PathBuf,
    /// Its Namespaces, those of what must be denied too.
    pub namespaces: Vec<Value>,
    /// What the server knows beside its policies: the Namespaces, and the objects that facts are made of.
    known: Vec<Value>,
    /// All other objects.
    pub objects: Vec<Value>,
    /// What has to be refused.
    pub denied: Vec<Value>,
    /// What is expected of each workload.
    pub expected: Vec<Expectation>,
    images: Vec<Image>,
}

/// An entry of `expected.yaml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Expectation {
    kind: String,
    namespace: String,
    name: String,
    /// What is put in.
    #[serde(default)]
    pub injected: BTreeSet<String>,
    /// A word of the refusal; none if it is admitted.
    #[serde(default)]
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct Images {
    images: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    image: String,
    user: String,
    exposed_ports: Vec<String>,
    writable_paths: Vec<String>,
}

impl Expectation {
    /// `Deployment shop/web`.
    #[must_use]
    pub fn named(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// All of them, by name.
#[must_use]
pub fn all() -> Vec<Platform> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("manifests").is_dir()).collect();
    folders.sort();
    folders.into_iter().map(Platform::read).collect()
}

/// The platforms in the order in which they are put into one cluster: a node port that one of them names must not have
/// gone to another by chance.
#[must_use]
pub fn in_order(platforms: &[Platform]) -> Vec<&Platform> {
    let mut ordered: Vec<&Platform> = platforms.iter().collect();
    ordered.sort_by_key(|platform| !platform.objects.iter().any(names_a_node_port));
    ordered
}

/// `Deployment shop/web`.
#[must_use]
pub fn named(object: &Value) -> String {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

/// What people wrote of an object and what was put in, and its generation: without what controllers say of it, where
/// there are any, and the API server's notes on who wrote what and when.
#[must_use]
pub fn state(object: &Value) -> Value {
    let mut state = object.clone();
    if let Some(object) = state.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = state.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(REVISION);
        }
        metadata.retain(|name, field| name != "annotations" || field != &json!({}));
    }
    state
}

fn names_a_node_port(object: &Value) -> bool {
    let ports = object.pointer("/spec/ports").and_then(Value::as_array);
    ports.is_some_and(|ports| ports.iter().any(|port| port.get("nodePort").is_some()))
}

fn folder() -> PathBuf {
    checkout().join("tests/platforms")
}

impl Platform {
    fn read(folder: PathBuf) -> Self {
        let is_here = |manifest: &Manifest| !OF_OPERATORS.iter().any(|file| manifest.source().ends_with(file));
        let read_all = |name: &str| -> Vec<Manifest> {
            let manifests = read_paths(&[folder.join(name)], &mut std::io::empty()).unwrap();
            manifests.into_iter().filter(is_here).collect()
        };
        let (mut namespaces, running): (Vec<Manifest>, Vec<Manifest>) =
            read_all("manifests").into_iter().partition(is_namespace);
        let (of_denied, denied): (Vec<Manifest>, Vec<Manifest>) =
            read_all("denied").into_iter().partition(is_namespace);
        namespaces.extend(of_denied);
        let listed = running.iter().filter(|manifest| Listed::of(manifest).is_some());
        let known = namespaces.iter().chain(listed).map(|manifest| manifest.value().clone()).collect();
        let values = |manifests: Vec<Manifest>| manifests.into_iter().map(Manifest::into_value).collect();
        Self {
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            namespaces: values(namespaces),
            objects: values(running),
            denied: values(denied),
            known,
            expected: read(&folder.join("expected.yaml")),
            images: read::<Images>(&folder.join("images.yaml")).images,
            folder,
        }
    }

    /// What is expected of this object; none if it has no pod template.
    #[must_use]
    pub fn expectation(&self, object: &Value) -> Option<&Expectation> {
        self.expected.iter().find(|expected| expected.named() == named(object))
    }
}

/// The policy files of all platforms, and what else the server is to know: namespaces, and the objects that facts are
/// made of. File name and text.
#[must_use]
pub fn policies(platforms: &[Platform]) -> Vec<(String, String)> {
    let mut files = texts(&folder().join("policies"), "all");
    for platform in platforms {
        files.extend(texts(&platform.folder.join("policies"), &platform.name));
        let list = json!({"apiVersion": "v1", "kind": "List", "items": platform.known});
        files.push((format!("{}-objects.json", platform.name), list.to_string()));
    }
    files
}

fn is_namespace(manifest: &Manifest) -> bool {
    (manifest.api_version(), manifest.kind()) == ("v1", "Namespace")
}

fn texts(folder: &Path, prefix: &str) -> Vec<(String, String)> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| format!("{prefix}-{}", path.file_name().unwrap().to_string_lossy());
    paths.map(|path| (named(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

/// A registry with the images of all platforms.
pub async fn registry(platforms: &[Platform]) -> LoopbackRegistry {
    let images = platforms.iter().flat_map(|platform| &platform.images).filter_map(|image| {
        let reference = image.reference();
        let repository = format!("{}/{}", reference.host(), reference.repository());
        Some((repository, reference.tag()?.to_string(), image.content()))
    });
    LoopbackRegistry::start(images).await.unwrap()
}

/// The configuration by which it stands in for every registry that the images name.
#[must_use]
pub fn registries(registry: &LoopbackRegistry, platforms: &[Platform]) -> RegistriesConfig {
    let images = platforms.iter().flat_map(|platform| &platform.images);
    let hosts: BTreeSet<String> = images.map(|image| image.reference().host().as_str().to_owned()).collect();
    let stood_in = hosts.iter().map(|host| registry.in_place_of(host.parse::<RegistryHost>().unwrap()));
    RegistriesConfig {
        registries: std::iter::once(registry.listed()).chain(stood_in).collect(),
        ..RegistriesConfig::default()
    }
}

impl Image {
    fn reference(&self) -> ImageReference {
        self.image.parse().unwrap()
    }

    fn content(&self) -> FixtureImage {
        FixtureImage {
            exposed_ports: self.exposed_ports.iter().map(|port| port.parse().unwrap()).collect(),
            user: Some(self.user.clone()).filter(|user| !user.is_empty()),
            volumes: self.writable_paths.clone(),
            shape: Shape::Index,
            ..FixtureImage::default()
        }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
