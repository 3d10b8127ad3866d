//! What authorizes us at a registry: found out when it asks, kept as long as it said, per registry and repository.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lru::LruCache;
use reqwest::header::HeaderValue;
use tokio::time::Instant;

use super::challenge::Challenge;
use super::credentials::{Credential, Credentials};
use super::endpoint::Endpoint;
use super::token::{self, Token};
use super::{Authorized, BadAnswer, CredentialsError, ResolveError};
use crate::reference::{RegistryHost, Repository};

/// How many authorizations are kept. Losing one costs one more question, nothing else.
const KEPT: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();
/// How long a password is used before the credentials file is read again.
const PASSWORD_KEPT: Duration = Duration::from_secs(300);
/// Tokens are given up this long before they end, so that none ends on its way.
const MARGIN: Duration = Duration::from_secs(10);

/// The way to an `Authorization` header.
#[derive(Debug)]
pub(super) struct Access {
    file: Option<PathBuf>,
    kept: Mutex<LruCache<(RegistryHost, Repository), Grant>>,
}

/// An `Authorization` header and its end.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    header: Option<HeaderValue>,
    /// As whom it was given.
    pub(super) authorized: Authorized,
    ends: Instant,
}

impl Access {
    /// Reads the file once, so that a bad one is known at the start.
    pub(super) fn new(file: Option<&Path>) -> Result<Self, CredentialsError> {
        file.map(Credentials::read).transpose()?;
        Ok(Self { file: file.map(Into::into), kept: Mutex::new(LruCache::new(KEPT)) })
    }

    /// What authorized us there last, if it still does; else nothing, anonymously.
    pub(super) fn known(&self, endpoint: &Endpoint, repository: &Repository) -> Grant {
        let key = (endpoint.host().clone(), repository.clone());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let grant = kept.get(&key).filter(|grant| grant.ends > Instant::now());
        grant.cloned().unwrap_or_else(Grant::anonymous)
    }

    /// Answers a challenge, and keeps the answer.
    ///
    /// None when there is nothing to answer it with: a password is wanted and there is no entry that may be sent.
    pub(super) async fn answer(
        &self,
        challenge: Challenge,
        endpoint: &Endpoint,
        repository: &Repository,
    ) -> Result<Grant, ResolveError> {
        let (credential, authorized) = self.credential(endpoint, repository)?;
        let grant = match challenge {
            Challenge::Basic => Grant::by_password(credential.as_ref(), authorized),
            Challenge::Bearer { realm, service, scope } => {
                let request = token::Request {
                    realm,
                    service,
                    scope: scope.unwrap_or_else(|| format!("repository:{repository}:pull")),
                    credential,
                    authorized,
                };
                let token = request.send(endpoint, repository).await?;
                Grant::by_token(&token, authorized)
                    .ok_or_else(|| ResolveError::bad_answer(endpoint.host(), BadAnswer::NoToken))?
            }
        };
        self.keep(endpoint, repository, &grant);
        Ok(grant)
    }

    fn keep(&self, endpoint: &Endpoint, repository: &Repository, grant: &Grant) {
        let key = (endpoint.host().clone(), repository.clone());
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).put(key, grant.clone());
    }

    /// The credential to use and as whom that is. The file is read anew: it may have been rotated.
    fn credential(
        &self,
        endpoint: &Endpoint,
        repository: &Repository,
    ) -> Result<(Option<Credential>, Authorized), ResolveError> {
        let Some(file) = &self.file else {
            return Ok((None, Authorized::Anonymously));
        };
        let credentials = Credentials::read(file).map_err(|error| ResolveError::Credentials {
            registry: endpoint.host().clone(),
            source: Arc::new(error),
        })?;
        Ok(match credentials.of(endpoint.host(), repository) {
            None => (None, Authorized::Anonymously),
            Some(_) if !endpoint.takes_credentials() => (None, Authorized::CredentialsWithheld),
            Some(credential) => (Some(credential.clone()), Authorized::WithCredentials),
        })
    }
}

impl Grant {
    /// The header, marked as sensitive.
    pub(super) fn header(&self) -> Option<&HeaderValue> {
        self.header.as_ref()
    }

    fn anonymous() -> Self {
        Self { header: None, authorized: Authorized::Anonymously, ends: Instant::now() }
    }

    fn by_password(credential: Option<&Credential>, authorized: Authorized) -> Self {
        Self { header: credential.and_then(basic), authorized, ends: Instant::now() + PASSWORD_KEPT }
    }

    /// None when the token can't stand in a header.
    fn by_token(token: &Token, authorized: Authorized) -> Option<Self> {
        let header = sensitive(&format!("Bearer {}", token.secret()))?;
        Some(Self { header: Some(header), authorized, ends: Instant::now() + token.lasts().saturating_sub(MARGIN) })
    }
}

/// `Authorization: Basic`. An identity token is no password, so there is none for it.
pub(super) fn basic(credential: &Credential) -> Option<HeaderValue> {
    match credential {
        Credential::Password { username, password } => {
            let pair = BASE64_STANDARD.encode(format!("{username}:{password}"));
            sensitive(&format!("Basic {pair}"))
        }
        Credential::IdentityToken(_) => None,
    }
}

/// A header that is never shown by `Debug` and not kept in HTTP/2's tables.
fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(value).ok()?;
    header.set_sensitive(true);
    Some(header)
}
