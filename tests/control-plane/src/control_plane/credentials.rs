//! The certificates, keys and tokens of a control plane, made anew for each, and the kubeconfig that leads to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{Authority, AuthorityOptions, CommonName, ServerNames, Validity};
use serde_json::json;

use crate::Fault;

/// A control plane lives for minutes.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Whoever shows it may do anything. It is no secret: the API server that takes it is reached from this machine alone,
/// and ends with the test.
const TOKEN: &str = "test";

/// Files in the folder of a control plane.
#[derive(Debug)]
pub(super) struct Credentials {
    /// The CA of the serving certificate.
    pub(super) authority: PathBuf,
    /// The serving certificate.
    pub(super) certificate: PathBuf,
    /// Its key.
    pub(super) key: PathBuf,
    /// What service accounts' tokens are signed with.
    pub(super) account_key: PathBuf,
    /// The certificate of that key, by which they are checked.
    pub(super) account_certificate: PathBuf,
    /// Who the bearer of which token is.
    pub(super) tokens: PathBuf,
}

impl Credentials {
    /// Writes them into the folder.
    pub(super) fn write(folder: &Path) -> Result<Self, Fault> {
        let validity = Validity::starting(Timestamp::now(), LIFETIME)?;
        let common_name = CommonName::parse("portreeve test control plane")?;
        let authority = Authority::create(&AuthorityOptions { common_name, validity })?;
        let serving = authority.issue_server(&ServerNames::parse(["127.0.0.1", "localhost"])?, validity)?;
        let accounts = authority.issue_server(&ServerNames::parse(["service-accounts"])?, validity)?;
        Ok(Self {
            authority: write(folder, "ca.crt", &authority.certificate().to_pem())?,
            certificate: write(folder, "serving.crt", &serving.certificate().to_pem())?,
            key: write(folder, "serving.key", serving.key().expose())?,
            account_key: write(folder, "service-accounts.key", accounts.key().expose())?,
            account_certificate: write(folder, "service-accounts.crt", &accounts.certificate().to_pem())?,
            tokens: write(folder, "tokens.csv", &format!("{TOKEN},admin,admin,system:masters\n"))?,
        })
    }

    /// Writes the kubeconfig of whoever may do anything at this API server.
    pub(super) fn write_kubeconfig(&self, folder: &Path, server: &str) -> Result<PathBuf, Fault> {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": self.authority}}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        });
        write(folder, "kubeconfig", &config.to_string())
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Fault> {
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}
