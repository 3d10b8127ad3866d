//! The folder that holds a CA, its leaf and the path tokens: which files there are and what may be done to them. When
//! something is due, and how it is done, is the rotation's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::authority::{Authority, IssueError};
use crate::file::{self, FileError, Secrecy};
use crate::names::{CommonName, NameError, ServerNames};
use crate::pair::{Pair, PrivateKeyPem};
use crate::pem::PemError;
use crate::random::RandomnessUnavailable;
use crate::rotation::{self, Renewal, Rotation, RotationPolicy};
use crate::staged::{self, StagedPair};
use crate::status::Status;
use crate::token::TokenError;
use crate::validity::{Validity, ValidityError};

/// A folder (mode 0700) of certificates, keys (0600) and tokens (0600), changed by one process at a time. A CA put here
/// from elsewhere is rotated like our own, and its key is gone then. Where the certificate is somebody else's, it holds
/// tokens alone ([`RotationPolicy::of_tokens`]).
///
/// | file | holds |
/// |---|---|
/// | `ca.crt`, `ca.key` | the CA that signs |
/// | `ca-next.crt`, `ca-next.key` | the CA that will sign, while clients learn of it |
/// | `ca-bundle.crt` | every CA that clients must trust: publish this one |
/// | `tls.crt`, `tls.key` | the serving pair |
/// | `issued.crt` | every leaf signed here that still holds: as long as one of a CA does, that CA stays in the bundle |
/// | `token`, `tokens` | the path token to register; all that are taken, with their times |
/// | `.lock` | nothing; held by whoever changes the folder |
#[derive(Debug, Clone)]
pub struct CertificateFolder {
    path: PathBuf,
}

/// What [`CertificateFolder::create`] does with keys that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuses.
    Keep,
    /// Replaces all of it. Clients that hold the old bundle or path are turned away until they get the new.
    Replace,
}

impl CertificateFolder {
    /// Names the folder; nothing is read or made yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Makes the folder, a CA, a serving pair and a token.
    ///
    /// # Errors
    /// When there are keys already and `existing` is [`Existing::Keep`], or something can't be made or written.
    pub fn create(&self, now: Timestamp, policy: &RotationPolicy, existing: Existing) -> Result<Rotation, FolderError> {
        file::make_private_folder(&self.path)?;
        let _lock = self.lock()?;
        match existing {
            Existing::Replace => self.clear()?,
            Existing::Keep => self.refuse_keys()?,
        }
        self.create_locked(now, policy)
    }

    /// Does what is due at `now`, in the order in which no client is turned away, and says what comes next. Doing it
    /// again at the same time does nothing. A renewal that was cut off is finished.
    ///
    /// # Errors
    /// When there is no CA here, a file is open to others, damaged or not ours, or something can't be made or written.
    pub fn renew(&self, now: Timestamp, policy: &RotationPolicy) -> Result<Rotation, FolderError> {
        file::check_private_folder(&self.path)?;
        let _lock = self.lock()?;
        self.renew_locked(now, policy)
    }

    /// [`CertificateFolder::create`] where there is no key yet, else [`CertificateFolder::renew`]: what a server does
    /// at its start. Of two that start at once, one creates and the other finds it done. With a policy of tokens alone,
    /// those are made and renewed, and nothing else here is looked at.
    ///
    /// # Errors
    /// As those two.
    pub fn ensure(&self, now: Timestamp, policy: &RotationPolicy) -> Result<Rotation, FolderError> {
        file::make_private_folder(&self.path)?;
        let _lock = self.lock()?;
        match (policy.names(), self.key_there()) {
            (None, _) => rotation::run(self, now, policy),
            (Some(_), None) => self.create_locked(now, policy),
            (Some(_), Some(_)) => self.renew_locked(now, policy),
        }
    }

    /// A client certificate from the CA that signs now. It is entered in `issued.crt`, so that the CA stays in the
    /// bundle as long as it holds; the key is not kept.
    ///
    /// # Errors
    /// When there is no CA here or it ends too soon.
    pub fn issue_client(&self, name: &CommonName, now: Timestamp, lifetime: Duration) -> Result<Pair, FolderError> {
        file::check_private_folder(&self.path)?;
        let _lock = self.lock()?;
        self.settle()?;
        let pair = self.signer()?.issue_client(name, Validity::starting(now, lifetime)?)?;
        rotation::enter_issued(self, pair.certificate(), now)?;
        Ok(pair)
    }

    /// What is here, how old it is and what comes next. Changes nothing and needs no key.
    ///
    /// # Errors
    /// When there is no CA here or a file is damaged.
    pub fn describe(&self, now: Timestamp, policy: &RotationPolicy) -> Result<Status, FolderError> {
        rotation::describe(self, now, policy)
    }

