//! One connection to a server, held by the test itself: what goes over it is seen to the byte, and nobody connects anew
//! behind its back.

use std::sync::Arc;

use portreeve_certs::Pair;
use portreeve_tests::server::Wire;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A client that trusts the server's CA, speaks this protocol, and shows this certificate if it has one.
pub(crate) fn client(wire: &Wire, protocol: &str, own: Option<&Pair>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(wire.roots().unwrap());
    let mut client = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::from_pem_slice(own.key().expose().as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![own.certificate().der().clone()], key).unwrap()
        }
    };
    client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    client
}

/// A connection that TLS is spoken on.
pub(crate) async fn connected(wire: &Wire, client: ClientConfig) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(wire.running.webhook).await.unwrap();
    TlsConnector::from(Arc::new(client)).connect("localhost".try_into().unwrap(), socket).await.unwrap()
}

/// A connection of HTTP/1.1 that is kept.
pub(crate) struct Kept(TlsStream<TcpStream>);

impl Kept {
    pub(crate) async fn open(wire: &Wire) -> Self {
        Self::with(wire, None).await
    }

    /// Shows this certificate to the server.
    pub(crate) async fn with(wire: &Wire, own: Option<&Pair>) -> Self {
        Self(connected(wire, client(wire, "http/1.1", own)).await)
    }

    /// Sends a whole call and reads its answer; none if the server ended the connection in its place.
    pub(crate) async fn call(&mut self, path: &str, body: &str) -> Option<(u16, Value)> {
        self.begin(path, body.len()).await;
        self.send(body).await;
        self.answer().await
    }

    /// Sends the head of a call whose body has so many bytes.
    pub(crate) async fn begin(&mut self, path: &str, length: usize) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        self.send(&head).await;
    }

    /// Sends what may come too late: then there is no answer.
    pub(crate) async fn send(&mut self, text: &str) {
        let _ = self.0.write_all(text.as_bytes()).await;
        let _ = self.0.flush().await;
    }

    /// The status and the body of an answer.
    pub(crate) async fn answer(&mut self) -> Option<(u16, Value)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let status = head.split(' ').nth(1)?.parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).await.ok()?;
        Some((status, serde_json::from_slice(&body).unwrap()))
    }

    /// Says that nothing more will come.
    pub(crate) async fn shut(&mut self) {
        self.0.shutdown().await.unwrap();
    }
}
