//! The platforms' images, served by a registry on loopback, so that digests are really resolved. What the images say of
//! themselves stands in each platform's `images.yaml`.

use std::collections::BTreeSet;
use std::path::Path;

use portreeve_supply::RegistriesConfig;
use portreeve_supply::loopback::{FixtureImage, LoopbackRegistry, Shape};
use portreeve_supply::reference::{ImageReference, RegistryHost};
use serde::Deserialize;

use super::error::DemoError;
use super::platform::{Platform, read_yaml};

/// An image that a platform uses.
#[derive(Debug, Clone)]
pub(super) struct Image {
    reference: ImageReference,
    content: FixtureImage,
}

/// `images.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImagesFile {
    images: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    image: String,
    user: String,
    exposed_ports: Vec<String>,
    writable_paths: Vec<String>,
}

impl Image {
    /// All images of the file.
    pub(super) fn read(path: &Path) -> Result<Vec<Self>, DemoError> {
        read_yaml::<ImagesFile>(path)?.images.into_iter().map(|written| written.image(path)).collect()
    }
}

impl Written {
    fn image(self, path: &Path) -> Result<Image, DemoError> {
        let Self { image, user, exposed_ports, writable_paths } = self;
        let port = |written: &String| {
            written.parse().map_err(|source| DemoError::Port { path: path.to_owned(), image: image.clone(), source })
        };
        let content = FixtureImage {
            exposed_ports: exposed_ports.iter().map(port).collect::<Result<_, _>>()?,
            user: Some(user).filter(|user| !user.is_empty()),
            // Where an image's process writes is what its configuration calls volumes.
            volumes: writable_paths,
            // As most are published: for several architectures.
            shape: Shape::Index,
            ..FixtureImage::default()
        };
        match image.parse() {
            Ok(reference) => Ok(Image { reference, content }),
            Err(source) => Err(DemoError::Image { path: path.to_owned(), image, source }),
        }
    }
}

/// Starts the registry.
pub(super) async fn serve(platforms: &[Platform]) -> Result<LoopbackRegistry, DemoError> {
    let images = platforms.iter().flat_map(|platform| &platform.images).filter_map(|image| {
        let repository = format!("{}/{}", image.reference.host(), image.reference.repository());
        Some((repository, image.reference.tag()?.to_string(), image.content.clone()))
    });
    LoopbackRegistry::start(images).await.map_err(DemoError::Registry)
}

/// The configuration by which it stands in for every registry that the images name.
pub(super) fn mirrored(registry: &LoopbackRegistry, platforms: &[Platform]) -> RegistriesConfig {
    let images = platforms.iter().flat_map(|platform| &platform.images);
    let hosts: BTreeSet<&str> = images.map(|image| image.reference.host().as_str()).collect();
    let hosts = hosts.into_iter().filter_map(|host| host.parse::<RegistryHost>().ok());
    let stood_in = hosts.map(|host| registry.in_place_of(host));
    RegistriesConfig {
        registries: std::iter::once(registry.listed()).chain(stood_in).collect(),
        ..RegistriesConfig::default()
    }
}
