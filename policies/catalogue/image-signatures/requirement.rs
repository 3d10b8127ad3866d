//! Whose signature an image has to have. Whether a signature holds is the host's to check.

use std::fmt;

use portreeve_sdk::SettingsError;
use portreeve_sdk::fact::Signer;
use portreeve_sdk::glob::Glob;
use serde::Deserialize;

use crate::repository::RepositoryPattern;

/// Images, and who may sign them: one of these has to have.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Requirement {
    /// The images. If several requirements take an image, it has to meet each.
    images: Vec<RepositoryPattern>,
    /// Who may have signed.
    pub(super) any_of: Vec<Wanted>,
}

/// Somebody whose signature is good.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(untagged, deny_unknown_fields, expecting = "give either key, or issuer and subject")]
pub(super) enum Wanted {
    /// The holder of a key.
    Key {
        /// The name under which the host was given the public key.
        key: String,
    },
    /// Somebody who had a certificate for the moment of signing.
    Identity {
        /// Who vouched for them, such as `https://token.actions.githubusercontent.com`.
        issuer: String,
        /// Who they are, such as `https://github.com/team/*`; `*` stands for any characters.
        subject: Glob,
    },
}

impl Requirement {
    /// Refuses a requirement that no image is for or that nobody could meet; `at` is where it stands.
    pub(super) fn check(&self, at: &str) -> Result<(), SettingsError> {
        let error = |below: &str, reason| Err(SettingsError::new([at, below].concat(), reason));
        if self.images.is_empty() {
            return error("/images", "says for which images it is: name at least one");
        }
        if self.any_of.is_empty() {
            return error("/anyOf", "nobody could sign: name at least one signer");
        }
        match self.any_of.iter().position(Wanted::is_nobody) {
            Some(index) => error(&format!("/anyOf/{index}"), "an empty name is nobody's"),
            None => Ok(()),
        }
    }

    /// Whether it is for this image.
    pub(super) fn takes(&self, image: &portreeve_sdk::image::Reference<'_>) -> bool {
        RepositoryPattern::any(&self.images, image)
    }

    /// Whether one of the signers is one of those wanted.
    pub(super) fn is_met(&self, signers: &[Signer]) -> bool {
        signers.iter().any(|signer| self.any_of.iter().any(|wanted| wanted.is(signer)))
    }
}

impl Wanted {
    fn is(&self, signer: &Signer) -> bool {
        match (self, signer) {
            (Self::Key { key: wanted }, Signer::Key { key }) => wanted == key,
            (Self::Identity { issuer: wanted, subject: pattern }, Signer::Identity { issuer, subject }) => {
                wanted == issuer && pattern.matches(subject)
            }
            _ => false,
        }
    }

    fn is_nobody(&self) -> bool {
        match self {
            Self::Key { key } => key.is_empty(),
            Self::Identity { issuer, subject } => issuer.is_empty() || subject.as_str().is_empty(),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { key } => write!(f, "the key {key:?}"),
            Self::Identity { issuer, subject } => write!(f, "{:?} of {issuer:?}", subject.as_str()),
        }
    }
}
