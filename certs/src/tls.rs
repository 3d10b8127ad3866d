//! The server's side of TLS, put together: versions, protocols, whose certificates. No socket is opened here.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::version::{TLS12, TLS13};

use crate::clients::ClientAuthorities;

/// TLS 1.2 and 1.3 with ring, offering `h2` and `http/1.1`, serving what `serving` resolves (a
/// [`Reloader`](crate::Reloader), as a rule). With `clients`, a client certificate is demanded. It need not be built
/// again when certificates change.
///
/// # Errors
/// When the provider offers no cipher suite for one of the two versions, which the one built in does.
pub fn server_config(
    serving: Arc<dyn ResolvesServerCert>,
    clients: Option<Arc<ClientAuthorities>>,
) -> Result<Arc<ServerConfig>, TlsError> {
    // Given explicitly: the process-wide default belongs to whoever builds the process, and may be another.
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12])?;
    let mut config = match clients {
        Some(clients) => without_resumption(builder.with_client_cert_verifier(clients).with_cert_resolver(serving)),
        None => builder.with_no_client_auth().with_cert_resolver(serving),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A resumed session does not show its certificate again, so it would outlive the CA that let it in.
fn without_resumption(mut config: ServerConfig) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

/// The cryptography built in can't do what is asked of it.
#[derive(Debug, thiserror::Error)]
#[error("the TLS configuration can't be built")]
pub struct TlsError(#[from] rustls::Error);
