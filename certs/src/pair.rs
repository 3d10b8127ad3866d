//! A certificate with its private key, in memory. Where it lies on disk is the folder's business.

use std::fmt;

use rcgen::{KeyPair, PublicKeyData};

use crate::certificate::Certificate;

/// A certificate and the key that belongs to it, ready to be written or handed to a client.
#[derive(Debug, Clone)]
pub struct Pair {
    certificate: Certificate,
    key: PrivateKeyPem,
}

impl Pair {
    pub(crate) fn new(certificate: Certificate, key: PrivateKeyPem) -> Self {
        Self { certificate, key }
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key, as PKCS#8 PEM.
    pub fn key(&self) -> &PrivateKeyPem {
        &self.key
    }
}

/// A private key as PKCS#8 PEM text. Debug output hides it.
#[derive(Clone)]
pub struct PrivateKeyPem(String);

impl PrivateKeyPem {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// What a file holds; whether it is a key shows when it is used.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Whether `certificate` was made for this key.
    pub(crate) fn belongs_to(&self, certificate: &Certificate) -> bool {
        KeyPair::from_pem(&self.0).is_ok_and(|key| key.subject_public_key_info() == certificate.public_key())
    }

    /// The text, to be written to a file that only its owner can read.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKeyPem(hidden)")
    }
}
