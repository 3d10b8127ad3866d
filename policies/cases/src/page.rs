//! `policy.yaml`, the page of a policy: what a person has to know of it that is in no schema and no manifest.

use indexmap::IndexMap;
use serde::Deserialize;

/// The page of a policy. Texts may set `code` in backticks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Page {
    /// Name of the policy, as its manifest says it.
    pub name: String,
    /// A few words, as its manifest says them.
    pub title: String,
    /// What happens where it does not hold.
    pub why: String,
    /// What to change.
    pub remedy: String,
    /// How much is at stake.
    pub risk: Risk,
    /// Controls that it supports, such as `CC6.1`, as its manifest lists them.
    pub controls: Vec<String>,
    /// Addresses to read on at.
    pub references: Vec<String>,
    /// What stops working once it is in force.
    pub breaks: String,
    /// How workloads are let off.
    pub opt_out: String,
    /// What each of its rules finds, in the order in which they are to be read.
    pub rules: IndexMap<String, String>,
    /// What it puts in or changes, by the rule that asks for it.
    #[serde(default)]
    pub edits: IndexMap<String, String>,
}

/// How much is at stake where a policy does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Tidiness.
    Low,
    /// Availability, or one step of an attack.
    Medium,
    /// A way to the node or to other workloads.
    High,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    /// Where it is not one, with line and column.
    pub fn read(text: &str) -> Result<Self, serde_saphyr::Error> {
        serde_saphyr::from_str(text)
    }
}

impl Risk {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}
