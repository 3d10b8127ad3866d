//! What one server needs beside its policies: listeners, TLS, who may call, the book, registries, template paths. One
//! file, with a JSON Schema; relative paths in it start from its own folder. Policies are resources of their own.

mod kubernetes;
mod limits;
mod template_path;
mod traces;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use portreeve_supply::RegistriesConfig;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_saphyr::MessageFormatter as _;

pub use kubernetes::{
    KubernetesConfig, PoliciesFrom, RegistrationConfig, ReportsConfig, RotationConfig, ScanConfig, ServedAt,
};
pub use limits::{ConnectionLimits, LimitsConfig, NamespacedPolicies, Seconds};
pub use template_path::{EditedConfig, HoldsConfig, TemplatePathConfig, TemplatePathError, template_paths};
pub use traces::{CollectorUrl, CollectorUrlError, NoShare, Share, TracesConfig};

/// The configuration of one server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerConfig {
    /// Name of the cluster: the first part of the name of this replica's book.
    #[serde(default = "defaults::cluster")]
    pub cluster: String,
    /// Name of this replica, unique in the cluster. Left out: `$HOSTNAME`, else `server`.
    #[serde(default = "defaults::replica")]
    // The schema must not tell of the machine that printed it.
    #[schemars(extend("default" = "server"))]
    pub replica: String,
    /// Where `/mutate` and `/validate` are served, over TLS.
    #[serde(default = "defaults::listen")]
    pub listen: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are served, in plain HTTP.
    #[serde(default = "defaults::operations")]
    pub operations: SocketAddr,
    /// The serving certificate.
    pub tls: TlsConfig,
    /// Who may call.
    pub callers: CallersConfig,
    /// Folder of policy files. Left out: the platform profile.
    #[serde(default)]
    pub policies: Option<PathBuf>,
    /// Folder for compiled policies. Left out: they are compiled at each start.
    #[serde(default)]
    pub cache: Option<PathBuf>,
    /// What outlasts a restart. Left out: nothing does, which `/readyz?verbose` and the log say, and a start needs good
    /// policy files.
    #[serde(default)]
    pub state: Option<StateConfig>,
    /// The book. Left out: no record is kept, which `/readyz?verbose` and the log say.
    #[serde(default)]
    pub ledger: Option<LedgerConfig>,
    /// Where facts about images come from.
    #[serde(default)]
    pub registries: RegistriesConfig,
    /// Further kinds that hold pod templates.
    #[serde(default)]
    pub template_paths: Vec<TemplatePathConfig>,
    /// What is known of namespaces that no Namespace manifest in the policy folder describes.
    #[serde(default)]
    pub namespace_defaults: NamespaceDefaults,
    /// The cluster that we serve. Left out: no API server is asked for anything, and policy files say all.
    #[serde(default)]
    pub kubernetes: Option<KubernetesConfig>,
    /// Where traces of requests are sent. Left out: nowhere, and no request is followed.
    #[serde(default)]
    pub traces: Option<TracesConfig>,
    /// Bounds of what is taken and done at once.
    #[serde(default)]
    pub limits: LimitsConfig,
}

/// Where the serving certificate comes from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all_fields = "camelCase",
    deny_unknown_fields,
    untagged,
    expecting = "say `{folder: PATH, names: [NAME, ...]}`, or `{certificate: PATH, key: PATH}`"
)]
pub enum TlsConfig {
    /// Files that somebody else writes and renews.
    Files {
        /// PEM, the leaf first.
        certificate: PathBuf,
        /// PEM, readable by its owner alone.
        key: PathBuf,
    },
    /// A CA and certificates of our own, made in this folder and rotated there.
    Own {
        /// The folder.
        folder: PathBuf,
        /// DNS names and addresses that the API server calls.
        names: Vec<String>,
    },
}

/// Who may call.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all_fields = "camelCase",
    deny_unknown_fields,
    untagged,
    expecting = "say `{tokenFolder: PATH}`, or `{clientCa: PATH}`, with `names: [NAME, ...]` if not all that it signed may call"
)]
pub enum CallersConfig {
    /// Whoever shows a client certificate.
    Certificates {
        /// PEM of the CAs that sign them.
        client_ca: PathBuf,
        /// Common names that are let in. Left out: all that these CAs signed.
        #[serde(default)]
        names: Vec<String>,
    },
    /// Whoever knows the token in the path, `/validate/<token>`. It is read from this folder, and rotated there where
    /// the folder is that of our own certificates, or where `kubernetes` keeps it in a Secret; else whoever made it, as
    /// by `portreeve certs create`, renews it.
    Token {
        /// The folder, that of our own certificates as a rule.
        token_folder: PathBuf,
    },
}

/// What this replica keeps for its own restart: the last good set of policies, apart from the policy files.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateConfig {
    /// Its folder, this replica's alone and on a volume that outlasts the process. It is made, for this user alone.
    pub folder: PathBuf,
}

/// The book of this replica.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LedgerConfig {
    /// Its folder.
    pub folder: PathBuf,
    /// When a record counts as kept.
    #[serde(default)]
    pub durability: DurabilityConfig,
    /// What becomes of calls whose record can't be made, while the disk is full or the folder is gone.
    #[serde(default)]
    pub without_record: WithoutRecord,
    /// When the book is proved whole while the server runs: every byte of it is read again.
    #[serde(default)]
    pub proof: ProofConfig,
}

