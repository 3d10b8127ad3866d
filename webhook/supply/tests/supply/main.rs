//! The crate from the outside: references, and registries on loopback ports that really answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't be set up has failed; the lints know this of test functions, not of what these share"
)]

mod authorizing;
mod configurations;
mod listing;
mod modules;
mod references;
mod remembering;
mod resolving;
mod tls;

use std::path::Path;
use std::time::Duration;

use portreeve_supply::loopback::{Asked, FixtureImage, LoopbackRegistry};
use portreeve_supply::reference::{Digest, ImageReference};
use portreeve_supply::settings::{RegistriesConfig, RegistryConfig};
use portreeve_supply::{Registries, ResolveError};
use tokio::time::Instant;

/// A registry with `team/app:v1`, asked for without and with `?ns=r.example` and `?ns=docker.io`.
async fn registry() -> LoopbackRegistry {
    let names = ["team/app", "r.example/team/app", "docker.io/team/app", "docker.io/library/nginx"];
    let images = names.map(|name| (name.to_owned(), "v1".to_owned(), FixtureImage::default()));
    LoopbackRegistry::start(images).await.unwrap()
}

/// A listing of a host that is reached by HTTPS.
fn https(host: &str) -> RegistryConfig {
    RegistryConfig::at(host.parse().unwrap())
}

/// A listing of a host of which `mirrors` are asked, and nobody else.
fn mirrored(host: &str, mirrors: &[&LoopbackRegistry]) -> RegistryConfig {
    let mirrors = mirrors.iter().map(|mirror| mirror.host().clone());
    RegistryConfig { mirrors: mirrors.collect(), mirror_only: true, ..https(host) }
}

fn config(registries: impl IntoIterator<Item = RegistryConfig>) -> RegistriesConfig {
    RegistriesConfig { registries: registries.into_iter().collect(), ..RegistriesConfig::default() }
}

fn client(registries: impl IntoIterator<Item = RegistryConfig>) -> Registries {
    Registries::new(&config(registries)).unwrap()
}

/// The configuration with a credentials file of this text, in this folder.
fn with_credentials(folder: &Path, config: RegistriesConfig, text: &str) -> RegistriesConfig {
    let file = folder.join("config.json");
    std::fs::write(&file, text).unwrap();
    RegistriesConfig { credentials_file: Some(file), ..config }
}

/// Later than any test takes.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// An image of this registry, as a container would name it.
fn image(registry: &LoopbackRegistry, name: &str) -> ImageReference {
    format!("{}/{name}", registry.host()).parse().unwrap()
}

async fn resolve(registries: &Registries, image: &ImageReference) -> Result<Digest, ResolveError> {
    registries.resolve(image, soon()).await
}

/// What was asked of a registry, tokens left out.
fn items(registry: &LoopbackRegistry) -> Vec<Asked> {
    let asked = registry.asked().into_iter();
    asked.filter(|asked| asked.path.starts_with("/v2/")).collect()
}
