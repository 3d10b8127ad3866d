//! What the server asks: the digest that an image's tag names, and what the image's configuration says.
//!
//! Facts come from a lock file, and then nobody is contacted, or from the listed registries through a cache.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::time::Instant;

pub use crate::answers::Freshness;
use crate::answers::{Answers, Failure, Kept, NoAnswer};
use crate::image_config::ImageConfig;
use crate::lock::{ImageLock, LockError};
use crate::reference::{Digest, ImageReference, ReferenceError};
use crate::registry::{ListingError, Registries, ResolveError};
use crate::settings::{CacheConfig, RegistriesConfig};

/// The source of facts about images. Shared by all requests; every call takes its own deadline.
///
/// ```no_run
/// use portreeve_supply::{Freshness, Images, RegistriesConfig};
/// use tokio::time::{Duration, Instant};
///
/// # async fn ask(config: RegistriesConfig) -> Result<(), Box<dyn std::error::Error>> {
/// let images = Images::open(&config)?;
/// let deadline = Instant::now() + Duration::from_secs(2);
/// let digest = images.digest("nginx:1.27", Freshness::Remembered, deadline).await?;
/// let config = images.config("nginx:1.27", deadline).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Images(Source);

#[derive(Debug)]
enum Source {
    Lock(ArcSwap<ImageLock>),
    Registries(Remembered),
}

/// The configuration of registries, or a file that it names, can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The registries.
    #[error(transparent)]
    Registries(#[from] ListingError),
    /// The lock file.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// A fact about an image that can't be had.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum FactError {
    /// The container's image is no image reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The lock file does not have it, and nobody else is asked.
    #[error("image {image} is not in the lock file; add it with `portreeve lock`")]
    NotLocked {
        /// The image, host and tag written out.
        image: String,
    },
    /// The lock file has the image's digest and not its configuration, and nobody else is asked.
    #[error("the configuration of image {image} is not in the lock file; write it again with `portreeve lock`")]
    ConfigNotLocked {
        /// The image, host and tag written out.
        image: String,
    },
    /// The registries gave no answer that can be used.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
}

/// An image that its registry gave no usable answer about. Says both in one sentence; its source is the cause below
/// that, such as the connection's error.
#[derive(Debug, Clone)]
pub struct Unresolved {
    /// The image, host and tag written out.
    pub image: String,
    /// Which registry answered what.
    pub why: ResolveError,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "image {}: {}", self.image, self.why)
    }
}

impl std::error::Error for Unresolved {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.why.source()
    }
}

impl Images {
    /// From the lock file if the configuration names one, else from its registries. Nobody is contacted yet.
    ///
    /// # Errors
    /// When the configuration contradicts itself, or a file that it names can't be read.
    pub fn open(config: &RegistriesConfig) -> Result<Self, OpenError> {
        match &config.lock_file {
            Some(path) => Ok(Self::from_lock(ImageLock::read(path)?)),
            None => Ok(Self::from_registries(config)?),
        }
    }

    /// From this lock alone.
    #[must_use]
    pub fn from_lock(lock: ImageLock) -> Self {
        Self(Source::Lock(ArcSwap::from_pointee(lock)))
    }

    /// Takes this lock in place of the one that facts come from; true if it is another. Where they come from registries
    /// nothing changes.
    pub fn relock(&self, lock: ImageLock) -> bool {
        match &self.0 {
            Source::Lock(before) if **before.load() != lock => {
                before.store(Arc::new(lock));
                true
            }
            _ => false,
        }
    }

    /// From the configured registries, even when a lock file is configured too: that is how one is written.
    ///
    /// # Errors
    /// When the listing contradicts itself, or a file that it names can't be read.
    pub fn from_registries(config: &RegistriesConfig) -> Result<Self, ListingError> {
        let registries = Registries::new(config)?;
        Ok(Self(Source::Registries(Remembered::new(registries, &config.cache))))
    }

