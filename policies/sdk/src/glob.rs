//! Patterns over names in settings. Patterns over images are in `image`.

use serde::{Deserialize, Serialize};

/// A pattern such as `team-*`: a `*` stands for any run of characters, none and `/` included, all else for itself.
///
/// ```
/// use portreeve_sdk::glob::Glob;
///
/// assert!(Glob::from("nvidia.com/mig-*").matches("nvidia.com/mig-1g.5gb"));
/// assert!(!Glob::from("nvidia.com/mig-*").matches("nvidia.com/gpu"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
#[cfg_attr(
    not(target_arch = "wasm32"),
    schemars(inline, description = "A pattern such as `team-*`: a `*` stands for any characters, `/` included.")
)]
pub struct Glob(String);

impl From<&str> for Glob {
    fn from(pattern: &str) -> Self {
        Self(pattern.into())
    }
}

impl Glob {
    /// Whether the whole of `text` is as the pattern says.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        crate::image::glob(&self.0, text)
    }

    /// Whether any of the patterns matches.
    #[must_use]
    pub fn any(globs: &[Self], text: &str) -> bool {
        globs.iter().any(|glob| glob.matches(text))
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
