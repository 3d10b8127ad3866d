//! Words of settings that are compared letter by letter. Where patterns are taken, settings have `Glob`; a `*` among
//! these would match nothing, and nobody would notice.

use std::fmt;

use serde::Deserialize;

/// A word such as a label's value, a kind or a user's name, in which no `*` stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Exact(String);

impl Exact {
    /// Words that a policy brings along.
    pub(crate) fn known<const N: usize>(words: [&str; N]) -> Vec<Self> {
        words.map(|word| Self(word.into())).into()
    }

    /// The word.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of these.
    pub(crate) fn any(words: &[Self], text: &str) -> bool {
        words.iter().any(|word| word.0 == text)
    }
}

impl TryFrom<String> for Exact {
    type Error = Starred;

    fn try_from(text: String) -> Result<Self, Starred> {
        if text.contains('*') { Err(Starred(text)) } else { Ok(Self(text)) }
    }
}

/// A word with a `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Starred(String);

impl fmt::Display for Starred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is compared letter by letter, so that its * would match nothing: write each one out", self.0)
    }
}

impl std::error::Error for Starred {}

#[cfg(not(target_arch = "wasm32"))]
impl serde::Serialize for Exact {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for Exact {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Exact".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[^*]*$"})
    }
}

#[cfg(test)]
mod tests {
    use portreeve_sdk::export::Registration;

    use super::*;
    use crate::{drop_capabilities, host_access, pod_security, probes, service_account_token, topology_spread};

    #[test]
    fn a_star_is_no_letter_of_a_word() {
        assert!(Exact::any(&[Exact::try_from("a".to_owned()).unwrap()], "a"));
        let refused = Exact::try_from("team-*".to_owned()).unwrap_err().to_string();
        assert!(refused.starts_with("\"team-*\" is compared letter by letter"), "{refused}");
    }

    fn refused_at<P: portreeve_sdk::Policy>(settings: &str) -> String {
        let error = Registration::of::<P>().configure(settings).err().unwrap();
        assert!(error.reason.contains('*'), "{}", error.reason);
        error.at
    }

    #[test]
    fn a_star_that_would_match_nothing_is_refused_where_it_stands() {
        let class = r#"{"classes": [{"name": "a", "level": "privileged", "when": {"labels": {"app": "*"}}}]}"#;
        let label = r#"{"allowFor": [{"select": {"images": ["a"], "labels": {"app": "*"}}, "capabilities": []}]}"#;
        let account = r#"{"allow": [{"serviceAccounts": ["shop/*"], "ports": []}]}"#;
        let path = r#"{"allow": [{"serviceAccounts": ["shop/a"], "paths": [{"path": "/var/log/*"}]}]}"#;
        assert_eq!(refused_at::<drop_capabilities::DropCapabilities>(r#"{"allow": ["SYS_TIME", "*"]}"#), "/allow/1");
        assert_eq!(refused_at::<drop_capabilities::DropCapabilities>(label), "/allowFor/0/select/labels/app");
        assert_eq!(refused_at::<host_access::HostAccess>(account), "/allow/0/serviceAccounts/0");
        assert_eq!(refused_at::<host_access::HostAccess>(path), "/allow/0/paths/0/path");
        assert_eq!(refused_at::<pod_security::PodSecurity>(class), "/classes/0/when/labels/app");
        assert_eq!(
            refused_at::<pod_security::PodSecurity>(r#"{"exemptions": {"usernames": ["system:*"]}}"#),
            "/exemptions/usernames/0"
        );
        assert_eq!(refused_at::<probes::Probes>(r#"{"kinds": ["*"]}"#), "/kinds/0");
        assert_eq!(
            refused_at::<service_account_token::ServiceAccountToken>(r#"{"apiAudiences": ["https://*"]}"#),
            "/apiAudiences/0"
        );
        assert_eq!(refused_at::<topology_spread::TopologySpread>(r#"{"kinds": ["*"]}"#), "/kinds/0");
    }
}
