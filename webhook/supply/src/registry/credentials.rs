//! Credentials from a docker `config.json`: which entry fits a repository. Credential helpers are not run.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use thiserror::Error;

use crate::reference::{RegistryHost, Repository};

/// Some hundred entries have a tenth of this; anything larger is the wrong file.
const LARGEST: usize = 1 << 20;

/// Every entry of one file.
#[derive(Debug, Default)]
pub(super) struct Credentials(Vec<(Scope, Credential)>);

/// What one entry holds. Never shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// A user name and a password.
    Password {
        /// Whose.
        username: String,
        /// The secret.
        password: String,
    },
    /// A refresh token, exchanged for access tokens (OAuth 2).
    IdentityToken(String),
}

/// Why a credentials file can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// It can't be opened or read.
    #[error("the credentials file {} can't be read; check the path and who may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Over one mebibyte.
    #[error("the credentials file {} is over 1 MiB: this is no docker config.json", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no docker `config.json`. The parser's own words are left out: they may quote a secret.
    #[error("the credentials file {} is no docker config.json: see line {line}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where the reading ended.
        line: usize,
    },
    /// An entry that can't be used.
    #[error("the entry {key:?} of the credentials file {} {fault}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry's key, which names a registry and is no secret.
        key: String,
        /// What is wrong with it.
        fault: CredentialFault,
    },
}

/// What is wrong with an entry of a credentials file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CredentialFault {
    /// The key is neither a host nor a host with a path.
    #[error("names no registry; write host or host/path")]
    Key,
    /// `auth` is not base64 of `user:password`.
    #[error("has an `auth` that is not base64 of user:password")]
    Auth,
}

impl Credentials {
    /// Reads a file of at most some hundred entries; quick enough to be done whenever a registry asks. Who else may
    /// read it is not asked: a mounted Secret is open to everybody in its container unless somebody says otherwise.
    pub(super) fn read(path: &Path) -> Result<Self, CredentialsError> {
        let unreadable = |source| CredentialsError::Unreadable { path: path.into(), source };
        let bound = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
        let mut text = Vec::new();
        File::open(path).and_then(|file| file.take(bound).read_to_end(&mut text)).map_err(unreadable)?;
        if text.len() > LARGEST {
            return Err(CredentialsError::TooLarge { path: path.into() });
        }
        Self::parse(path, &text)
    }

    /// The entry whose key is the longest prefix of this repository.
    pub(super) fn of(&self, host: &RegistryHost, repository: &Repository) -> Option<&Credential> {
        let fitting = self.0.iter().filter(|(scope, _)| scope.covers(host, repository));
        fitting.max_by_key(|(scope, _)| scope.path.len()).map(|(_, credential)| credential)
    }

    fn parse(path: &Path, text: &[u8]) -> Result<Self, CredentialsError> {
        let file: ConfigFile = serde_json::from_slice(text)
            .map_err(|error| CredentialsError::Malformed { path: path.into(), line: error.line() })?;
        let entry = |(key, entry): (String, AuthEntry)| {
            let read =
                Scope::parse(&key).and_then(|scope| Ok(entry.credential()?.map(|credential| (scope, credential))));
            read.map_err(|fault| CredentialsError::Entry { path: path.into(), key, fault })
        };
        let entries = file.auths.into_iter().filter_map(|pair| entry(pair).transpose());
        Ok(Self(entries.collect::<Result<_, _>>()?))
    }
}

/// What is read of a docker `config.json`; all else in it is another program's.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    auths: HashMap<String, AuthEntry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AuthEntry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

impl AuthEntry {
    /// None for an entry that holds nothing, which is how docker marks "ask the helper".
    fn credential(self) -> Result<Option<Credential>, CredentialFault> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::IdentityToken(self.identitytoken)));
        }
        if !self.auth.is_empty() {
            return decode(&self.auth).map(Some).ok_or(CredentialFault::Auth);
        }
        Ok((!self.username.is_empty())
            .then_some(Credential::Password { username: self.username, password: self.password }))
    }
}

