//! What a policy is: what it says about itself, its settings, and its judgement.

use serde::de::DeserializeOwned;

use crate::case::Case;
use crate::generated;
use crate::verdict::Verdict;

/// A policy: settings in force, ready to judge.
///
/// Implementors are frozen after [`configure`](Policy::configure): whatever it builds is there for every request at
/// no cost, whatever is built later is built again for each.
pub trait Policy: Sized + 'static {
    /// What users may write under `settings`. `{}` should always do; unknown fields should be refused.
    type Settings: DeserializeOwned;

    /// What it is and what it asks for.
    fn manifest() -> Manifest;

    /// Makes an instance.
    ///
    /// # Errors
    /// If the settings are well-formed but make no sense; wrong types are found before this call.
    fn configure(settings: Self::Settings) -> Result<Self, SettingsError>;

    /// Judges one case, purely: the same case, the same verdict.
    ///
    /// # Errors
    /// [`Stop`], if there can be no verdict. The administrator's failure policy decides then.
    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop>;
}

/// What a policy says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Lower-case letters, digits, `-`.
    pub name: &'static str,
    /// Semantic version of the policy.
    pub version: &'static str,
    /// A few words, for tables.
    pub title: &'static str,
    /// A paragraph: what it wants and why.
    pub description: &'static str,
    /// What its verdicts may hold.
    pub can: Can,
    /// What it wants to see. Empty: every kind that has a pod template.
    pub resources: &'static [ResourceRule],
    /// Kinds of facts that it asks for.
    pub facts: &'static [FactNeed],
    /// JSON Schema of its settings, as text.
    pub schema: &'static str,
    /// Controls that it supports, such as `CC6.1`.
    pub controls: &'static [&'static str],
}

impl Manifest {
    /// A manifest with this name and version, that validates, sees every pod template and asks for nothing.
    #[must_use]
    pub const fn new(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version,
            title: "",
            description: "",
            can: Can::VALIDATE,
            resources: &[],
            facts: &[],
            schema: "{}",
            controls: &[],
        }
    }
}

/// What a policy's verdicts may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Can {
    validate: bool,
    mutate: bool,
    rewrite_images: bool,
}

impl Can {
    /// Violations.
    pub const VALIDATE: Self = Self { validate: true, mutate: false, rewrite_images: false };
    /// Violations and edits.
    pub const MUTATE: Self = Self { validate: true, mutate: true, rewrite_images: false };
    /// Violations and edits, of images too: it runs before all policies that need facts about images.
    pub const REWRITE_IMAGES: Self = Self { validate: true, mutate: true, rewrite_images: true };
}

/// Resources that a policy wants to see; `*` stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceRule {
    /// API groups; the core group is empty.
    pub groups: &'static [&'static str],
    /// Versions.
    pub versions: &'static [&'static str],
    /// Resources; a subresource is written `pods/ephemeralcontainers`.
    pub resources: &'static [&'static str],
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`.
    pub operations: &'static [&'static str],
}

/// A kind of fact that a policy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactNeed {
    /// Kind, as the contract names it.
    pub kind: &'static str,
    /// Why, for the administrator who grants it.
    pub why: &'static str,
    /// Whether the policy is of no use without.
    pub required: bool,
}

/// Settings that make no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// A JSON pointer into the settings.
    pub at: String,
    /// What is wrong there and what would be right.
    pub reason: String,
}

impl SettingsError {
    /// An error at a JSON pointer into the settings.
    pub fn new(at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { at: at.into(), reason: reason.into() }
    }
}

/// Why there is no verdict. Never a violation: the administrator's failure policy decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A fact that the verdict can't do without is missing.
    MissingFact(crate::fact::Missing),
    /// Anything else, for the operator.
    Failed(String),
}

impl From<crate::fact::Missing> for Stop {
    fn from(missing: crate::fact::Missing) -> Self {
        Self::MissingFact(missing)
    }
}

impl From<Stop> for generated::Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::MissingFact(missing) => Self::MissingFact(generated::portreeve::policy::types::FactKey {
                kind: missing.kind.into(),
                key: missing.key,
                reason: missing.reason,
            }),
            Stop::Failed(reason) => Self::Failed(reason),
        }
    }
}

impl From<Can> for generated::Capabilities {
    fn from(can: Can) -> Self {
        let flag = |on, flag| if on { flag } else { Self::empty() };
        flag(can.validate, Self::VALIDATE)
            | flag(can.mutate, Self::MUTATE)
            | flag(can.rewrite_images, Self::REWRITE_IMAGES)
    }
}

impl From<Manifest> for generated::Manifest {
    fn from(manifest: Manifest) -> Self {
        Self {
            name: manifest.name.into(),
            version: manifest.version.into(),
            title: manifest.title.into(),
            description: manifest.description.into(),
            can: manifest.can.into(),
            resources: manifest.resources.iter().map(Into::into).collect(),
            facts: manifest.facts.iter().map(Into::into).collect(),
            settings_schema: manifest.schema.into(),
            controls: texts(manifest.controls),
        }
    }
}

impl From<&ResourceRule> for generated::ResourceRule {
    fn from(rule: &ResourceRule) -> Self {
        Self {
            groups: texts(rule.groups),
            versions: texts(rule.versions),
            resources: texts(rule.resources),
            operations: texts(rule.operations),
        }
    }
}

impl From<&FactNeed> for generated::FactNeed {
    fn from(need: &FactNeed) -> Self {
        Self { kind: need.kind.into(), why: need.why.into(), required: need.required }
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.into()).collect()
}
