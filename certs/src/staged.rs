//! A certificate and key on disk, replaced together although they are two files.
//!
//! A new pair is staged beside the old (`NAME-next.key`, then `NAME-next.crt`) and committed by two renames, the key
//! first. Whatever moment a crash picks, [`StagedPair::settle`] sees what was meant: a staged certificate without a
//! staged key, while `NAME.key` belongs to it, is a commit half done, and is finished.

use std::path::{Path, PathBuf};

use crate::certificate::Certificate;
use crate::file::{self, FileError, Secrecy};
use crate::folder::FolderError;
use crate::pair::{Pair, PrivateKeyPem};
use crate::pem;

/// The files of one pair, such as `tls.crt` and `tls.key`.
#[derive(Debug, Clone)]
pub(crate) struct StagedPair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) next_certificate: PathBuf,
    pub(crate) next_key: PathBuf,
}

impl StagedPair {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self {
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
            next_certificate: folder.join(format!("{name}-next.crt")),
            next_key: folder.join(format!("{name}-next.key")),
        }
    }

    /// Puts a new pair beside the old, in place of any that stands there.
    pub(crate) fn stage(&self, pair: &Pair) -> Result<(), FileError> {
        self.discard()?;
        file::write(&self.next_key, pair.key().expose().as_bytes(), Secrecy::Secret)?;
        file::write(&self.next_certificate, pair.certificate().to_pem().as_bytes(), Secrecy::Public)
    }

    /// Puts the staged pair in place of the old, whose key is gone then.
    pub(crate) fn commit(&self) -> Result<(), FileError> {
        file::rename(&self.next_key, &self.key)?;
        file::rename(&self.next_certificate, &self.certificate)
    }

    /// Finishes or clears what a crash left half done. Needed before anything else is read.
    pub(crate) fn settle(&self) -> Result<(), FolderError> {
        let key = file::read_if_there(&self.next_key, Secrecy::Secret)?;
        let certificate = certificate_if_there(&self.next_certificate)?;
        match (key, certificate) {
            (None, Some(next)) if self.key_belongs_to(&next)? => {
                Ok(file::rename(&self.next_certificate, &self.certificate)?)
            }
            (None, Some(_)) | (Some(_), None) => Ok(self.discard()?),
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }

    /// Whether the key in force is the one that `certificate` was made for; `false` where there is none.
    pub(crate) fn key_belongs_to(&self, certificate: &Certificate) -> Result<bool, FolderError> {
        let Some(bytes) = file::read_if_there(&self.key, Secrecy::Secret)? else { return Ok(false) };
        Ok(PrivateKeyPem::from_bytes(&bytes).belongs_to(certificate))
    }

    /// Removes the staged pair, the certificate first, so that no half looks like a commit.
    pub(crate) fn discard(&self) -> Result<(), FileError> {
        file::remove(&self.next_certificate)?;
        file::remove(&self.next_key)
    }

    /// Removes everything.
    pub(crate) fn remove(&self) -> Result<(), FileError> {
        self.discard()?;
        file::remove(&self.certificate)?;
        file::remove(&self.key)
    }
}

/// The first certificate of a file.
pub(crate) fn certificate_if_there(path: &Path) -> Result<Option<Certificate>, FolderError> {
    Ok(certificates_if_there(path)?.and_then(|certificates| certificates.into_iter().next()))
}

/// All certificates of a file.
pub(crate) fn certificates_if_there(path: &Path) -> Result<Option<Vec<Certificate>>, FolderError> {
    let Some(bytes) = file::read_if_there(path, Secrecy::Public)? else { return Ok(None) };
    let read = pem::certificates(&bytes);
    read.map(Some).map_err(|source| FolderError::Certificates { path: path.to_owned(), source })
}