/// Docker pads passwords with zero bytes in some versions.
fn decode(auth: &str) -> Option<Credential> {
    let plain = String::from_utf8(BASE64_STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (username, password) = plain.split_once(':')?;
    Some(Credential::Password { username: username.to_owned(), password: password.trim_end_matches('\0').to_owned() })
}

/// What an entry's key covers: a registry, or the repositories below a path of it.
#[derive(Debug, PartialEq, Eq)]
struct Scope {
    host: RegistryHost,
    path: String,
}

impl Scope {
    /// `host`, `host/path`, and either as a URL. `https://index.docker.io/v1/` is what docker writes for Docker Hub;
    /// a leading `v1` or `v2` is the protocol's version and no part of a repository.
    fn parse(key: &str) -> Result<Self, CredentialFault> {
        let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
        let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
        let path = match path.split_once('/').unwrap_or((path, "")) {
            ("v1" | "v2", rest) => rest,
            _ => path,
        };
        let host = match host {
            "registry-1.docker.io" => RegistryHost::docker_hub(),
            host => host.parse().map_err(|_| CredentialFault::Key)?,
        };
        Ok(Self { host, path: path.trim_matches('/').to_owned() })
    }

    fn covers(&self, host: &RegistryHost, repository: &Repository) -> bool {
        let below = || repository.as_str().strip_prefix(&self.path);
        let whole_parts = |rest: &str| self.path.is_empty() || rest.is_empty() || rest.starts_with('/');
        self.host == *host && below().is_some_and(whole_parts)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Password { .. } => "Password(…)",
            Self::IdentityToken(_) => "IdentityToken(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Credentials, CredentialsError> {
        Credentials::parse(Path::new("config.json"), text.as_bytes())
    }

    /// Whose password a file gives for a repository.
    fn user(text: &str, host: &str, repository: &str) -> Option<String> {
        let credentials = parse(text).unwrap();
        match credentials.of(&host.parse().unwrap(), &repository.parse().unwrap())? {
            Credential::Password { username, .. } => Some(username.clone()),
            Credential::IdentityToken(_) => None,
        }
    }

    #[test]
    fn the_longest_prefix_of_whole_parts_wins() {
        let file = r#"{"auths":{"r.example":{"username":"all"},"r.example/team":{"username":"team"},
            "r.example/team/app":{"username":"app"}}}"#;
        for (repository, expected) in [
            ("other", "all"),
            ("teamster/app", "all"),
            ("team/web", "team"),
            ("team/app", "app"),
            ("team/app/worker", "app"),
            ("team/application", "team"),
        ] {
            assert_eq!(user(file, "r.example", repository).as_deref(), Some(expected), "{repository}");
        }
    }

    #[test]
    fn docker_hub_is_known_by_all_its_names() {
        for key in ["docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"] {
            let file = format!(r#"{{"auths":{{"{key}":{{"username":"me"}}}}}}"#);
            assert_eq!(user(&file, "docker.io", "library/nginx").as_deref(), Some("me"), "{key}");
        }
    }

    #[test]
    fn another_host_or_port_gets_nothing() {
        let file = r#"{"auths":{"https://r.example:5000/v2/":{"username":"me"}}}"#;
        assert_eq!(user(file, "r.example:5000", "app").as_deref(), Some("me"));
        assert_eq!(user(file, "r.example", "app"), None);
        assert_eq!(user(file, "r.example.evil", "app"), None);
    }

    #[test]
    fn reads_auth_as_base64_of_user_and_password() {
        let auth = BASE64_STANDARD.encode("me:pass:word\0\0");
        let credentials = parse(&format!(r#"{{"auths":{{"r.example":{{"auth":"{auth}"}}}}}}"#)).unwrap();
        let found = credentials.of(&"r.example".parse().unwrap(), &"app".parse().unwrap());
        let expected = Credential::Password { username: "me".into(), password: "pass:word".into() };
        assert_eq!(found, Some(&expected));
    }

    #[test]
    fn an_identity_token_comes_before_a_password() {
        let file = r#"{"auths":{"r.example":{"username":"x","identitytoken":"refresh"}}}"#;
        let credentials = parse(file).unwrap();
        let found = credentials.of(&"r.example".parse().unwrap(), &"app".parse().unwrap());
        assert_eq!(found, Some(&Credential::IdentityToken("refresh".into())));
    }

    #[test]
    fn an_entry_left_to_a_helper_is_passed_over() {
        let file = r#"{"auths":{"r.example":{}},"credsStore":"desktop"}"#;
        assert_eq!(user(file, "r.example", "app"), None);
    }

    #[test]
    fn says_which_entry_is_wrong() {
        let wrong = |text: &str| match parse(text).unwrap_err() {
            CredentialsError::Entry { key, fault, .. } => (key, fault),
            other => panic!("{other:?}"),
        };
        let auth = r#"{"auths":{"r.example":{"auth":"c2VjcmV0"}}}"#;
        assert_eq!(wrong(auth), ("r.example".into(), CredentialFault::Auth));
        assert_eq!(wrong(r#"{"auths":{"r_x/":{"username":"a"}}}"#), ("r_x/".into(), CredentialFault::Key));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read_to_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 30).unwrap();
        let refused = Credentials::read(file.path()).unwrap_err();
        assert!(matches!(refused, CredentialsError::TooLarge { .. }), "{refused}");
    }

    #[test]
    fn no_error_and_no_debug_text_shows_a_secret() {
        let malformed = parse(r#"{"auths":{"r.example":{"password":"hunter2"#).unwrap_err();
        let wrong_type = parse(r#"{"auths":{"r.example":"hunter2"}}"#).unwrap_err();
        let fine = parse(r#"{"auths":{"r.example":{"username":"u","password":"hunter2"}}}"#).unwrap();
        for shown in [format!("{malformed} {malformed:?}"), format!("{wrong_type} {wrong_type:?}"), format!("{fine:?}")]
        {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
