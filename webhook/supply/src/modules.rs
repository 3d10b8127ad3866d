//! Policy modules out of registries: named by digest, checked against it, and kept in a folder by what they are, so
//! that a registry is asked once for each and not at all by a restart. How they are kept is told in `shelf`.

mod shelf;

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use self::shelf::Shelf;
use crate::reference::{Digest, ImageReference, ReferenceError};
use crate::registry::{BadAnswer, ListingError, Registries, ResolveError};
use crate::settings::RegistriesConfig;

/// Where modules come from.
#[derive(Debug)]
pub struct Modules {
    /// None: nobody is asked.
    registries: Option<Registries>,
    /// None: nothing is kept.
    shelf: Option<Arc<Shelf>>,
}

/// A module that can't be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// It is no reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// It is named by a tag, which may be another module tomorrow.
    #[error("module {0} is named without a digest; write {0}@sha256:…, so that what runs is what somebody looked at")]
    NoDigest(String),
    /// It is not in the folder, and nobody is asked.
    #[error("module {0} is not kept here, and no registry is asked where a lock file is configured")]
    NotKept(String),
    /// Its registry gave no usable answer.
    #[error("module {module}: {why}")]
    Unresolved {
        /// As it was named.
        module: String,
        /// Which registry answered what.
        why: ResolveError,
    },
}

impl ModuleError {
    /// Whether the same module may be had later: nobody said that there is no such thing.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unresolved { why, .. } => !why.is_registrys_word() && !is_of_what_was_named(why),
            Self::Reference(_) | Self::NoDigest(_) | Self::NotKept(_) => false,
        }
    }
}

/// Whether it would be the same whatever the registry answered: nobody may be asked, or by this digest there is
/// something else than a module.
fn is_of_what_was_named(why: &ResolveError) -> bool {
    match why {
        ResolveError::NotListed { .. } | ResolveError::BadAnswer { answer: BadAnswer::NotAModule, .. } => true,
        ResolveError::Several { answers } => answers.last().is_some_and(is_of_what_was_named),
        _ => false,
    }
}

/// A module with the manifest that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledModule {
    /// The manifest, JSON.
    pub manifest: Vec<u8>,
    /// The component.
    pub component: Vec<u8>,
}

impl Modules {
    /// From the configured registries, kept in `folder`. Where a lock file is configured nobody is asked, and there is
    /// what the folder holds. Contacts nobody yet.
    ///
    /// # Errors
    /// When the configuration contradicts itself, or a file that it names can't be read.
    pub fn open(config: &RegistriesConfig, folder: Option<PathBuf>) -> Result<Self, ListingError> {
        let registries = config.lock_file.is_none().then(|| Registries::new(config)).transpose()?;
        Ok(Self { registries, shelf: folder.map(Shelf::in_folder).map(Arc::new) })
    }

    /// The component that is named, `registry/repository@sha256:…`. Takes no longer than the configuration gives each
    /// host that is asked.
    ///
    /// # Errors
    /// Says what is wrong with the name, or which registry answered what.
    pub async fn get(&self, named: &str) -> Result<Vec<u8>, ModuleError> {
        let reference: ImageReference = named.parse()?;
        let Some(digest) = reference.digest() else { return Err(ModuleError::NoDigest(named.to_owned())) };
        if let Some(component) = self.kept(digest).await {
            return Ok(component);
        }
        let Some(registries) = &self.registries else { return Err(ModuleError::NotKept(named.to_owned())) };
        let deadline = Instant::now() + registries.module_limit_for(reference.host());
        let pulled = registries.module(&reference, digest, deadline).await;
        let pulled = pulled.map_err(|why| ModuleError::Unresolved { module: named.to_owned(), why })?;
        Ok(self.keep(named, digest, pulled).await.component)
    }

    /// The component that is kept, read where nobody waits for anything else.
    async fn kept(&self, digest: &Digest) -> Option<Vec<u8>> {
        let (shelf, digest) = (Arc::clone(self.shelf.as_ref()?), digest.clone());
        spawn_blocking(move || shelf.kept(&digest)).await.ok().flatten()
    }

    /// Keeps the module, if there is a folder for it. It is there all the same if it can't be kept; only the next start
    /// asks the registry again.
    async fn keep(&self, named: &str, digest: &Digest, pulled: PulledModule) -> PulledModule {
        let Some(shelf) = &self.shelf else { return pulled };
        let pulled = Arc::new(pulled);
        let keep = {
            let (shelf, digest, pulled) = (Arc::clone(shelf), digest.clone(), Arc::clone(&pulled));
            move || shelf.keep(&digest, &pulled)
        };
        if let Err(error) = spawn_blocking(keep).await.unwrap_or_else(|lost| Err(lost.into())) {
            tracing::warn!(module = named, folder = %shelf.folder().display(), %error, "a policy module can't be kept");
        }
        Arc::unwrap_or_clone(pulled)
    }
}
