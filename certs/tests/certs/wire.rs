//! Real handshakes between a rustls client and server, in memory and at a time of the test's choosing.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{Pair, RotationPolicy, ServerNames};
use rustls::crypto::ring;
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);
pub(crate) const NAME: &str = "portreeve.portreeve.svc";
pub(crate) const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn start() -> Timestamp {
    at("2030-01-01T00:00:00Z")
}

pub(crate) fn policy() -> RotationPolicy {
    RotationPolicy::new(ServerNames::parse([NAME, "127.0.0.1"]).unwrap())
}

/// A clock that stands.
#[derive(Debug, Clone, Copy)]
struct Standing(Timestamp);

impl TimeProvider for Standing {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.as_second().try_into().unwrap())))
    }
}

/// A client that trusts `bundle` (PEM) and speaks one version.
pub(crate) struct Client {
    bundle: Vec<u8>,
    version: &'static SupportedProtocolVersion,
    now: Timestamp,
    own: Option<Pair>,
}

impl Client {
    pub(crate) fn trusting(bundle: &[u8], version: &'static SupportedProtocolVersion, now: Timestamp) -> Self {
        Self { bundle: bundle.to_vec(), version, now, own: None }
    }

    pub(crate) fn trusting_file(bundle: &Path, version: &'static SupportedProtocolVersion, now: Timestamp) -> Self {
        Self::trusting(&fs::read(bundle).unwrap(), version, now)
    }

    pub(crate) fn with_certificate(self, own: &Pair) -> Self {
        Self { own: Some(own.clone()), ..self }
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(&self.bundle) {
            roots.add(authority.unwrap()).unwrap();
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Standing(self.now)));
        let builder = builder.with_protocol_versions(&[self.version]).unwrap().with_root_certificates(roots);
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own.key().expose().as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![own.certificate().der().clone()], key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }

    /// Connects to `name` and returns what was agreed upon.
    pub(crate) fn connect(&self, server: &Arc<ServerConfig>, name: &str) -> Result<Agreed, rustls::Error> {
        let mut server_config = ServerConfig::clone(server);
        server_config.time_provider = Arc::new(Standing(self.now));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(self.config()), name)?;
        let mut server = ServerConnection::new(Arc::new(server_config))?;
        while client.wants_write() || server.wants_write() {
            carry(&mut client, &mut server)?;
            carry(&mut server, &mut client)?;
        }
        assert!(!client.is_handshaking() && !server.is_handshaking(), "both sides fell silent");
        Ok(Agreed {
            version: client.protocol_version().unwrap(),
            protocol: client.alpn_protocol().map(<[u8]>::to_vec),
            served: client.peer_certificates().unwrap()[0].to_vec(),
        })
    }
}

/// What a handshake came to.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) version: ProtocolVersion,
    pub(crate) protocol: Option<Vec<u8>>,
    pub(crate) served: Vec<u8>,
}

/// Carries what one side has to say to the other.
fn carry<A, B>(
    from: &mut rustls::ConnectionCommon<A>,
    to: &mut rustls::ConnectionCommon<B>,
) -> Result<(), rustls::Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}
