//! The folder that a demo is held in: certificates, policies, compiled policies and the book, and the webhook over
//! them. It is a server like any other, configured as a file would.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, Existing, RotationPolicy, ServerNames};
use portreeve_server::config::{
    CallersConfig, DurabilityConfig, LedgerConfig, LimitsConfig, NamespaceDefaults, ProofConfig, ServerConfig,
    TlsConfig, WithoutRecord,
};
use portreeve_server::serve::{Running, start};
use portreeve_supply::RegistriesConfig;
use serde_json::json;
use tempfile::TempDir;

use super::error::DemoError;
use super::platform::Platform;

/// What the webhook is called by.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// The folder. One among the temporary files goes away with this until it is told to last.
#[derive(Debug)]
pub(super) struct Site {
    folder: PathBuf,
    temporary: Option<TempDir>,
}

impl Site {
    /// Makes the folder: the one that is named, if it is empty, or one among the temporary files.
    pub(super) fn make(named: Option<&Path>) -> Result<Self, DemoError> {
        let temporary = std::env::temp_dir();
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            |source| DemoError::Unwritable { path, source }
        };
        let Some(named) = named else {
            let made = tempfile::Builder::new().prefix("portreeve-demo-").tempdir().map_err(unwritable(&temporary))?;
            return Ok(Self { folder: made.path().to_owned(), temporary: Some(made) });
        };
        std::fs::create_dir_all(named).map_err(unwritable(named))?;
        let mut entries = std::fs::read_dir(named).map_err(unwritable(named))?;
        if entries.next().is_some() {
            return Err(DemoError::Taken(named.to_owned()));
        }
        Ok(Self { folder: named.canonicalize().map_err(unwritable(named))?, temporary: None })
    }

    /// From now on the folder stays, whatever happens.
    pub(super) fn lasting(mut self) -> Self {
        // Where it is, is known already.
        self.temporary.take().map(TempDir::keep);
        self
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the book is.
    pub(super) fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    /// Where the platforms that we carry are unpacked.
    pub(super) fn platforms(&self) -> PathBuf {
        self.folder.join("platforms")
    }

    /// Where the policies in force are.
    pub(super) fn policies(&self) -> PathBuf {
        self.folder.join("policies")
    }

    /// Makes one policy folder of those of the platforms: their policies, what the webhook is told of beside their
    /// workloads, and the set of them all.
    pub(super) fn write_policies(&self, platforms: &[Platform]) -> Result<(), DemoError> {
        for platform in platforms {
            let folder = self.policies().join(&platform.name);
            copy_files(&platform.folder.join("policies"), &folder)?;
            let beside = json!({
                "apiVersion": "v1",
                "kind": "List",
                "metadata": {"name": platform.name},
                "items": platform.beside,
            });
            write(&folder.join("beside.json"), &format!("{beside:#}\n"))?;
        }
        let together = platforms.first().and_then(|platform| platform.folder.parent()).map(|all| all.join("policies"));
        match together.filter(|folder| folder.is_dir()) {
            Some(folder) => copy_files(&folder, &self.policies()),
            None => Ok(()),
        }
    }

    /// Makes a CA, a serving certificate and a token.
    pub(super) fn make_certificates(&self) -> Result<CertificateFolder, DemoError> {
        let folder = CertificateFolder::new(self.certificates());
        let policy = RotationPolicy::new(ServerNames::parse(NAMES)?);
        folder.create(Timestamp::now(), &policy, Existing::Keep)?;
        Ok(folder)
    }

    /// Starts the webhook on free ports of loopback.
    pub(super) async fn start(&self, registries: RegistriesConfig) -> Result<Running, DemoError> {
        start(self.configuration(registries)).await.map_err(DemoError::Start)
    }

    fn certificates(&self) -> PathBuf {
        self.folder.join("certificates")
    }

    fn configuration(&self, registries: RegistriesConfig) -> ServerConfig {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        ServerConfig {
            cluster: "demo".to_owned(),
            replica: "portreeve-0".to_owned(),
            listen: any_port,
            operations: any_port,
            tls: TlsConfig::Own { folder: self.certificates(), names: NAMES.map(str::to_owned).into() },
            callers: CallersConfig::Token { token_folder: self.certificates() },
            policies: Some(self.policies()),
            cache: Some(self.folder.join("compiled")),
            ledger: Some(LedgerConfig {
                folder: self.ledger(),
                durability: DurabilityConfig::Durable,
                without_record: WithoutRecord::Refuse,
                proof: ProofConfig::default(),
            }),
            registries,
            template_paths: Vec::new(),
            state: None,
            kubernetes: None,
            namespace_defaults: NamespaceDefaults::default(),
            traces: None,
            limits: LimitsConfig::default(),
        }
    }
}

/// The files of a folder, those of its folders not.
fn copy_files(from: &Path, to: &Path) -> Result<(), DemoError> {
    let unreadable = |source| DemoError::Unreadable { path: from.to_owned(), source };
    std::fs::create_dir_all(to).map_err(|source| DemoError::Unwritable { path: to.to_owned(), source })?;
    for entry in std::fs::read_dir(from).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            let copy = to.join(name);
            std::fs::copy(&path, &copy).map_err(|source| DemoError::Unwritable { path: copy, source })?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    std::fs::write(path, text).map_err(|source| DemoError::Unwritable { path: path.to_owned(), source })
}
