//! A serving certificate and its key from two PEM files, checked against each other. Reading them again is the
//! reloader's business; who trusts them is the client's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::InconsistentKeys;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

use crate::certificate::Certificate;
use crate::expected::Objection;
use crate::file::{self, FileError, Secrecy};
use crate::pem::{self, PemError};

/// A chain and its private key, ready for handshakes.
#[derive(Debug, Clone)]
pub struct ServingCertificate {
    key: Arc<CertifiedKey>,
    leaf: Certificate,
    beside: Arc<[Certificate]>,
}

impl ServingCertificate {
    /// Reads `certificate` (PEM, the leaf first, then its chain) and `key` (PEM: PKCS#8, SEC1 or PKCS#1).
    ///
    /// # Errors
    /// One for each thing that can be wrong; an expired certificate is none of them, see
    /// [`ServingCertificate::validity_warning`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, ServingError> {
        let files = ServingFiles { certificate: certificate.to_owned(), key: key.to_owned() };
        files.parse(&files.read()?)
    }

    /// What is wrong with its dates at `now`. It is served all the same: clients say no more clearly than a server that
    /// does not start, and some, such as those with a lagging clock, don't say no.
    pub fn validity_warning(&self, now: Timestamp) -> Option<ValidityWarning> {
        let validity = self.leaf.validity();
        if validity.covers(now) {
            None
        } else if now < validity.not_before() {
            Some(ValidityWarning::NotYetValid { from: validity.not_before() })
        } else {
            Some(ValidityWarning::Expired { since: validity.not_after() })
        }
    }

    /// The leaf.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// What is sent with the leaf, to lead to whom clients trust.
    pub(crate) fn beside(&self) -> &[Certificate] {
        &self.beside
    }

    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }
}

/// Dates that clients will object to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidityWarning {
    /// It has ended.
    #[error("the serving certificate ended at {since}; renew it, clients refuse it")]
    Expired {
        /// Its last second.
        since: Timestamp,
    },
    /// It has not begun.
    #[error("the serving certificate begins only at {from}; check this machine's clock")]
    NotYetValid {
        /// Its first second.
        from: Timestamp,
    },
}

/// The two files, and their bytes once read.
#[derive(Debug, Clone)]
pub(crate) struct ServingFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What the two files held at one moment.
pub(crate) struct ServingBytes {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl ServingFiles {
    pub(crate) fn read(&self) -> Result<ServingBytes, FileError> {
        let certificate = file::read(&self.certificate, Secrecy::Public)?;
        Ok(ServingBytes { certificate, key: file::read(&self.key, Secrecy::Secret)? })
    }

    pub(crate) fn parse(&self, bytes: &ServingBytes) -> Result<ServingCertificate, ServingError> {
        let chain = pem::certificates(&bytes.certificate);
        let chain = chain.map_err(|source| ServingError::Certificate { path: self.certificate.clone(), source })?;
        let Some((leaf, beside)) = chain.split_first() else {
            return Err(ServingError::Certificate { path: self.certificate.clone(), source: PemError::NoCertificate });
        };
        let (leaf, beside) = (leaf.clone(), beside.into());
        let key = ring::default_provider().key_provider.load_private_key(self.parse_key(&bytes.key)?);
        let key = key.map_err(|source| ServingError::UnusableKey { path: self.key.clone(), source })?;
        let key = CertifiedKey::new(chain.iter().map(|certificate| certificate.der().clone()).collect(), key);
        self.match_up(&key)?;
        if !leaf.is_for_servers() {
            return Err(ServingError::NotForServers { path: self.certificate.clone() });
        }
        Ok(ServingCertificate { key: Arc::new(key), leaf, beside })
    }

    fn parse_key(&self, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, ServingError> {
        let path = || self.key.clone();
        let keys = pem::sections::<PrivateKeyDer<'static>>(bytes);
        let keys = keys.map_err(|source| ServingError::Key { path: path(), source })?;
        match <[_; 1]>::try_from(keys) {
            Ok([key]) => Ok(key),
            Err(keys) if keys.is_empty() => Err(ServingError::NoKey { path: path() }),
            Err(keys) => Err(ServingError::SeveralKeys { path: path(), found: keys.len() }),
        }
    }

    fn match_up(&self, key: &CertifiedKey) -> Result<(), ServingError> {
        match key.keys_match() {
            Ok(()) => Ok(()),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(ServingError::KeyMismatch { key: self.key.clone(), certificate: self.certificate.clone() })
            }
            Err(source) => Err(ServingError::UnusableCertificate { path: self.certificate.clone(), source }),
        }
    }
}

/// Why a certificate and key can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// One of the files is missing, unreadable or open to others.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificate file is not PEM or holds no certificate.
    #[error("the certificate file {} can't be used", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PemError,
    },
    /// The key file is not PEM.
    #[error("the key file {} can't be used", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PemError,
    },
    /// The key file is PEM without a private key.
    #[error("{} holds no private key (a certificate, or an encrypted key, is none)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds more than one.
    #[error("{} holds {found} private keys; leave the one that belongs to the certificate", path.display())]
    SeveralKeys {
        /// The file.
        path: PathBuf,
        /// How many.
        found: usize,
    },
    /// A kind of key that can't serve.
    #[error("the key in {} can't be used (ECDSA P-256 or P-384, Ed25519 and RSA from 2048 bits can)", path.display())]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A certificate that TLS can't use, such as one of version 1.
    #[error("the certificate in {} can't be used for TLS", path.display())]
    UnusableCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A certificate of a client, as a rule.
    #[error(
        "the certificate in {} is for no server: its extended key usage has no serverAuth, and clients refuse it",
        path.display()
    )]
    NotForServers {
        /// The file.
        path: PathBuf,
    },
    /// Clients take what is served, and would not take this.
    #[error("the certificate in {} is one that clients would refuse", path.display())]
    Worse {
        /// The file.
        path: PathBuf,
        /// Why they would.
        source: Objection,
    },
    /// The two don't belong together.
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    KeyMismatch {
        /// The key file.
        key: PathBuf,
        /// The certificate file.
        certificate: PathBuf,
    },
}
