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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use portreeve_supply::{Freshness, ImageLock, Images, LockedImage};
    use tokio::time::Instant;

    use super::*;
    use crate::demo::platform::read_all;

    /// What the registry says of the images of one platform.
    async fn lock(images: &Images, platform: &Platform) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut lock = ImageLock::default();
        for Image { reference, .. } in &platform.images {
            let digest = images.digest(&reference.to_string(), Freshness::Remembered, deadline).await.unwrap();
            let pinned = reference.with_digest(digest.clone()).to_string();
            let config = Some(images.config(&pinned, deadline).await.unwrap());
            lock.insert(reference, LockedImage { digest, config });
        }
        lock.to_yaml().unwrap()
    }

    /// With `PORTREEVE_REWRITE=1` the files are written anew, to be reviewed as a diff.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_lock_files_of_the_platforms_say_what_the_registry_does() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/platforms");
        let platforms = read_all(&folder).unwrap();
        let registry = serve(&platforms).await.unwrap();
        let images = Images::from_registries(&mirrored(&registry, &platforms)).unwrap();
        let mut locks = BTreeMap::new();
        for platform in &platforms {
            locks.insert(platform.folder.join("images.lock"), lock(&images, platform).await);
        }
        if std::env::var_os("PORTREEVE_REWRITE").is_some() {
            locks.iter().for_each(|(path, text)| std::fs::write(path, text).unwrap());
        }
        let stale =
            |(path, text): &(&std::path::PathBuf, &String)| std::fs::read_to_string(path).ok().as_ref() != Some(*text);
        let stale: Vec<_> = locks.iter().filter(stale).map(|(path, _)| path).collect();
        assert!(stale.is_empty(), "rewrite with PORTREEVE_REWRITE=1: {stale:?}");
    }
}
