//! The lock file: which digest each tag named when it was written, for places from which no registry is contacted.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::image_config::ImageConfig;
use crate::images::FactError;
use crate::reference::{Digest, ImageReference, ReferenceError};

/// Digests, and what the images' configurations say, by image.
///
/// ```yaml
/// apiVersion: portreeve.dev/v1alpha1
/// kind: ImageLock
/// images:
///   - image: docker.io/library/nginx:1.27
///     digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
///     config:
///       user: "101"
///       exposedPorts: [80/tcp]
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageLock(BTreeMap<String, LockedImage>);

/// What is locked of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedImage {
    /// What its tag named.
    pub digest: Digest,
    /// What its configuration said, if that was asked.
    pub config: Option<ImageConfig>,
}

/// A lock file that can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// It can't be read.
    #[error("the lock file {} can't be read; check the path and who may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no lock file.
    #[error("the lock file {} is no ImageLock of portreeve.dev/v1alpha1: {}", path.display(), fault.without_snippet())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        fault: Box<serde_saphyr::Error>,
    },
    /// An entry that can't be used.
    #[error("the lock file {}, entry {}: {fault}", path.display(), entry + 1)]
    Entry {
        /// The file.
        path: PathBuf,
        /// Which entry of `images`, from 0.
        entry: usize,
        /// What is wrong with it.
        fault: LockedImageFault,
    },
    /// It can't be written.
    #[error("the lock file {} can't be written; the one before is still there", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It can't be put in words.
    #[error("the lock file {} can't be put in YAML", path.display())]
    Unserializable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_saphyr::SerializeError,
    },
}

/// What is wrong with an entry of a lock file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LockedImageFault {
    /// `image` is no image reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// `image` has a tag and a digest; that belongs under `digest`.
    #[error("image {0:?} has a tag and a digest; write repository:tag, and the digest under `digest`")]
    WithDigest(String),
    /// `image` has a digest alone, and another one stands under `digest`.
    #[error("image {0:?} has another digest than stands under `digest`; write the same")]
    OtherDigest(String),
    /// Two entries for one image.
    #[error("image {0} is locked twice; keep one entry")]
    Twice(String),
}

/// Two lock files that can't both hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it locks {0} to something else than another lock file does; lock both folders anew, or name one file")]
pub struct LockedOtherwise(String);

