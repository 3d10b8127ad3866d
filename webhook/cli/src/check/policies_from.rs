//! Where the policies come from that manifests are judged by, as it is printed.

use portreeve_server::set::Rules;
use schemars::JsonSchema;
use serde::Serialize;

/// Where the policies come from that manifests are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PoliciesFrom {
    /// The platform profile.
    Profile,
    /// The folder that was named.
    Folder,
    /// What was read.
    Manifests,
}

impl From<Rules> for PoliciesFrom {
    fn from(rules: Rules) -> Self {
        match rules {
            Rules::OfProfile => Self::Profile,
            Rules::OfFolder => Self::Folder,
            Rules::OfManifests => Self::Manifests,
        }
    }
}
