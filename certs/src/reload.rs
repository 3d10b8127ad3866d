//! The serving certificate behind an atomic pointer, read again when its files change. When to look is the caller's
//! choice: the server polls, every few seconds, since a poll also sees the symlink swap of a mounted Secret.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use crate::expected::Expected;
use crate::serving::{ServingBytes, ServingCertificate, ServingError, ServingFiles, ValidityWarning};

/// Answers every handshake with the newest good pair. Connections that stand keep what they began with.
#[derive(Debug)]
pub struct Reloader {
    files: ServingFiles,
    current: ArcSwap<Loaded>,
    patience: Duration,
    expected: Expected,
    /// What waits to be served, and since when.
    awaited: Mutex<Option<([u8; 32], Instant)>>,
}

/// What a look at the files came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// The files hold what is served.
    Unchanged,
    /// They hold another pair, which is served once it was there for long enough.
    Awaited,
    /// New handshakes get another pair from now on.
    Replaced,
}

impl Reloader {
    /// Loads the pair for the first time.
    ///
    /// # Errors
    /// As [`ServingCertificate::load`].
    pub fn open(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, ServingError> {
        let files = ServingFiles { certificate: certificate.into(), key: key.into() };
        let bytes = files.read()?;
        let current = ArcSwap::from_pointee(Loaded::new(&files, &bytes)?);
        Ok(Self { files, current, patience: Duration::ZERO, expected: Expected::default(), awaited: Mutex::default() })
    }

    /// The same, which serves another pair only after it was in the files for so long: clients have to be told of a CA
    /// before they meet what it signed. A pair that has ended is not held on to.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same, which knows what clients expect: while they take what is served, nothing that they would refuse comes
    /// in its place. What they object to in both is no reason, since the server may know less than they do.
    #[must_use]
    pub fn expecting(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    /// Reads the files, and takes up what they hold if it is not what is served. Whether it is, their content says, so
    /// equal times and swapped links don't matter. Blocks for two small reads.
    ///
    /// # Errors
    /// As [`ServingCertificate::load`], and for a pair that clients would refuse while they take the old one; each time
    /// until the files are mended. The old pair is served meanwhile. Two files can't be read in one instant, so a
    /// mismatch may be gone at the next look.
    pub fn reload_if_changed(&self, now: Timestamp) -> Result<Reload, ServingError> {
        let bytes = self.files.read()?;
        if self.current.load().digest == digest(&bytes) {
            self.forget();
            return Ok(Reload::Unchanged);
        }
        let loaded = Loaded::new(&self.files, &bytes)?;
        if !self.has_ended(now) {
            self.refuse_worse(&loaded.serving, now)?;
            if !self.has_waited(loaded.digest) {
                return Ok(Reload::Awaited);
            }
        }
        self.forget();
        self.current.store(Arc::new(loaded));
        Ok(Reload::Replaced)
    }

    /// Whether this pair was in the files for as long as it has to be.
    fn has_waited(&self, digest: [u8; 32]) -> bool {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match *awaited {
            Some((known, since)) if known == digest => since,
            _ => Instant::now(),
        };
        *awaited = Some((digest, since));
        since.elapsed() >= self.patience
    }

    fn forget(&self) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether what is served has ended.
    fn has_ended(&self, now: Timestamp) -> bool {
        let warning = self.current().validity_warning(now);
        matches!(warning, Some(ValidityWarning::Expired { .. }))
    }

    /// Refuses what clients would, unless they object to the same in what is served.
    fn refuse_worse(&self, next: &ServingCertificate, now: Timestamp) -> Result<(), ServingError> {
        let served = self.expected.objections(&self.current(), now);
        let mut both = self.expected.objections(next, now).into_iter().zip(served);
        match both.find_map(|(next, served)| next.filter(|_| served.is_none())) {
            None => Ok(()),
            Some(source) => Err(ServingError::Worse { path: self.files.certificate.clone(), source }),
        }
    }

    /// The pair that is served.
    pub fn current(&self) -> ServingCertificate {
        self.current.load().serving.clone()
    }
}

impl ResolvesServerCert for Reloader {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load().serving.certified_key())
    }
}

#[derive(Debug)]
struct Loaded {
    serving: ServingCertificate,
    digest: [u8; 32],
}

impl Loaded {
    fn new(files: &ServingFiles, bytes: &ServingBytes) -> Result<Self, ServingError> {
        Ok(Self { serving: files.parse(bytes)?, digest: digest(bytes) })
    }
}

/// Of both files; each is hashed first, so that bytes can't move from one to the other unseen.
fn digest(bytes: &ServingBytes) -> [u8; 32] {
    let mut both = Sha256::new();
    both.update(Sha256::digest(&bytes.certificate));
    both.update(Sha256::digest(&bytes.key));
    both.finalize().into()
}
