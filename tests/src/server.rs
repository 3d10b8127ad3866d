//! A whole server on loopback, and a client that trusts it: what the wire is tested with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, Existing, PathTokens, RotationPolicy, ServerNames};
use portreeve_server::config::ServerConfig;
use portreeve_server::serve::{Outside, Running, start, start_with};
use reqwest::{Client, RequestBuilder};
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use portreeve_control_plane::until;

use crate::gate::Fault;
use crate::review::create;

/// A server that runs in a folder of its own.
pub struct Wire {
    /// The server.
    pub running: Running,
    /// Certificates, policies, the book.
    pub folder: TempDir,
    /// The token that the path has to carry.
    pub token: String,
}

/// What of TLS and HTTP a client speaks.
#[derive(Debug, Clone, Copy)]
pub enum Speaks {
    /// TLS 1.3 and HTTP/1.1, as the API server does to a Service.
    Http1,
    /// TLS 1.2 and HTTP/1.1.
    Tls12,
    /// TLS 1.3 and HTTP/2.
    Http2,
}

/// A configuration in this folder: own certificates, token, a book, one policy folder.
#[must_use]
pub fn configuration(folder: &Path, more: &Value) -> Value {
    let at = |name: &str| folder.join(name);
    let mut config = json!({
        "cluster": "test", "replica": "one",
        "listen": "127.0.0.1:0", "operations": "127.0.0.1:0",
        "tls": {"folder": at("certs"), "names": ["localhost", "127.0.0.1"]},
        "callers": {"tokenFolder": at("certs")},
        "policies": at("policies"),
        "cache": cache(),
        "ledger": {"folder": at("book")},
    });
    if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
        config.extend(more.clone());
    }
    config
}

impl Wire {
    /// Starts a server with these policy files and additions to its configuration.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(policies: &[(&str, &str)], more: Value) -> Result<Self, Fault> {
        Self::start_with(policies, more, Outside::default()).await
    }

    /// The same with what comes to it from elsewhere.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_with(policies: &[(&str, &str)], more: Value, outside: Outside) -> Result<Self, Fault> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("policies"))?;
        for (name, text) in policies {
            std::fs::write(folder.path().join("policies").join(name), text)?;
        }
        let certificates = CertificateFolder::new(folder.path().join("certs"));
        let names = ServerNames::parse(["localhost", "127.0.0.1"])?;
        certificates.create(Timestamp::now(), &RotationPolicy::new(names), Existing::Keep)?;
        let token = PathTokens::load(&certificates, Timestamp::now())?.current().to_owned();
        let config: ServerConfig = serde_json::from_value(configuration(folder.path(), &more))?;
        let config = config.relative_to(folder.path());
        Ok(Self { running: start_with(config, outside).await?, folder, token })
    }

    /// The same server once more in the same folder, stopped in order while `change` is made there.
    ///
    /// # Errors
    /// If it does not stop or start.
    pub async fn restarted(self, change: impl FnOnce(&Path)) -> Result<Self, Fault> {
        let Self { running, folder, token } = self;
        let config = running.parts.config.clone();
        running.stop().await?;
        change(folder.path());
        Ok(Self { running: start(config).await?, folder, token })
    }

    /// A client that trusts this server's CA and nothing else.
    ///
    /// # Errors
    /// If the CA can't be read.
    pub fn client(&self, speaks: Speaks) -> Result<Client, Fault> {
        let versions: &[&SupportedProtocolVersion] =
            if matches!(speaks, Speaks::Tls12) { &[&TLS12] } else { &[&TLS13] };
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)?
            .with_root_certificates(self.roots()?)
            .with_no_client_auth();
        let client = Client::builder();
        let client = if matches!(speaks, Speaks::Http2) {
            tls.alpn_protocols = vec![b"h2".to_vec()];
            client.http2_prior_knowledge()
        } else {
            client.http1_only()
        };
        Ok(client.tls_backend_preconfigured(tls).build()?)
    }

    /// The CAs that clients of this server trust.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn roots(&self) -> Result<RootCertStore, Fault> {
        roots(&self.folder.path().join("certs/ca-bundle.crt"))
    }

    /// The same as a registration has them: PEM in base64.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn ca_bundle(&self) -> Result<String, Fault> {
        Ok(STANDARD.encode(std::fs::read(self.folder.path().join("certs/ca-bundle.crt"))?))
    }

    /// The URL of a path on the webhook's port.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.webhook.port())
    }

    /// The path of a call, with the token.
    #[must_use]
    pub fn path(&self, call: &str) -> String {
        format!("/{call}/{}", self.token)
    }

    /// A call with the token in its path.
    pub fn call(&self, client: &Client, call: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let url = self.url(&self.path(call));
        client.post(url).header("content-type", "application/json").body(body)
    }

    /// How a plain Pod is decided: the answer's `status`, null where it is admitted without a word.
    ///
    /// # Errors
    /// If there is no answer, or it is no review.
    pub async fn decision(&self) -> Result<Value, Fault> {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"containers": [{"name": "app", "image": "team/web:1"}]},
        });
        let client = self.client(Speaks::Http1)?;
        let answer = self.call(&client, "validate", create(&pod).to_string()).send().await?;
        let mut review: Value = serde_json::from_str(&answer.text().await?)?;
        Ok(review.pointer_mut("/response/status").map(Value::take).unwrap_or_default())
    }

    /// The text of a path on the port of operations, with its status.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn operations(&self, path: &str) -> Result<(u16, String), Fault> {
        let url = format!("http://{}{path}", self.running.operations);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let answer = Client::builder().tls_backend_preconfigured(tls).build()?.get(url).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }
}

/// A client of HTTP/1.1 over TLS 1.3 that trusts the CAs of this bundle and nothing else.
///
/// # Errors
/// If the bundle can't be read.
pub fn trusting(bundle: &Path) -> Result<Client, Fault> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots(bundle)?)
        .with_no_client_auth();
    Ok(Client::builder().http1_only().tls_backend_preconfigured(tls).build()?)
}

fn roots(bundle: &Path) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(bundle)? {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

/// Where servers of all tests keep compiled policies; none if the test program's own place is not known.
#[must_use]
pub fn cache() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    Some(exe.parent()?.join("portreeve-test-cache"))
}
