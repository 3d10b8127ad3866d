//! Secrets that are known by their looks, whatever their name. Which part of a text is the secret is told to those who
//! have to keep it from being told; nothing here can be printed with a secret in it.

use std::fmt;

use super::settings::Placeholders;
use super::{connection, jwt, key, token};

/// A secret in a text. It has no `Debug`, so that no message and no log can hold it by accident.
pub(super) struct Secret<'t> {
    /// What it is.
    pub(super) shape: Shape,
    /// The part of the text that nobody may read.
    pub(super) part: &'t str,
}

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A private key in PEM, as it is or in base64.
    PrivateKey,
    /// A JSON Web Token with a signature.
    Jwt,
    /// A key or token in the form of this issuer.
    Token(&'static str),
    /// What opens the server that a connection string names.
    Connection,
    /// As the settings describe secrets.
    Listed,
    /// What stands under a name that says secret.
    Named,
}

impl Shape {
    /// The rule that forbids it.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::PrivateKey => "private-key",
            Self::Jwt => "web-token",
            Self::Token(_) => "issued-token",
            Self::Connection => "connection-string",
            Self::Listed => "listed-value",
            Self::Named => "secret-name",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrivateKey => f.write_str("a private key"),
            Self::Jwt => f.write_str("a JSON Web Token"),
            Self::Token(issuer) => write!(f, "a key or token of {issuer}"),
            Self::Connection => f.write_str("a connection string with its password or key"),
            Self::Listed => f.write_str("what the settings call a secret"),
            Self::Named => f.write_str("what its name calls a secret"),
        }
    }
}

/// Private keys and web tokens are longer than any other text of a manifest usually is.
const LONG: usize = 40;

/// The secret in a text, if it looks like one.
pub(super) fn find(text: &str, placeholders: Placeholders) -> Option<Secret<'_>> {
    let found = |shape, part| Secret { shape, part };
    let long = Some(text).filter(|text| text.len() >= LONG);
    long.and_then(key::private)
        .map(|part| found(Shape::PrivateKey, part))
        .or_else(|| long.and_then(jwt::find).map(|part| found(Shape::Jwt, part)))
        .or_else(|| token::find(text).map(|(issuer, part)| found(Shape::Token(issuer), part)))
        .or_else(|| connection::password(text, placeholders).map(|part| found(Shape::Connection, part)))
}
