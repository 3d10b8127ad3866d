//! Image references as Docker and containerd read them: a host, a repository, a tag and a digest out of one string, and
//! back again in the spelling of whoever wrote it. Nothing in here does I/O.
//!
//! The grammar is that of `distribution/reference` with its rules for Docker Hub's short names. It is stricter in one
//! place: what stands before the first `/` and looks like a host has to be one that can be contacted.

mod digest;
mod error;
mod parts;

use std::fmt;
use std::str::FromStr;

pub use digest::{Algorithm, Digest};
pub use error::{Fault, ReferenceError};
pub use parts::{RegistryHost, Repository, Tag};

/// One image, as a container names it.
///
/// ```
/// use portreeve_supply::reference::ImageReference;
///
/// let image: ImageReference = "nginx:1.27".parse()?;
/// assert_eq!(image.host().as_str(), "docker.io");
/// assert_eq!(image.repository().as_str(), "library/nginx");
/// assert_eq!(image.to_string(), "nginx:1.27");
/// assert_eq!(image.canonical(), "docker.io/library/nginx:1.27");
/// # Ok::<(), portreeve_supply::reference::ReferenceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageReference {
    written_name: Box<str>,
    host: RegistryHost,
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl ImageReference {
    /// The registry that the name belongs to, in lower case; `docker.io` for short names.
    #[must_use]
    pub fn host(&self) -> &RegistryHost {
        &self.host
    }

    /// The repository within that registry; `library/nginx` for the short name `nginx`.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag that a container runtime would ask for: the written one, `latest` when neither tag nor digest is
    /// written, none when only a digest is.
    #[must_use]
    pub fn tag(&self) -> Option<Tag> {
        match (&self.tag, &self.digest) {
            (None, Some(_)) => None,
            (Some(_), _) | (None, None) => Some(self.tag_or_latest()),
        }
    }

    /// The tag to ask for when the digest does not count.
    pub(crate) fn tag_or_latest(&self) -> Tag {
        self.tag.clone().unwrap_or_else(Tag::latest)
    }

    /// The digest, if one is written. A runtime that finds both a tag and a digest goes by the digest.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same image pinned: `repository:tag@digest`, the name in the writer's own spelling.
    ///
    /// The tag stays so that people can still read it. Where none was written and `latest` was meant, `latest` is
    /// spelled out; where only a digest was written, the new one takes its place.
    ///
    /// ```
    /// use portreeve_supply::reference::{Digest, ImageReference};
    ///
    /// let image: ImageReference = "nginx".parse()?;
    /// let pinned = image.with_digest(Digest::sha256_of(b"a manifest"));
    /// assert!(pinned.to_string().starts_with("nginx:latest@sha256:"));
    /// # Ok::<(), portreeve_supply::reference::ReferenceError>(())
    /// ```
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: self.tag(), digest: Some(digest), ..self.clone() }
    }

    /// The same image by its tag alone, or as it is when only a digest is written.
    #[must_use]
    pub fn by_tag(&self) -> Self {
        match self.tag() {
            None => self.clone(),
            tag @ Some(_) => Self { tag, digest: None, ..self.clone() },
        }
    }

    /// The one spelling that all spellings of this image share: host and `latest` written out, digest if there is one.
    #[must_use]
    pub fn canonical(&self) -> String {
        let name = format!("{}/{}", self.host, self.repository);
        spelled(&name, self.tag().as_ref(), self.digest.as_ref())
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&spelled(&self.written_name, self.tag.as_ref(), self.digest.as_ref()))
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(written: &str) -> Result<Self, ReferenceError> {
        parse(written).map_err(|fault| fault.within(written))
    }
}

fn spelled(name: &str, tag: Option<&Tag>, digest: Option<&Digest>) -> String {
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
    format!("{name}{tag}{digest}")
}

/// `name[:tag][@digest]`. Errors carry the offset into `written`.
fn parse(written: &str) -> Result<ImageReference, error::FaultAt> {
    refuse_image_id(written)?;
    let (named, digest) = match written.split_once('@') {
        Some((named, digest)) => (named, Some(Digest::parse_at(named.len() + 1, digest)?)),
        None => (written, None),
    };
    let (host, path) = split_host(named);
    let path_at = named.len() - path.len();
    let (path, tag) = match path.split_once(':') {
        Some((path, tag)) => (path, Some(Tag::parse_at(path_at + path.len() + 1, tag)?)),
        None => (path, None),
    };
    let (host, repository) = absolute(host, path_at, path)?;
    let name_length = path_at + path.len();
    Ok(ImageReference {
        written_name: written.get(..name_length).unwrap_or(written).into(),
        host,
        repository,
        tag,
        digest,
    })
}

/// 64 hexadecimal digits are an image's id on one machine; no registry knows it.
fn refuse_image_id(written: &str) -> Result<(), error::FaultAt> {
    let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match written.len() == 64 && written.bytes().all(hexadecimal) {
        true => Err(Fault::ImageId.at(0)),
        false => Ok(()),
    }
}

/// The host before the first `/`, when what stands there is one: it has a dot, a port or an upper case letter, or it is
/// `localhost`. Otherwise it is the first part of a repository on Docker Hub.
fn split_host(named: &str) -> (Option<&str>, &str) {
    let looks_like_host = |first: &str| {
        first == "localhost" || first.contains(['.', ':']) || first.contains(|c: char| c.is_ascii_uppercase())
    };
    match named.split_once('/') {
        Some((first, rest)) if looks_like_host(first) => (Some(first), rest),
        _ => (None, named),
    }
}

/// The full name: Docker Hub where no host is written, and its `library/` where the name there has one part.
fn absolute(host: Option<&str>, path_at: usize, path: &str) -> Result<(RegistryHost, Repository), error::FaultAt> {
    let host = match host {
        None => RegistryHost::docker_hub(),
        Some(host) => RegistryHost::parse_at(0, host)?,
    };
    let repository = Repository::parse_at(path_at, path)?;
    match host.is_docker_hub() && !path.contains('/') {
        true => Ok((host, repository.official(path_at)?)),
        false => Ok((host, repository)),
    }
}
