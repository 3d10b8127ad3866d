//! How servers of ours are asked from the command line: directly, and trusting nobody but who is named.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use rustls::{ClientConfig, RootCertStore};

/// How long one answer may take: what is asked for is at hand.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that trusts these authorities and no others.
pub(super) fn trusting(authorities: RootCertStore) -> Result<Client, Box<dyn Error + Send + Sync>> {
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(PATIENCE).build()?)
}
