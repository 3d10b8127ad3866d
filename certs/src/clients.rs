//! Who may connect with a client certificate: signed by a CA of a bundle file, and of the right name. The bundle is
//! read again when it changes. A server that knows its callers by a token in the path does without this.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::certificate::Certificate;
use crate::file::{self, FileError, Secrecy};
use crate::names::CommonName;
use crate::pem::{self, PemError};
use crate::reload::Reload;

/// The verifier of client certificates, behind an atomic pointer. New handshakes use the newest good bundle.
#[derive(Debug)]
pub struct ClientAuthorities {
    path: PathBuf,
    allowed: AllowedClients,
    algorithms: WebPkiSupportedAlgorithms,
    current: ArcSwap<Loaded>,
}

/// Which of the certificates that the bundle's CAs signed are let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedClients {
    /// All of them: for a CA that signs API servers and nothing else.
    AnySigned,
    /// Those with one of these common names. A cluster's general CA signs every kubelet and many a user, so the API
    /// server must be told from them by its name.
    CommonNames(BTreeSet<CommonName>),
}

impl ClientAuthorities {
    /// Reads the bundle for the first time.
    ///
    /// # Errors
    /// When it can't be read or holds no CA that can be trusted.
    pub fn open(bundle: impl Into<PathBuf>, allowed: AllowedClients) -> Result<Self, ClientAuthoritiesError> {
        let path = bundle.into();
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let current = ArcSwap::from_pointee(Loaded::new(&path, file::read(&path, Secrecy::Public)?)?);
        Ok(Self { path, allowed, algorithms, current })
    }

    /// Reads the bundle, and takes it up if it is not the one in force. Blocks for a small read.
    ///
    /// # Errors
    /// As [`ClientAuthorities::open`], each time until the file is mended; the old bundle stays in force meanwhile.
    pub fn reload_if_changed(&self) -> Result<Reload, ClientAuthoritiesError> {
        let text = file::read(&self.path, Secrecy::Public)?;
        if self.current.load().text == text {
            return Ok(Reload::Unchanged);
        }
        self.current.store(Arc::new(Loaded::new(&self.path, text)?));
        Ok(Reload::Replaced)
    }

    fn allow(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let AllowedClients::CommonNames(names) = &self.allowed else { return Ok(()) };
        let certificate =
            Certificate::parse(certificate.clone().into_owned()).map_err(|_| CertificateError::BadEncoding)?;
        match certificate.common_name() {
            Some(name) if names.iter().any(|allowed| allowed.as_str() == name) => Ok(()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }
}

#[derive(Debug)]
struct Loaded {
    /// Kept whole, to see a change: a bundle is a few kilobytes.
    text: Vec<u8>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Loaded {
    fn new(path: &Path, text: Vec<u8>) -> Result<Self, ClientAuthoritiesError> {
        let bundle = pem::certificates(&text);
        let bundle = bundle.map_err(|source| ClientAuthoritiesError::Bundle { path: path.to_owned(), source })?;
        let mut roots = RootCertStore::empty();
        for authority in &bundle {
            roots.add(authority.der().clone()).map_err(|source| ClientAuthoritiesError::Authority {
                path: path.to_owned(),
                subject: authority.subject().to_owned(),
                source,
            })?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()));
        Ok(Self { text, verifier: builder.build()? })
    }
}

impl ClientCertVerifier for ClientAuthorities {
    /// None: the hint is optional (RFC 5246, 7.4.4 and RFC 8446, 4.2.4), the API server has one certificate to offer,
    /// and strangers need not learn whom we trust.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.current.load().verifier.verify_client_cert(end_entity, intermediates, now)?;
        self.allow(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Why client certificates can't be checked.
#[derive(Debug, thiserror::Error)]
pub enum ClientAuthoritiesError {
    /// The bundle file is missing or unreadable.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bundle file is not PEM or holds no certificate.
    #[error("the client CA bundle {} can't be used", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PemError,
    },
    /// One of its certificates can't be a trust anchor.
    #[error("{subject} in the client CA bundle {} can't be trusted as a CA", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// The certificate's subject.
        subject: String,
        /// Why.
        source: Error,
    },
    /// The verifier can't be built.
    #[error("client certificates can't be checked")]
    Verifier(#[from] VerifierBuilderError),
}
