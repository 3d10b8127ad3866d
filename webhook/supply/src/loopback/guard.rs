//! What a protected repository of the loopback registry asks for, and whether it was given.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::reference::Digest;

/// What must be shown to read a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// A user name and a password with every request.
    Basic {
        /// Whose.
        username: String,
        /// The secret.
        password: String,
    },
    /// A token, which is issued to whoever has this user name and password.
    Token {
        /// Whose.
        username: String,
        /// The secret.
        password: String,
    },
    /// A token, which is issued to whoever has this identity token.
    IdentityToken(String),
    /// A token, which is issued to anybody, as Docker Hub does for public images.
    AnonymousToken,
    /// A token, which is to be had at this URL.
    TokenAt(String),
}

impl Guard {
    /// Whether these headers open a repository.
    pub(super) fn opens(&self, repository: &str, headers: &HeaderMap) -> bool {
        match self {
            Self::Basic { username, password } => has(headers, &basic(username, password)),
            Self::Token { .. } | Self::IdentityToken(_) | Self::AnonymousToken | Self::TokenAt(_) => {
                has(headers, &format!("Bearer {}", token(repository)))
            }
        }
    }

    /// `WWW-Authenticate`, for one who has not shown anything.
    pub(super) fn challenge(&self, repository: &str, token_url: &str) -> String {
        let bearer =
            |realm: &str| format!(r#"Bearer realm="{realm}",service="loopback",scope="repository:{repository}:pull""#);
        match self {
            Self::Basic { .. } => r#"Basic realm="loopback""#.into(),
            Self::Token { .. } | Self::IdentityToken(_) | Self::AnonymousToken => bearer(token_url),
            Self::TokenAt(realm) => bearer(realm),
        }
    }

    /// Whether a token is issued to who sends these headers, and this refresh token in a form.
    pub(super) fn issues_to(&self, headers: &HeaderMap, refresh_token: Option<&str>) -> bool {
        match self {
            Self::Token { username, password } => has(headers, &basic(username, password)),
            Self::IdentityToken(expected) => refresh_token == Some(expected),
            Self::AnonymousToken => true,
            Self::Basic { .. } | Self::TokenAt(_) => false,
        }
    }
}

/// A token for one repository. It need not be hard to guess; it must only differ by repository.
pub(super) fn token(repository: &str) -> String {
    Digest::sha256_of(repository.as_bytes()).hex().to_owned()
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}")))
}

fn has(headers: &HeaderMap, authorization: &str) -> bool {
    headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes() == authorization.as_bytes())
}
