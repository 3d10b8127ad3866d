//! The allow-list: which hosts may be contacted, and on which way each registry is reached. Built once, from the
//! configuration; nothing is contacted here.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::Semaphore;

use super::CredentialsError;
use super::endpoint::{Endpoint, Transport};
use crate::https::{self, CaError, ClientError};
use crate::reference::RegistryHost;
use crate::settings::{HostPattern, RegistriesConfig, RegistryConfig, Timeouts};

/// Every listed registry with the way to it.
#[derive(Debug)]
pub(super) struct Listing(HashMap<RegistryHost, Route>);

/// The way to what a registry holds.
#[derive(Debug)]
pub(super) struct Route {
    /// The hosts that are asked, in order.
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    /// How many more questions may be asked now. Each registry has its own, so that one that hangs is in nobody else's
    /// way.
    pub(super) turns: Semaphore,
}

/// A configuration of registries that does not fit together.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListingError {
    /// A host has two entries.
    #[error("registry {host} is listed twice; keep one entry")]
    Twice {
        /// The host.
        host: RegistryHost,
    },
    /// `mirrorOnly` without a mirror.
    #[error("registry {host} is `mirrorOnly` and has no mirrors; list one, or leave `mirrorOnly` out")]
    NoMirror {
        /// The host.
        host: RegistryHost,
    },
    /// A registry that is its own mirror.
    #[error("registry {host} is listed as its own mirror; leave it out of `mirrors`")]
    OwnMirror {
        /// The host.
        host: RegistryHost,
    },
    /// Both `insecure` and `caFile`.
    #[error("registry {host} is `insecure` and has a `caFile`; plain HTTP has no certificates, so keep one of the two")]
    InsecureWithCa {
        /// The host.
        host: RegistryHost,
    },
    /// A host that the grammar allows and a URL does not, such as `1.2.3.4.5`.
    #[error("registry {host} can't be the host of a URL; check its name")]
    NotAUrl {
        /// The host.
        host: RegistryHost,
    },
    /// A file of certificate authorities that can't be read or has none in it.
    #[error("the certificate authorities of registry {host} can't be read from {}; give a PEM file with certificates", path.display())]
    CaFile {
        /// The registry.
        host: RegistryHost,
        /// The file.
        path: PathBuf,
        /// Why.
        source: CaError,
    },
    /// The TLS or HTTP client could not be made.
    #[error("no client could be made for registry {host}")]
    Client {
        /// The registry.
        host: RegistryHost,
        /// Why.
        source: ClientError,
    },
    /// The credentials file can't be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

impl Listing {
    pub(super) fn new(config: &RegistriesConfig) -> Result<Self, ListingError> {
        let entries = by_host(&config.registries)?;
        let mut build = Build {
            plain: entries.values().filter(|entry| entry.insecure).map(|entry| entry.host.clone()).collect(),
            entries,
            timeouts: &config.timeouts,
            machine_roots: None,
        };
        let concurrent = config.cache.concurrent.get().into();
        let routes = config.registries.iter().map(|entry| {
            let route = Route { endpoints: build.endpoints(entry)?, turns: Semaphore::new(concurrent) };
            Ok((entry.host.clone(), route))
        });
        Ok(Self(routes.collect::<Result<_, ListingError>>()?))
    }

    /// Whom to ask for what this registry holds; none when it is not listed.
    pub(super) fn route(&self, host: &RegistryHost) -> Option<&Route> {
        self.0.get(host)
    }
}

fn by_host(entries: &[RegistryConfig]) -> Result<HashMap<RegistryHost, &RegistryConfig>, ListingError> {
    let mut found = HashMap::new();
    for entry in entries {
        let host = || entry.host.clone();
        if entry.mirror_only && entry.mirrors.is_empty() {
            return Err(ListingError::NoMirror { host: host() });
        }
        if entry.mirrors.contains(&entry.host) {
            return Err(ListingError::OwnMirror { host: host() });
        }
        if entry.insecure && entry.ca_file.is_some() {
            return Err(ListingError::InsecureWithCa { host: host() });
        }
        if found.insert(host(), entry).is_some() {
            return Err(ListingError::Twice { host: host() });
        }
    }
    Ok(found)
}

/// What all endpoints are made from.
struct Build<'a> {
    entries: HashMap<RegistryHost, &'a RegistryConfig>,
    plain: HashSet<RegistryHost>,
    timeouts: &'a Timeouts,
    /// Read when the first registry needs TLS, and only then: it takes some milliseconds.
    machine_roots: Option<rustls::RootCertStore>,
}

impl Build<'_> {
    fn endpoints(&mut self, entry: &RegistryConfig) -> Result<Vec<Arc<Endpoint>>, ListingError> {
        let mut endpoints = Vec::new();
        for mirror in &entry.mirrors {
            endpoints.push(self.endpoint(mirror)?.mirroring(&entry.host));
        }
        if !entry.mirror_only {
            endpoints.push(self.endpoint(&entry.host)?);
        }
        Ok(endpoints.into_iter().map(Arc::new).collect())
    }

    fn endpoint(&mut self, host: &RegistryHost) -> Result<Endpoint, ListingError> {
        let entry = self.entries.get(host).copied();
        let transport = match self.plain.contains(host) {
            true => Transport::PlainHttp,
            false => Transport::Https,
        };
        let client = self.client(host, transport, entry)?;
        let redirects = entry.map(|entry| entry.redirect_hosts.clone()).unwrap_or_default();
        let issuers = entry.map(|entry| entry.token_hosts.clone()).unwrap_or_default();
        Endpoint::new(host, transport, client)
            .ok_or_else(|| ListingError::NotAUrl { host: host.clone() })
            .map(|endpoint| endpoint.belonging(redirects, issuers.into_iter().map(HostPattern::Exactly), &self.plain))
    }

    fn client(
        &mut self,
        host: &RegistryHost,
        transport: Transport,
        entry: Option<&RegistryConfig>,
    ) -> Result<reqwest::Client, ListingError> {
        let roots = match (transport, entry.and_then(|entry| entry.ca_file.as_ref())) {
            (Transport::PlainHttp, _) => None,
            (Transport::Https, None) => Some(self.machine_roots().clone()),
            (Transport::Https, Some(path)) => Some(self.roots_with(host, path)?),
        };
        https::client(roots, self.timeouts.connect())
            .map_err(|source| ListingError::Client { host: host.clone(), source })
    }

    fn roots_with(&mut self, host: &RegistryHost, path: &Path) -> Result<rustls::RootCertStore, ListingError> {
        let mut roots = self.machine_roots().clone();
        https::add_ca_file(&mut roots, path).map_err(|source| ListingError::CaFile {
            host: host.clone(),
            path: path.into(),
            source,
        })?;
        Ok(roots)
    }

    fn machine_roots(&mut self) -> &rustls::RootCertStore {
        self.machine_roots.get_or_insert_with(https::machine_roots)
    }
}