    /// The names of the serving certificate in force, for a renewal that keeps them.
    ///
    /// # Errors
    /// When there is no serving certificate or it has no names.
    pub fn names(&self) -> Result<ServerNames, FolderError> {
        let path = self.leaf_certificate();
        let leaf = staged::certificate_if_there(&path)?.ok_or(FileError::Missing { path })?;
        Ok(ServerNames::parse(leaf.names())?)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `ca-bundle.crt`: what clients must trust.
    pub fn bundle(&self) -> PathBuf {
        self.path.join("ca-bundle.crt")
    }

    /// `tls.crt`.
    pub fn leaf_certificate(&self) -> PathBuf {
        self.leaf().certificate
    }

    /// `tls.key`.
    pub fn leaf_key(&self) -> PathBuf {
        self.leaf().key
    }

    /// `token`: the path token to register, without a line break.
    pub fn token(&self) -> PathBuf {
        self.path.join("token")
    }

    /// `tokens`: all that are taken; read it with [`PathTokens::load`](crate::PathTokens::load).
    pub fn tokens(&self) -> PathBuf {
        self.path.join("tokens")
    }

    pub(crate) fn issued(&self) -> PathBuf {
        self.path.join("issued.crt")
    }

    pub(crate) fn authority(&self) -> StagedPair {
        StagedPair::new(&self.path, "ca")
    }

    pub(crate) fn leaf(&self) -> StagedPair {
        StagedPair::new(&self.path, "tls")
    }

    /// The CA that signs, with its key.
    pub(crate) fn signer(&self) -> Result<Authority, FolderError> {
        let files = self.authority();
        let certificate = staged::certificate_if_there(&files.certificate)?;
        let certificate = certificate.ok_or_else(|| FolderError::NoAuthority { folder: self.path.clone() })?;
        let key = file::read(&files.key, Secrecy::Secret)?;
        let authority = Authority::from_pair(certificate, &PrivateKeyPem::from_bytes(&key));
        authority.map_err(|source| FolderError::AuthorityKey { path: files.key, source })
    }

    /// Holds off everybody else who changes the folder, and clears away what one who was killed left.
    pub(crate) fn lock(&self) -> Result<std::fs::File, FileError> {
        let lock = file::lock(&self.path.join(".lock"))?;
        file::remove_unfinished(&self.path)?;
        Ok(lock)
    }

    fn create_locked(&self, now: Timestamp, policy: &RotationPolicy) -> Result<Rotation, FolderError> {
        rotation::create_authority(self, now, policy)?;
        rotation::run(self, now, policy)
    }

    fn renew_locked(&self, now: Timestamp, policy: &RotationPolicy) -> Result<Rotation, FolderError> {
        self.settle()?;
        self.signer()?;
        self.refuse_foreign_key()?;
        rotation::run(self, now, policy)
    }

    /// A key in force, whoever made it. A staged one is not in force.
    fn key_there(&self) -> Option<PathBuf> {
        [self.authority().key, self.leaf().key].into_iter().find(|key| key.exists())
    }

    fn settle(&self) -> Result<(), FolderError> {
        self.authority().settle()?;
        self.leaf().settle()
    }

    fn refuse_keys(&self) -> Result<(), FolderError> {
        match self.key_there() {
            Some(path) => Err(FolderError::AlreadyThere { path }),
            None => Ok(()),
        }
    }

    /// A serving key is overwritten only where it belongs to a certificate that one of our CAs signed.
    fn refuse_foreign_key(&self) -> Result<(), FolderError> {
        let leaf = self.leaf();
        if !leaf.key.exists() {
            return Ok(());
        }
        let ours = match staged::certificate_if_there(&leaf.certificate)? {
            Some(certificate) => rotation::signed_here(self, &certificate)? && leaf.key_belongs_to(&certificate)?,
            None => false,
        };
        if ours { Ok(()) } else { Err(FolderError::ForeignKey { path: leaf.key }) }
    }

    fn clear(&self) -> Result<(), FileError> {
        self.leaf().remove()?;
        self.authority().remove()?;
        [self.bundle(), self.issued(), self.token(), self.tokens()].iter().try_for_each(|path| file::remove(path))
    }
}

/// Why the folder can't be made, renewed or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder can't be used as it is.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file does not hold the certificates it should.
    #[error("{} can't be used", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PemError,
    },
    /// There is no CA to renew.
    #[error("{} holds no CA (ca.crt); create one first", folder.display())]
    NoAuthority {
        /// The folder.
        folder: PathBuf,
    },
    /// The CA's key is damaged or another's.
    #[error("the CA's key {} can't be used; restore the one that belongs to ca.crt, or ask for everything to be replaced", path.display())]
    AuthorityKey {
        /// The key.
        path: PathBuf,
        /// Why.
        source: IssueError,
    },
    /// Keys are there and were to be kept.
    #[error("{} is there already; renew instead, or ask for it to be replaced", path.display())]
    AlreadyThere {
        /// The key.
        path: PathBuf,
    },
    /// A serving key that was not made here.
    #[error("{} is not the key of a certificate that a CA of this folder signed, so it is not overwritten; move it away, or ask for everything to be replaced", path.display())]
    ForeignKey {
        /// The key.
        path: PathBuf,
    },
    /// A certificate was to be made by a policy of tokens alone.
    #[error("the certificate is for nobody: the policy has no names, and is for tokens alone")]
    NoNames,
    /// A certificate can't be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A certificate can't state this validity.
    #[error(transparent)]
    Validity(#[from] ValidityError),
    /// A name that a certificate can't carry.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The tokens can't be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No random bytes for a token.
    #[error(transparent)]
    Randomness(#[from] RandomnessUnavailable),
    /// A bug: what was done did not make it done.
    #[error("the renewal does not settle: after {} steps this is still due: {due}; please report it", done.len())]
    Unsettled {
        /// The steps, in order.
        done: Vec<Renewal>,
        /// What is due still.
        due: Renewal,
    },
}
