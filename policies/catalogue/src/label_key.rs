//! Keys and values of labels as the API server takes them, for settings: what it would refuse in an object is refused
//! when the settings are read. Source: `IsQualifiedName` and `IsValidLabelValue` in Kubernetes'
//! `apimachinery/pkg/util/validation`.

use serde::{Deserialize, Serialize};

/// The longest name, and the longest value.
const NAME: usize = 63;
/// The longest prefix of a name.
const PREFIX: usize = 253;

/// The key of a label, an annotation or a node's label: a name, or a domain and a name as in `example.com/team`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema), schemars(inline, with = "String"))]
pub(crate) struct LabelKey(String);

impl LabelKey {
    /// As written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LabelKey {
    type Error = NoLabelKey;

    fn try_from(text: String) -> Result<Self, NoLabelKey> {
        let (prefix, name) = text.split_once('/').map_or((None, text.as_str()), |(prefix, name)| (Some(prefix), name));
        if is_name(name) && prefix.is_none_or(is_domain) { Ok(Self(text)) } else { Err(NoLabelKey(text)) }
    }
}

/// Text that is no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoLabelKey(String);

impl std::fmt::Display for NoLabelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is no key such as \"team\" or \"example.com/team\"", self.0)
    }
}

/// Whether a label may have this value. Annotations may have any.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

/// Letters, digits, `-`, `_` and `.`, beginning and ending with a letter or a digit.
fn is_name(text: &str) -> bool {
    text.len() <= NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c))
}

/// A DNS subdomain: labels of small letters, digits and `-` between dots.
fn is_domain(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(is_plain) && part.ends_with(is_plain) && part.chars().all(|c| is_plain(c) || c == '-')
    };
    text.len() <= PREFIX && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_key(text: &str) -> bool {
        LabelKey::try_from(text.to_owned()).is_ok()
    }

    #[test]
    fn names_with_and_without_a_domain_are_keys() {
        assert!(is_key("team") && is_key("Cost_Centre.2") && is_key("topology.kubernetes.io/zone"));
        assert!(is_key(&"a".repeat(63)) && is_key(&format!("{}/a", "b.".repeat(126) + "b")));
    }

    #[test]
    fn what_the_api_server_refuses_is_no_key() {
        for text in ["", "-team", "team-", "a b", "a/b/c", "/team", "example.com/", "Example.com/team", "a..b/team"] {
            assert!(!is_key(text), "{text}");
        }
        assert!(!is_key(&"a".repeat(64)) && !is_key(&format!("{}/a", "b.".repeat(127))));
    }

    #[test]
    fn values_are_names_or_empty() {
        assert!(is_label_value("") && is_label_value("team-shop_1.x") && is_label_value(&"a".repeat(63)));
        assert!(!is_label_value("team shop") && !is_label_value("a@b") && !is_label_value(&"a".repeat(64)));
    }
}
