//! A client of the OCI distribution protocol that contacts listed registries and nobody else.
//!
//! It asks three things: which digest a tag names, what an image's configuration says, and for the component of a
//! policy module. It remembers no answers (the cache is in front of it) and keeps only what authorizes it, for as long
//! as the registry said.

mod access;
mod artifact;
mod challenge;
mod conversation;
mod credentials;
mod endpoint;
mod error;
mod listing;
mod manifest;
mod question;
mod token;

use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout_at};

pub(crate) use artifact::module_of;
pub use credentials::{CredentialFault, CredentialsError};
pub use error::{Authorized, BadAnswer, ResolveError};
pub use listing::ListingError;

use crate::image_config::ImageConfig;
use crate::modules::PulledModule;
use crate::reference::{Digest, ImageReference, RegistryHost};
use crate::settings::{Platform, RegistriesConfig, Timeouts};
use access::Access;
use conversation::Conversation;
use endpoint::Endpoint;
use listing::{Listing, Route};
use question::{ConfigOf, DigestOf, ModuleOf, Question};

/// The listed registries, ready to be asked.
#[derive(Debug)]
pub struct Registries {
    listing: Listing,
    access: Access,
    platform: Platform,
    timeouts: Timeouts,
}

impl Registries {
    /// Makes the clients; reads certificate authorities and credentials, and contacts nobody.
    ///
    /// # Errors
    /// When the listing contradicts itself, or a file that it names can't be read.
    pub fn new(config: &RegistriesConfig) -> Result<Self, ListingError> {
        Ok(Self {
            listing: Listing::new(config)?,
            access: Access::new(config.credentials_file.as_deref())?,
            platform: config.platform.clone(),
            timeouts: config.timeouts.clone(),
        })
    }

    /// The digest that the image's tag names now; of an index, the index's own. An image that is written with a digest
    /// names that one, and nobody is asked.
    ///
    /// # Errors
    /// Says which registry answered what; [`ResolveError::NotListed`] without any contact.
    pub async fn resolve(&self, image: &ImageReference, deadline: Instant) -> Result<Digest, ResolveError> {
        match image.digest() {
            Some(digest) => Ok(digest.clone()),
            None => {
                let question = DigestOf { tag: &image.tag_or_latest() };
                self.ask(image, question, self.timeouts.request(), deadline).await
            }
        }
    }

    /// What the configuration of the image with this digest says: the digest's own if it names a manifest, that of
    /// the configured platform if it names an index. Every body is checked against its digest.
    ///
    /// # Errors
    /// Says which registry answered what; [`ResolveError::NotListed`] without any contact.
    pub async fn config(
        &self,
        image: &ImageReference,
        digest: &Digest,
        deadline: Instant,
    ) -> Result<ImageConfig, ResolveError> {
        let platform = &self.platform;
        self.ask(image, ConfigOf { digest, platform }, self.timeouts.request(), deadline).await
    }

    /// The policy module with this digest. Manifest and component are checked against their digests.
    ///
    /// # Errors
    /// Says which registry answered what; [`ResolveError::NotListed`] without any contact.
    pub async fn module(
        &self,
        module: &ImageReference,
        digest: &Digest,
        deadline: Instant,
    ) -> Result<PulledModule, ResolveError> {
        self.ask(module, ModuleOf { digest }, self.timeouts.module(), deadline).await
    }

    /// Whether this registry may be contacted.
    #[must_use]
    pub fn lists(&self, host: &RegistryHost) -> bool {
        self.listing.route(host).is_some()
    }

    /// The longest that one question about an image may take, every mirror tried.
    pub(crate) fn limit_for(&self, host: &RegistryHost) -> Duration {
        self.at_all_of(host, self.timeouts.request())
    }

    /// The longest that one module may take, every mirror tried.
    pub(crate) fn module_limit_for(&self, host: &RegistryHost) -> Duration {
        self.at_all_of(host, self.timeouts.module())
    }

    fn at_all_of(&self, host: &RegistryHost, each: Duration) -> Duration {
        let endpoints = self.listing.route(host).map_or(0, |route| route.endpoints.len());
        each.saturating_mul(u32::try_from(endpoints).unwrap_or(u32::MAX))
    }

    /// Asks the mirrors in their order and then the registry, each no longer than `limit`, until one answers.
    ///
    /// A mirror's failure of any kind is no answer, as with container runtimes: it is logged, and the next is asked.
    /// The error tells what each of them said.
    async fn ask<Q: Question>(
        &self,
        image: &ImageReference,
        question: Q,
        limit: Duration,
        deadline: Instant,
    ) -> Result<Q::Answer, ResolveError> {
        let registry = image.host();
        let route = self.listing.route(registry).ok_or_else(|| ResolveError::not_listed(registry))?;
        let _turn = turn(route, registry, deadline).await?;
        let mut said = Vec::new();
        for endpoint in &route.endpoints {
            match self.ask_one(endpoint, image, &question, deadline.min(Instant::now() + limit)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    tracing::debug!(%image, asked = %endpoint.host(), %error, "a registry gave no answer");
                    said.push(error);
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(ResolveError::of_all(said).unwrap_or_else(|| ResolveError::not_listed(registry)))
    }

    async fn ask_one<Q: Question>(
        &self,
        endpoint: &Endpoint,
        image: &ImageReference,
        question: &Q,
        deadline: Instant,
    ) -> Result<Q::Answer, ResolveError> {
        let begun = Instant::now();
        let conversation = Conversation::new(endpoint, image.repository(), &self.access);
        timeout_at(deadline, question.ask(&conversation))
            .await
            .unwrap_or_else(|_| Err(ResolveError::timeout(endpoint.host(), begun)))
    }
}

/// A turn to ask this registry.
async fn turn<'r>(
    route: &'r Route,
    registry: &RegistryHost,
    deadline: Instant,
) -> Result<SemaphorePermit<'r>, ResolveError> {
    let begun = Instant::now();
    match timeout_at(deadline, route.turns.acquire()).await {
        Ok(Ok(turn)) => Ok(turn),
        // The semaphore is never closed, so this is the deadline.
        Ok(Err(_)) | Err(_) => Err(ResolveError::no_turn(registry, begun)),
    }
}
