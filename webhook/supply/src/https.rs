//! HTTPS clients: rustls with ring, the machine's certificate authorities and those of a file, no redirects. Whom they
//! ask, and for what, is not known here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject};
use thiserror::Error;

/// What those who are asked see in their logs.
const USER_AGENT: &str = concat!("portreeve/", env!("CARGO_PKG_VERSION"));

/// Why certificate authorities can't be taken from a file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaError {
    /// It can't be read, or is not PEM.
    #[error("it is not readable PEM")]
    Pem(#[source] pem::Error),
    /// One of its certificates is none.
    #[error("one of its certificates is not valid")]
    Certificate(#[source] rustls::Error),
    /// It has no certificates.
    #[error("it has no certificates")]
    Empty,
}

/// Why a client can't be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The TLS versions don't fit the cryptography.
    #[error("TLS could not be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client refused its settings.
    #[error("HTTP could not be set up")]
    Http(#[source] reqwest::Error),
}

/// The certificate authorities that the machine trusts. What can't be read is left out and logged: whoever needed it
/// will not be reached when he is asked.
#[must_use]
pub fn machine_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some certificate authorities of this machine can't be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
}

/// Adds every certificate of a PEM file.
///
/// # Errors
/// If it is no file of certificates.
pub fn add_ca_file(roots: &mut RootCertStore, path: &Path) -> Result<(), CaError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path).map_err(CaError::Pem)? {
        roots.add(certificate.map_err(CaError::Pem)?).map_err(CaError::Certificate)?;
    }
    match roots.len() > before {
        true => Ok(()),
        false => Err(CaError::Empty),
    }
}

/// A client for one host: over TLS with these roots, or over plain HTTP when there are none.
///
/// Redirects are not followed here, since who may be contacted is not known here. A proxy named by the environment is
/// used for HTTPS and never for plain HTTP, which is meant for what is near.
///
/// # Errors
/// If TLS or HTTP can't be set up.
pub fn client(roots: Option<RootCertStore>, connect: Duration) -> Result<reqwest::Client, ClientError> {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(connect)
        .redirect(reqwest::redirect::Policy::none());
    let builder = match roots {
        Some(roots) => builder.https_only(true).tls_backend_preconfigured(tls(roots)?),
        None => builder.no_proxy().tls_backend_preconfigured(tls(RootCertStore::empty())?),
    };
    builder.build().map_err(ClientError::Http)
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, ClientError> {
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ClientError::Tls)?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}