    /// The digest that `image`'s tag names.
    ///
    /// An image that is written with a digest names that one, except under [`Freshness::Since`]: then it is the tag
    /// that counts, if there is one.
    ///
    /// # Errors
    /// By the deadline at the latest; says which registry answered what.
    pub async fn digest(&self, image: &str, freshness: Freshness, deadline: Instant) -> Result<Digest, FactError> {
        let image: ImageReference = image.parse()?;
        let image = match freshness {
            Freshness::Remembered => image,
            Freshness::Since(_) => image.by_tag(),
        };
        match (&self.0, image.digest()) {
            (_, Some(digest)) => Ok(digest.clone()),
            (Source::Lock(lock), None) => Ok(lock.load().entry(&image)?.digest.clone()),
            (Source::Registries(registries), None) => registries.digest(image, freshness, deadline).await,
        }
    }

    /// What the configuration of `image` says, on the configured platform.
    ///
    /// # Errors
    /// By the deadline at the latest; says which registry answered what.
    pub async fn config(&self, image: &str, deadline: Instant) -> Result<ImageConfig, FactError> {
        let reference: ImageReference = image.parse()?;
        match &self.0 {
            Source::Lock(lock) => lock.load().config(&reference),
            Source::Registries(registries) => {
                let digest = self.digest(image, Freshness::Remembered, deadline).await?;
                registries.config(reference.with_digest(digest.clone()), digest, deadline).await
            }
        }
    }
}

/// The registries behind what is remembered of them.
#[derive(Debug)]
struct Remembered {
    registries: Arc<Registries>,
    /// By repository and tag, for a while.
    digests: Answers<String, Digest, ResolveError>,
    /// By repository and digest: what a digest names does not change. The repository counts too, since who may read
    /// an image in one may not be allowed to in another.
    configs: Answers<String, ImageConfig, ResolveError>,
}

impl Remembered {
    fn new(registries: Registries, cache: &CacheConfig) -> Self {
        let entries = usize::try_from(cache.entries.get()).ok().and_then(NonZeroUsize::new);
        let entries = entries.unwrap_or(NonZeroUsize::MIN);
        let failed = Duration::from_secs(cache.failed_seconds.into());
        let found = Some(Duration::from_secs(cache.found_seconds.into()));
        Self {
            registries: Arc::new(registries),
            digests: Answers::new(entries, Kept { found, failed }),
            configs: Answers::new(entries, Kept { found: None, failed }),
        }
    }

    async fn digest(
        &self,
        image: ImageReference,
        freshness: Freshness,
        deadline: Instant,
    ) -> Result<Digest, FactError> {
        self.refuse_unlisted(&image)?;
        let begun = Instant::now();
        let registries = Arc::clone(&self.registries);
        let asked = image.clone();
        let ask = || async move {
            let limit = Instant::now() + registries.limit_for(asked.host());
            registries.resolve(&asked, limit).await
        };
        let answer = self.digests.get(image.canonical(), freshness, deadline, ask).await;
        answer.map_err(|none| unanswered(none, &image, begun))
    }

    async fn config(&self, image: ImageReference, digest: Digest, deadline: Instant) -> Result<ImageConfig, FactError> {
        self.refuse_unlisted(&image)?;
        let begun = Instant::now();
        let key = format!("{}/{}@{digest}", image.host(), image.repository());
        let registries = Arc::clone(&self.registries);
        let asked = image.clone();
        let ask = || async move {
            let limit = Instant::now() + registries.limit_for(asked.host());
            registries.config(&asked, &digest, limit).await
        };
        let answer = self.configs.get(key, Freshness::Remembered, deadline, ask).await;
        answer.map_err(|none| unanswered(none, &image, begun))
    }

    /// Before anything is remembered: whoever writes images must not be able to fill the cache with refusals.
    fn refuse_unlisted(&self, image: &ImageReference) -> Result<(), FactError> {
        match self.registries.lists(image.host()) {
            true => Ok(()),
            false => Err(Unresolved { image: image.canonical(), why: ResolveError::not_listed(image.host()) }.into()),
        }
    }
}

impl Failure for ResolveError {
    fn replaces_an_answer(&self) -> bool {
        self.is_registrys_word()
    }

    fn is_an_answer(&self) -> bool {
        !matches!(self, Self::NoTurn { .. })
    }
}

fn unanswered(none: NoAnswer<ResolveError>, image: &ImageReference, begun: Instant) -> FactError {
    let registry = image.host();
    let why = match none {
        NoAnswer::Failed(error) => error,
        NoAnswer::Deadline => ResolveError::timeout(registry, begun),
        NoAnswer::Dropped => ResolveError::interrupted(registry),
    };
    Unresolved { image: image.canonical(), why }.into()
}