/// When the book is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProofConfig {
    /// Hours from one time to the next.
    pub every_hours: NonZeroU32,
    /// Minutes from the start to the first time, in which a replica that was just started answers undisturbed.
    pub first_after_minutes: u32,
}

impl Default for ProofConfig {
    fn default() -> Self {
        Self { every_hours: NonZeroU32::MIN.saturating_add(23), first_after_minutes: 10 }
    }
}

/// What becomes of a call whose record can't be made. What heals or deletes is never held up either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WithoutRecord {
    /// It is refused as a failure, and the replica is not ready: others answer meanwhile.
    #[default]
    Refuse,
    /// It is answered as it was decided. A metric counts it, and its audit event names no record.
    Answer,
}

/// When a record counts as kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DurabilityConfig {
    /// When the disk has it: it survives a loss of power.
    #[default]
    Durable,
    /// When the operating system has it: it survives the end of the process.
    WriteOnly,
}

/// What is known of a namespace about which nothing is known.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceDefaults {
    /// Its labels; `kubernetes.io/metadata.name` is added.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A configuration file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("{path}: the configuration can't be read", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not YAML, or not a configuration: an unknown field, a wrong type.
    #[error("{path}:{place}{reason}", path = .path.display(), place = if .place.is_empty() { " " } else { .place })]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line and column with a colon after each, if the reader knows them.
        place: String,
        /// What.
        reason: String,
    },
}

impl ServerConfig {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Names the file, and where in it something is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let config = read::<Self>(path)?;
        match config.kubernetes.as_ref().and_then(KubernetesConfig::contradiction) {
            Some(reason) => Err(ConfigError::Invalid { path: path.to_owned(), place: String::new(), reason }),
            None => Ok(config.relative_to(folder_of(path))),
        }
    }

    /// Makes every relative path start from `folder`.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        self.registries = registries_relative_to(self.registries, folder);
        let mut paths: Vec<&mut PathBuf> = Vec::new();
        match &mut self.tls {
            TlsConfig::Files { certificate, key } => paths.extend([certificate, key]),
            TlsConfig::Own { folder, .. } => paths.push(folder),
        }
        match &mut self.callers {
            CallersConfig::Certificates { client_ca, .. } => paths.push(client_ca),
            CallersConfig::Token { token_folder } => paths.push(token_folder),
        }
        paths.extend([&mut self.policies, &mut self.cache].into_iter().flatten());
        paths.extend(self.ledger.as_mut().map(|ledger| &mut ledger.folder));
        paths.extend(self.state.as_mut().map(|state| &mut state.folder));
        paths.extend(self.kubernetes.iter_mut().flat_map(KubernetesConfig::paths));
        paths.extend(self.traces.as_mut().and_then(|traces| traces.ca_file.as_mut()));
        for path in paths {
            *path = folder.join(&*path);
        }
        self
    }
}

/// Reads a file that says of registries what a server's configuration says under `registries`.
///
/// # Errors
/// Names the file, and where in it something is wrong.
pub fn read_registries(path: &Path) -> Result<RegistriesConfig, ConfigError> {
    Ok(registries_relative_to(read(path)?, folder_of(path)))
}

fn registries_relative_to(mut registries: RegistriesConfig, folder: &Path) -> RegistriesConfig {
    let files = [&mut registries.credentials_file, &mut registries.lock_file].into_iter().flatten();
    for path in files.chain(registries.registries.iter_mut().filter_map(|registry| registry.ca_file.as_mut())) {
        *path = folder.join(&*path);
    }
    registries
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    serde_saphyr::from_str(&text).map_err(|error| invalid(path, &error))
}

fn invalid(path: &Path, error: &serde_saphyr::Error) -> ConfigError {
    let error = error.without_snippet();
    let place = error.location().map(|at| format!("{}:{}: ", at.line(), at.column())).unwrap_or_default();
    let words = serde_saphyr::UserMessageFormatter.format_message(error);
    ConfigError::Invalid { path: path.to_owned(), place, reason: plain(&words) }
}

/// What the reader of YAML says, with types named for those who don't write Rust.
fn plain(words: &str) -> String {
    let words = words.replace("expected mapping start", "a mapping belongs here");
    let words = words.replace("expected sequence start", "a list belongs here");
    ["u16", "u32", "u64", "usize"].iter().fold(words, |words, kind| {
        let (above, any) = (format!("nonzero {kind}"), format!("invalid {kind}"));
        words.replace(&above, "whole number from 1 on").replace(&any, "a whole number belongs here")
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

mod defaults {
    use std::net::{Ipv4Addr, SocketAddr};

    pub(super) fn cluster() -> String {
        "cluster".to_owned()
    }

    pub(super) fn replica() -> String {
        std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "server".to_owned())
    }

    pub(super) fn listen() -> SocketAddr {
        (Ipv4Addr::UNSPECIFIED, 8443).into()
    }

    pub(super) fn operations() -> SocketAddr {
        (Ipv4Addr::UNSPECIFIED, 8080).into()
    }
}

#[cfg(test)]
mod tests;
