//! HTTPS with a certificate authority of one's own: trusted where it is configured, and nowhere else.

use std::net::SocketAddr;
use std::sync::Arc;

use portreeve_supply::loopback::LoopbackRegistry;
use portreeve_supply::reference::ImageReference;
use portreeve_supply::settings::RegistryConfig;
use portreeve_supply::{Registries, ResolveError};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use crate::{client, https, registry, resolve};

/// Puts TLS in front of a registry. Returns where, and the certificate in PEM.
async fn over_tls(registry: &LoopbackRegistry) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (addr, behind) = (listener.local_addr().unwrap(), registry.addr());
    tokio::spawn(pass_on(listener, TlsAcceptor::from(Arc::new(config)), behind));
    (addr, made.cert.pem())
}

async fn pass_on(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut plain = TcpStream::connect(behind).await.unwrap();
            // A client that does not trust the certificate ends the handshake, as one test here wants.
            if let Ok(mut secured) = acceptor.accept(stream).await {
                let _ = tokio::io::copy_bidirectional(&mut secured, &mut plain).await;
            }
        });
    }
}

fn app(addr: SocketAddr) -> ImageReference {
    format!("localhost:{}/team/app:v1", addr.port()).parse().unwrap()
}

#[tokio::test]
async fn a_configured_authority_is_trusted() {
    let (registry, folder) = (registry().await, tempfile::tempdir().unwrap());
    let (addr, certificate) = over_tls(&registry).await;
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, certificate).unwrap();
    let entry = RegistryConfig { ca_file: Some(ca_file), ..https(&format!("localhost:{}", addr.port())) };
    let client: Registries = client([entry]);
    assert_eq!(resolve(&client, &app(addr)).await.ok(), registry.digest("team/app", "v1"));
}

#[tokio::test]
async fn an_unknown_authority_is_not() {
    let registry = registry().await;
    let (addr, _) = over_tls(&registry).await;
    let answer = resolve(&client([https(&format!("localhost:{}", addr.port()))]), &app(addr)).await;
    assert!(matches!(answer, Err(ResolveError::Unreachable { .. })));
    assert!(registry.asked().is_empty());
}
