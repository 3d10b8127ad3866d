//! Getting a token where a registry has its tokens issued: by password or anonymously (the distribution token
//! protocol), or with an identity token (its OAuth 2 variant).

use std::fmt;
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;

use super::access::basic;
use super::conversation::read_body;
use super::credentials::Credential;
use super::endpoint::{Endpoint, authority};
use super::{Authorized, BadAnswer, ResolveError};
use crate::reference::Repository;

/// Tokens are some kilobytes, with many claims.
const LIMIT: usize = 256 * 1024;
/// What the protocol says when the issuer does not.
const LASTS: Duration = Duration::from_secs(60);
/// What we call ourselves to an issuer.
const CLIENT_ID: &str = "portreeve";

/// What to ask an issuer for.
pub(super) struct Request {
    pub(super) realm: Url,
    pub(super) service: Option<String>,
    pub(super) scope: String,
    pub(super) credential: Option<Credential>,
    pub(super) authorized: Authorized,
}

/// A bearer token. Never shown, not even by `Debug`.
pub(super) struct Token {
    secret: String,
    lasts: Duration,
}

impl Token {
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// How long it is good for, from when it was given.
    pub(super) fn lasts(&self) -> Duration {
        self.lasts
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

impl Request {
    /// Asks the issuer, if it is one that the registry may send us to.
    pub(super) async fn send(self, endpoint: &Endpoint, repository: &Repository) -> Result<Token, ResolveError> {
        if !endpoint.may_get_tokens_at(&self.realm) {
            let host = authority(&self.realm).into();
            return Err(ResolveError::bad_answer(endpoint.host(), BadAnswer::TokenHost { host }));
        }
        let answer = self.request(endpoint.client()).send().await;
        let answer = answer.map_err(|error| ResolveError::unreachable(endpoint.host(), error))?;
        match answer.status().as_u16() {
            200 => read_token(endpoint, &read_body(endpoint, answer, LIMIT).await?),
            status @ (401 | 403) => Err(ResolveError::Unauthorized {
                registry: endpoint.host().clone(),
                repository: repository.clone(),
                status,
                authorized: self.authorized,
            }),
            status => Err(ResolveError::bad_answer(endpoint.host(), BadAnswer::TokenStatus(status))),
        }
    }

    fn request(&self, client: &reqwest::Client) -> RequestBuilder {
        match &self.credential {
            Some(Credential::IdentityToken(token)) => client.post(self.realm.clone()).form(&self.form(token)),
            Some(password) => match basic(password) {
                Some(header) => client.get(self.url()).header(AUTHORIZATION, header),
                None => client.get(self.url()),
            },
            None => client.get(self.url()),
        }
    }

    fn url(&self) -> Url {
        let mut url = self.realm.clone();
        let mut query = url.query_pairs_mut();
        if let Some(service) = &self.service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", &self.scope).append_pair("client_id", CLIENT_ID);
        drop(query);
        url
    }

    fn form<'a>(&'a self, refresh_token: &'a str) -> [(&'static str, &'a str); 5] {
        [
            ("grant_type", "refresh_token"),
            ("service", self.service.as_deref().unwrap_or_default()),
            ("scope", &self.scope),
            ("client_id", CLIENT_ID),
            ("refresh_token", refresh_token),
        ]
    }
}

/// `token` by the older protocol, `access_token` by the OAuth 2 one; issuers give either or both.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u32>,
}

fn read_token(endpoint: &Endpoint, body: &[u8]) -> Result<Token, ResolveError> {
    let no_token = || ResolveError::bad_answer(endpoint.host(), BadAnswer::NoToken);
    let answer: TokenAnswer = serde_json::from_slice(body).map_err(|_| no_token())?;
    let secret = answer.token.or(answer.access_token).filter(|token| !token.is_empty());
    let lasts = answer.expires_in.map_or(LASTS, |seconds| Duration::from_secs(seconds.into()));
    Ok(Token { secret: secret.ok_or_else(no_token)?, lasts })
}
