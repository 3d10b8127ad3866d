//! Images that are made up, and policy modules: manifest, index and configuration as the OCI image specification wants
//! them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::image_config::{BASE_IMAGE_LABEL, ExposedPort};
use crate::reference::Digest;

/// What is to be said of an image. Two images that differ in anything, or stand in different repositories, have
/// different digests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FixtureImage {
    /// `USER`; none is root.
    pub user: Option<String>,
    /// `EXPOSE`.
    pub exposed_ports: Vec<ExposedPort>,
    /// `VOLUME`.
    pub volumes: Vec<String>,
    /// The image that it was built on.
    pub base_image: Option<String>,
    /// Tells builds apart that are the same in all else.
    pub build: u32,
    /// Whether there is an index.
    pub shape: Shape,
}

/// What a tag names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// A manifest, for linux/amd64.
    #[default]
    Manifest,
    /// An index with manifests for linux/amd64 and linux/arm64, and an attestation as builders add it.
    Index,
}

/// Bytes that are kept under their digest.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The end of a tar archive, which is a tar archive with nothing in it.
const EMPTY_TAR: [u8; 1_024] = [0; 1_024];

impl Content {
    pub(super) fn digest(&self) -> Digest {
        Digest::sha256_of(&self.bytes)
    }

    fn json(media_type: &'static str, document: &Value) -> Self {
        Self { media_type, bytes: document.to_string().into_bytes() }
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest(), "size": self.bytes.len()})
    }
}

impl FixtureImage {
    /// All content of the image; what the tag names comes first.
    pub(super) fn content(&self, repository: &str) -> Vec<Content> {
        let amd64 = self.for_architecture("amd64", repository);
        match self.shape {
            Shape::Manifest => amd64,
            Shape::Index => {
                let arm64 = self.for_architecture("arm64", repository);
                let index = index(&[("amd64", amd64.first()), ("arm64", arm64.first())]);
                [vec![index], amd64, arm64].concat()
            }
        }
    }

    /// Manifest, configuration and layer.
    fn for_architecture(&self, architecture: &str, repository: &str) -> Vec<Content> {
        let layer = Content { media_type: LAYER, bytes: EMPTY_TAR.to_vec() };
        let config = Content::json(CONFIG, &self.config(architecture, repository, &layer));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        });
        vec![Content::json(MANIFEST, &manifest), config, layer]
    }

    fn config(&self, architecture: &str, repository: &str, layer: &Content) -> Value {
        let empty = |name: String| (name, json!({}));
        let ports: BTreeMap<_, _> = self.exposed_ports.iter().map(|port| empty(port.to_string())).collect();
        let volumes: BTreeMap<_, _> = self.volumes.iter().cloned().map(empty).collect();
        let title = format!("{repository} build {}", self.build);
        let mut labels = BTreeMap::from([("org.opencontainers.image.title", title)]);
        labels.extend(self.base_image.clone().map(|name| (BASE_IMAGE_LABEL, name)));
        json!({
            "architecture": architecture,
            "os": "linux",
            "config": {
                "User": self.user.as_deref().unwrap_or_default(),
                "ExposedPorts": ports,
                "Volumes": volumes,
                "Labels": labels,
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.digest()]},
        })
    }
}

/// Manifest, configuration and layer of a policy module; the manifest comes first.
pub(super) fn module(component: Vec<u8>) -> Vec<Content> {
    let layer = Content { media_type: "application/wasm", bytes: component };
    let config = json!({"architecture": "wasm", "os": "wasip2", "layerDigests": [layer.digest()]});
    let config = Content::json("application/vnd.wasm.config.v0+json", &config);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    });
    vec![Content::json(MANIFEST, &manifest), config, layer]
}

fn index(manifests: &[(&str, Option<&Content>)]) -> Content {
    let entry = |manifest: &Content, os: &str, architecture: &str| {
        let mut descriptor = manifest.descriptor();
        if let Some(fields) = descriptor.as_object_mut() {
            fields.insert("platform".into(), json!({"os": os, "architecture": architecture}));
        }
        descriptor
    };
    let attestation = Content::json(MANIFEST, &json!({"schemaVersion": 2, "mediaType": MANIFEST}));
    let images =
        manifests.iter().filter_map(|(architecture, manifest)| Some(entry((*manifest)?, "linux", architecture)));
    let entries: Vec<_> = std::iter::once(entry(&attestation, "unknown", "unknown")).chain(images).collect();
    Content::json(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))
}
