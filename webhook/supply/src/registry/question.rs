//! The questions about an image or a policy module, and what has to be true of an answer before it is believed.

use std::future::Future;

use reqwest::header::{CONTENT_TYPE, HeaderMap};

use super::artifact::{ARTIFACT_TYPE, MODULE_TYPES, module_of};
use super::conversation::{Conversation, Item};
use super::endpoint::Kind;
use super::manifest::{CONFIG_TYPES, ConfigDescriptor, MANIFEST_TYPES, Manifest, is_manifest_type, manifest_for};
use super::{BadAnswer, ResolveError};
use crate::image_config::ImageConfig;
use crate::modules::PulledModule;
use crate::reference::{Algorithm, Digest, Tag};
use crate::settings::Platform;

/// The distribution specification asks registries to take manifests up to this size; ours reads no larger ones.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;
/// Configurations carry a line of history per layer: kilobytes, seldom more.
const CONFIG_LIMIT: usize = 4 * 1024 * 1024;
/// Components of languages that bring their interpreter have some twenty mebibytes.
const MODULE_LIMIT: usize = 64 * 1024 * 1024;
/// How a registry says which digest it answers with.
const DIGEST_HEADER: &str = "docker-content-digest";

/// Something that one host can be asked about one repository.
pub(super) trait Question: Sync {
    /// What is learned.
    type Answer: Send;

    /// Asks. The answer has been checked as far as it can be.
    fn ask(&self, at: &Conversation<'_>) -> impl Future<Output = Result<Self::Answer, ResolveError>> + Send;
}

/// Which digest does this tag name?
pub(super) struct DigestOf<'a> {
    pub(super) tag: &'a Tag,
}

/// What does the configuration of the image with this digest say?
pub(super) struct ConfigOf<'a> {
    pub(super) digest: &'a Digest,
    pub(super) platform: &'a Platform,
}

/// What is the policy module with this digest?
pub(super) struct ModuleOf<'a> {
    pub(super) digest: &'a Digest,
}

impl Question for DigestOf<'_> {
    type Answer = Digest;

    /// HEAD is enough where the registry names the digest, as it should. Where it does not, or takes no HEAD, the
    /// manifest itself is read.
    async fn ask(&self, at: &Conversation<'_>) -> Result<Digest, ResolveError> {
        match at.head(manifest(self.tag.as_str())).await {
            Ok(headers) if promises_manifest(&headers) => match promised_digest(at, &headers)? {
                Some(digest) => Ok(digest),
                None => self.by_reading(at).await,
            },
            Ok(_) => self.by_reading(at).await,
            Err(error) if refuses_head(&error) => self.by_reading(at).await,
            Err(error) => Err(error),
        }
    }
}

impl DigestOf<'_> {
    async fn by_reading(&self, at: &Conversation<'_>) -> Result<Digest, ResolveError> {
        let (headers, body) = at.get(manifest(self.tag.as_str()), MANIFEST_LIMIT).await?;
        let promised = promised_digest(at, &headers)?;
        let algorithm = promised.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let found = Digest::of(algorithm, &body);
        match promised {
            Some(expected) if expected != found => Err(at.bad(BadAnswer::DigestMismatch { expected, found })),
            _ if Manifest::read(&body).is_none() => Err(at.bad(BadAnswer::NotAManifest)),
            _ => Ok(found),
        }
    }
}

impl Question for ConfigOf<'_> {
    type Answer = ImageConfig;

    /// From the digest to the manifest, through the index if it is one, and on to the configuration.
    async fn ask(&self, at: &Conversation<'_>) -> Result<ImageConfig, ResolveError> {
        let config = self.descriptor(at).await?;
        if !config.is_of_an_image() {
            return Err(at.bad(BadAnswer::NotAnImage));
        }
        let digest = config.digest.to_string();
        let blob = Item { kind: Kind::Blobs, name: &digest, accept: CONFIG_TYPES };
        let (_, body) = at.get(blob, CONFIG_LIMIT).await?;
        let body = checked(at, &config.digest, body)?;
        ImageConfig::from_blob(&body).map_err(|_| at.bad(BadAnswer::Config))
    }
}

impl ConfigOf<'_> {
    async fn descriptor(&self, at: &Conversation<'_>) -> Result<ConfigDescriptor, ResolveError> {
        let index = match read_manifest(at, self.digest).await? {
            Manifest::Image(config) => return Ok(config),
            Manifest::Index(index) => index,
        };
        let chosen = manifest_for(&index, self.platform);
        let chosen = chosen.ok_or_else(|| at.bad(BadAnswer::no_such_platform(self.platform)))?;
        match read_manifest(at, chosen).await? {
            Manifest::Image(config) => Ok(config),
            Manifest::Index(_) => Err(at.bad(BadAnswer::NotAnImage)),
        }
    }
}

impl Question for ModuleOf<'_> {
    type Answer = PulledModule;

    /// From the digest to the manifest, and on to its one layer.
    async fn ask(&self, at: &Conversation<'_>) -> Result<PulledModule, ResolveError> {
        let name = self.digest.to_string();
        let item = Item { kind: Kind::Manifests, name: &name, accept: ARTIFACT_TYPE };
        let (_, body) = at.get(item, MANIFEST_LIMIT).await?;
        let manifest = checked(at, self.digest, body)?;
        let layer = module_of(&manifest).ok_or_else(|| at.bad(BadAnswer::NotAModule))?;
        let name = layer.to_string();
        let (_, body) = at.get(Item { kind: Kind::Blobs, name: &name, accept: MODULE_TYPES }, MODULE_LIMIT).await?;
        Ok(PulledModule { component: checked(at, &layer, body)?, manifest })
    }
}

fn manifest(name: &str) -> Item<'_> {
    Item { kind: Kind::Manifests, name, accept: MANIFEST_TYPES }
}

async fn read_manifest(at: &Conversation<'_>, digest: &Digest) -> Result<Manifest, ResolveError> {
    let (_, body) = at.get(manifest(&digest.to_string()), MANIFEST_LIMIT).await?;
    let body = checked(at, digest, body)?;
    Manifest::read(&body).ok_or_else(|| at.bad(BadAnswer::NotAManifest))
}

fn checked(at: &Conversation<'_>, expected: &Digest, body: Vec<u8>) -> Result<Vec<u8>, ResolveError> {
    match expected.names(&body) {
        true => Ok(body),
        false => Err(at.bad(BadAnswer::DigestMismatch {
            expected: expected.clone(),
            found: Digest::of(expected.algorithm(), &body),
        })),
    }
}

/// A portal that answers everything with a page is not believed by its headers alone.
fn promises_manifest(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(is_manifest_type)
}

fn promised_digest(at: &Conversation<'_>, headers: &HeaderMap) -> Result<Option<Digest>, ResolveError> {
    let bad = || at.bad(BadAnswer::DigestHeader);
    match headers.get(DIGEST_HEADER) {
        None => Ok(None),
        Some(value) => value.to_str().ok().and_then(|written| written.parse().ok()).map(Some).ok_or_else(bad),
    }
}

/// 400, 405 and 501 are what registries and proxies say that know no HEAD.
fn refuses_head(error: &ResolveError) -> bool {
    let status = match error {
        ResolveError::BadAnswer { answer, .. } => answer,
        _ => return false,
    };
    matches!(status, BadAnswer::Status(400 | 405 | 501))
}