impl ImageLock {
    /// Reads a lock file, YAML or JSON.
    ///
    /// # Errors
    /// Says which entry, or which line and column, can't be used.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let text = std::fs::read_to_string(path);
        Self::parse(&text.map_err(|source| LockError::Unreadable { path: path.into(), source })?, path)
    }

    /// Reads the text of a lock file; `path` is for the error.
    ///
    /// # Errors
    /// Says which entry, or which line and column, can't be used.
    pub fn parse(text: &str, path: &Path) -> Result<Self, LockError> {
        let document: Document = serde_saphyr::from_str(text)
            .map_err(|fault| LockError::Malformed { path: path.into(), fault: Box::new(fault) })?;
        let mut lock = Self::default();
        for (entry, written) in document.images.into_iter().enumerate() {
            lock.take(written).map_err(|fault| LockError::Entry { path: path.into(), entry, fault })?;
        }
        Ok(lock)
    }

    /// Writes the file, sorted by image, so that two of the same content are the same bytes. Whoever reads it meanwhile
    /// sees the old one or the new one, whole; after a crash it is one of the two as well.
    ///
    /// # Errors
    /// When it can't be written; the file is then as it was.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let text = self.to_yaml().map_err(|source| LockError::Unserializable { path: path.into(), source })?;
        replace(path, text.as_bytes()).map_err(|source| LockError::Unwritable { path: path.into(), source })
    }

    /// Takes in another lock.
    ///
    /// # Errors
    /// The first image that the two lock to different things.
    pub fn merge(&mut self, other: Self) -> Result<(), LockedOtherwise> {
        for (image, locked) in other.0 {
            match self.0.get(&image) {
                Some(before) if *before != locked => return Err(LockedOtherwise(image)),
                _ => self.0.insert(image, locked),
            };
        }
        Ok(())
    }

    /// The text of the file.
    ///
    /// # Errors
    /// When it can't be put in YAML.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::SerializeError> {
        serde_saphyr::to_string(&self.document())
    }

    /// Locks an image, by its tag, or by its digest where it has no tag. Returns what it was locked to before.
    pub fn insert(&mut self, image: &ImageReference, locked: LockedImage) -> Option<LockedImage> {
        self.0.insert(image.by_tag().canonical(), locked)
    }

    /// What an image is locked to, by its tag, or by its digest where it has no tag; however its name is spelled.
    #[must_use]
    pub fn lookup(&self, image: &ImageReference) -> Option<&LockedImage> {
        self.0.get(&image.by_tag().canonical())
    }

    /// What is locked, sorted by image; host and tag are written out.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &LockedImage)> {
        self.0.iter().map(|(image, locked)| (image.as_str(), locked))
    }

    /// Locks the digest that an image is written with, unless some tag of its repository is locked to it: what a tag is
    /// locked to may be another, and the configuration of this one is needed too.
    pub fn insert_digest(&mut self, image: &ImageReference, locked: LockedImage) {
        if self.with_digest(image, &locked.digest).is_none() {
            let name = format!("{}/{}@{}", image.host(), image.repository(), locked.digest);
            self.0.insert(name, locked);
        }
    }

    /// What an image is locked to, as a fact.
    pub(crate) fn entry(&self, image: &ImageReference) -> Result<&LockedImage, FactError> {
        self.lookup(image).ok_or_else(|| FactError::NotLocked { image: image.canonical() })
    }

    /// The locked configuration, as a fact: by the digest where one is written, else by the tag.
    pub(crate) fn config(&self, image: &ImageReference) -> Result<ImageConfig, FactError> {
        let locked = match image.digest() {
            None => self.lookup(image),
            Some(digest) => self.with_digest(image, digest),
        };
        let image = || image.canonical();
        let locked = locked.ok_or_else(|| FactError::NotLocked { image: image() })?;
        locked.config.clone().ok_or_else(|| FactError::ConfigNotLocked { image: image() })
    }

    /// An image of the same repository, under whatever tag or none, that is locked to this digest.
    fn with_digest(&self, image: &ImageReference, digest: &Digest) -> Option<&LockedImage> {
        let repository = format!("{}/{}", image.host(), image.repository());
        let of_it = |rest: &str| rest.starts_with([':', '@']) && !rest.contains('/');
        let same_repository = |name: &str| name.strip_prefix(&repository).is_some_and(of_it);
        let found = self.0.iter().find(|(name, locked)| same_repository(name) && locked.digest == *digest);
        found.map(|(_, locked)| locked)
    }

    fn take(&mut self, written: Entry) -> Result<(), LockedImageFault> {
        let image: ImageReference = written.image.parse()?;
        match (image.tag(), image.digest()) {
            (_, None) => {}
            (Some(_), Some(_)) => return Err(LockedImageFault::WithDigest(written.image)),
            (None, Some(digest)) if *digest != written.digest => {
                return Err(LockedImageFault::OtherDigest(written.image));
            }
            (None, Some(_)) => {}
        }
        let locked = LockedImage { digest: written.digest, config: written.config };
        match self.insert(&image, locked) {
            None => Ok(()),
            Some(_) => Err(LockedImageFault::Twice(image.canonical())),
        }
    }

    fn document(&self) -> Document {
        let entry = |(image, locked): (&String, &LockedImage)| Entry {
            image: image.clone(),
            digest: locked.digest.clone(),
            config: locked.config.clone(),
        };
        Document {
            api_version: ApiVersion::V1Alpha1,
            kind: Kind::ImageLock,
            images: self.0.iter().map(entry).collect(),
        }
    }
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    api_version: ApiVersion,
    kind: Kind,
    images: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
enum ApiVersion {
    #[serde(rename = "portreeve.dev/v1alpha1")]
    V1Alpha1,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    ImageLock,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    image: String,
    digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<ImageConfig>,
}

/// The new bytes are durable before they take the old ones' place, and the change of place is durable before we return.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new().permissions(readable_by_all()).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

/// A lock file is no secret, and the server that reads it may be another user than the one who wrote it.
fn readable_by_all() -> Permissions {
    Permissions::from_mode(0o644)
}

#[cfg(test)]
mod tests;
