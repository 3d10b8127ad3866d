//! Asking one host about one repository: requests with whatever authorizes them, redirects to hosts that belong to it,
//! bodies up to a limit, and every answer that is no success turned into an error.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, Url};

use super::access::{Access, Grant};
use super::challenge::Challenge;
use super::endpoint::{Endpoint, Kind, authority};
use super::{BadAnswer, ResolveError};
use crate::reference::{RegistryHost, Repository};

/// Registries send a client on once, to their storage; some twice.
const REDIRECTS: usize = 3;

/// One host and one repository of it.
#[derive(Clone, Copy)]
pub(super) struct Conversation<'a> {
    endpoint: &'a Endpoint,
    repository: &'a Repository,
    access: &'a Access,
}

/// What is asked for: `/v2/<repository>/<kind>/<name>`.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) kind: Kind,
    /// A tag or a digest.
    pub(super) name: &'a str,
    /// The media types that are understood.
    pub(super) accept: &'static str,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(endpoint: &'a Endpoint, repository: &'a Repository, access: &'a Access) -> Self {
        Self { endpoint, repository, access }
    }

    /// The error that this host gave such an answer.
    pub(super) fn bad(&self, answer: BadAnswer) -> ResolveError {
        ResolveError::bad_answer(self.endpoint.host(), answer)
    }

    /// The headers that come with an item, and its body, which is read up to `limit` bytes.
    pub(super) async fn get(&self, item: Item<'_>, limit: usize) -> Result<(HeaderMap, Vec<u8>), ResolveError> {
        let response = self.ask(Method::GET, item).await?;
        let headers = response.headers().clone();
        Ok((headers, read_body(self.endpoint, response, limit).await?))
    }

    /// The headers of an item alone.
    pub(super) async fn head(&self, item: Item<'_>) -> Result<HeaderMap, ResolveError> {
        let response = self.ask(Method::HEAD, item).await?;
        Ok(response.headers().clone())
    }

    /// Asks with what authorized us last. When that does not do, answers the challenge and asks once more.
    async fn ask(&self, method: Method, item: Item<'_>) -> Result<Response, ResolveError> {
        let grant = self.access.known(self.endpoint, self.repository);
        let response = self.follow(&method, item, &grant).await?;
        if response.status().as_u16() != 401 {
            return self.success(response, item, &grant);
        }
        let challenge = Challenge::of(response.headers()).ok_or_else(|| self.bad(BadAnswer::Challenge))?;
        let grant = self.access.answer(challenge, self.endpoint, self.repository).await?;
        let response = self.follow(&method, item, &grant).await?;
        self.success(response, item, &grant)
    }

    async fn follow(&self, method: &Method, item: Item<'_>, grant: &Grant) -> Result<Response, ResolveError> {
        let mut url = self.endpoint.url(self.repository, item.kind, item.name);
        for _ in 0..=REDIRECTS {
            let response = self.send(method, &url, item.accept, grant).await?;
            match redirect(&response) {
                None => return Ok(response),
                Some(location) => url = self.allowed(&url, location)?,
            }
        }
        Err(self.bad(BadAnswer::TooManyRedirects { limit: REDIRECTS }))
    }

    /// One request. What authorizes at the registry is sent to the registry alone.
    async fn send(&self, method: &Method, url: &Url, accept: &str, grant: &Grant) -> Result<Response, ResolveError> {
        let mut request = self.endpoint.client().request(method.clone(), url.clone()).header(ACCEPT, accept);
        if let Some(header) = grant.header().filter(|_| self.endpoint.is_at(url)) {
            request = request.header(AUTHORIZATION, header);
        }
        tracing::debug!(%method, host = %authority(url), repository = %self.repository, "asking a registry");
        request.send().await.map_err(|error| ResolveError::unreachable(self.endpoint.host(), error))
    }

    fn allowed(&self, from: &Url, location: &str) -> Result<Url, ResolveError> {
        let refused = |to: &str| self.bad(BadAnswer::Redirect { to: shortened(to) });
        let to = from.join(location).map_err(|_| refused("something that is no URL"))?;
        match self.endpoint.may_redirect_to(&to) {
            true => Ok(to),
            false => Err(refused(&format!("{}://{}", to.scheme(), authority(&to)))),
        }
    }

    fn success(&self, response: Response, item: Item<'_>, grant: &Grant) -> Result<Response, ResolveError> {
        let registry = self.endpoint.host().clone();
        match response.status().as_u16() {
            200 => Ok(response),
            status @ (401 | 403) => Err(ResolveError::Unauthorized {
                registry,
                repository: self.repository.clone(),
                status,
                authorized: grant.authorized,
            }),
            404 => {
                Err(ResolveError::NotFound { registry, repository: self.repository.clone(), name: item.name.into() })
            }
            429 => Err(rate_limited(registry, response.headers())),
            status => Err(self.bad(BadAnswer::Status(status))),
        }
    }
}

/// A body, as long as it stays within the limit, whatever `Content-Length` promises.
pub(super) async fn read_body(
    endpoint: &Endpoint,
    mut response: Response,
    limit: usize,
) -> Result<Vec<u8>, ResolveError> {
    let mut body = Vec::new();
    let unreachable = |error| ResolveError::unreachable(endpoint.host(), error);
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > limit {
            return Err(ResolveError::bad_answer(endpoint.host(), BadAnswer::TooLarge { limit }));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Where a redirect leads. An answer without a place to go is no redirect.
fn redirect(response: &Response) -> Option<&str> {
    let redirected = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    redirected.then(|| response.headers().get(LOCATION))??.to_str().ok()
}

fn rate_limited(registry: RegistryHost, headers: &HeaderMap) -> ResolveError {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    ResolveError::RateLimited { registry, retry_after: seconds.map(Duration::from_secs) }
}

/// A host has at most 253 characters; what a registry writes may be longer.
fn shortened(written: &str) -> Box<str> {
    written.chars().take(260).collect::<String>().into()
}
