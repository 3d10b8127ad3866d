//! What users may write under `settings`.

use portreeve_sdk::SettingsError;
use portreeve_sdk::glob::Glob;
use portreeve_sdk::view::Container;
use serde::Deserialize;

use crate::repository::RepositoryPattern;

/// A byte holds no more.
const MOST_ENTROPY: f64 = 8.0;

/// Settings of secrets-in-env.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// What may stand in the manifest, whatever it looks like.
    pub(super) allow: Vec<Allowed>,
    /// Names of secrets, besides those that say so by themselves; `*` stands for any characters.
    pub(super) names: Vec<Glob>,
    /// Values that are secrets, besides those of known looks, such as `corp_*`; `*` stands for any characters.
    pub(super) values: Vec<Glob>,
    /// Whether commands and arguments are read too.
    pub(super) arguments: Arguments,
    /// Which values under a name that says password are passwords.
    pub(super) passwords: Passwords,
    /// Whether values such as `changeme` may stand there.
    pub(super) placeholders: Placeholders,
    /// The least entropy, in bits for each character, of a token or key that its name alone makes a secret.
    pub(super) min_entropy: f64,
    /// The fewest characters of such a value.
    pub(super) min_length: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            names: Vec::new(),
            values: Vec::new(),
            arguments: Arguments::Judge,
            passwords: Passwords::Any,
            placeholders: Placeholders::Allow,
            min_entropy: 3.0,
            min_length: 8,
        }
    }
}

/// Whether commands and arguments are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub(super) enum Arguments {
    /// They are judged as variables are.
    Judge,
    /// They are not looked at.
    Ignore,
}

/// Which values under a name that says password are passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub(super) enum Passwords {
    /// All, the weak ones too: nothing else stands under such a name.
    Any,
    /// Those that are as long and as mixed as tokens and keys have to be.
    Mixed,
}

/// Whether values that ask to be replaced, such as `changeme` or `your-api-key`, may stand under names of secrets and
/// in connection strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub(super) enum Placeholders {
    /// They stand for a secret that comes later.
    Allow,
    /// They are judged as secrets: what nobody replaced is known to everybody.
    Judge,
}

/// Texts that all of these describe.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Allowed {
    /// The variable or argument has one of these names; `*` stands for any characters.
    names: Vec<Glob>,
    /// The container has one of these names; `*` stands for any characters.
    containers: Vec<Glob>,
    /// The container runs one of these images.
    images: Vec<RepositoryPattern>,
}

impl Settings {
    /// Refuses what would switch the policy off, or make it deny everything, most likely by oversight.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        if let Some(index) = self.allow.iter().position(Allowed::is_for_all) {
            let reason = "says for what it is: give names, containers or images";
            return Err(SettingsError::new(format!("/allow/{index}"), reason));
        }
        for (field, globs) in [("names", &self.names), ("values", &self.values)] {
            if let Some(index) = globs.iter().position(|glob| glob.as_str().trim_matches('*').is_empty()) {
                let reason = "takes everything: write what is common to them";
                return Err(SettingsError::new(format!("/{field}/{index}"), reason));
            }
        }
        if !(0.0..=MOST_ENTROPY).contains(&self.min_entropy) {
            return Err(SettingsError::new("/minEntropy", "not between 0 and 8 bits"));
        }
        Ok(())
    }

    /// Whether a text under this name may stand there.
    pub(super) fn allows(&self, container: &Container, name: &str) -> bool {
        self.allow.iter().any(|allowed| allowed.takes(container, name))
    }
}

impl Allowed {
    fn is_for_all(&self) -> bool {
        self.names.is_empty() && self.containers.is_empty() && self.images.is_empty()
    }

    fn takes(&self, container: &Container, name: &str) -> bool {
        (self.names.is_empty() || Glob::any(&self.names, name))
            && (self.containers.is_empty() || Glob::any(&self.containers, &container.name))
            && (self.images.is_empty() || RepositoryPattern::any_written(&self.images, &container.image))
    }
}
