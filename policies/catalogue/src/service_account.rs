//! Service accounts that a loosening is for. Several policies let administrators name them; what follows is theirs.

use portreeve_sdk::Case;
use portreeve_sdk::view::Pod;
use serde::Deserialize;

/// The account of pods that name none.
pub(crate) const DEFAULT: &str = "default";

/// A service account in its namespace: the name alone could be made in any.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(serde::Serialize, schemars::JsonSchema))]
#[cfg_attr(not(target_arch = "wasm32"), serde(into = "String"), schemars(inline, with = "String"))]
#[serde(try_from = "String")]
pub(crate) struct ServiceAccount {
    namespace: String,
    name: String,
}

impl ServiceAccount {
    /// Whether the pod runs as one of these.
    pub(crate) fn any(accounts: &[Self], case: &Case<'_>, pod: &Pod) -> bool {
        let namespace = case.request().namespace().unwrap_or_default();
        let name = name_of(pod);
        accounts.iter().any(|account| account.namespace == namespace && account.name == name)
    }
}

/// The account that the pod runs as, by its name. A template may leave it out; the API server completes it in a Pod.
pub(crate) fn name_of(pod: &Pod) -> &str {
    pod.service_account.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT)
}

impl TryFrom<String> for ServiceAccount {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            _ if text.contains('*') => Err(format!("{text:?} holds a *, which is no pattern here: write each one out")),
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("{text:?} is no service account: write namespace/name")),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl From<ServiceAccount> for String {
    fn from(account: ServiceAccount) -> Self {
        [&account.namespace, "/", &account.name].concat()
    }
}

#[cfg(test)]
mod tests {
    use portreeve_sdk::export::Registration;

    use crate::{drop_capabilities, host_access, pod_security, service_account_token};

    fn refused<P: portreeve_sdk::Policy>(settings: &str) -> String {
        let error = Registration::of::<P>().configure(settings).err().unwrap();
        assert!(error.reason.contains("write namespace/name"), "{}", error.reason);
        error.at
    }

    #[test]
    fn an_account_without_its_namespace_loosens_nothing_anywhere() {
        for account in ["agent", "/agent", "monitoring/", "a/b/c", ""] {
            let accounts = format!(r#""serviceAccounts": ["{account}"]"#);
            let allow = format!(r#"{{"allow": [{{{accounts}}}]}}"#);
            let class = format!(r#"{{"classes": [{{"name": "a", "level": "privileged", "when": {{{accounts}}}}}]}}"#);
            let adding = format!(r#"{{"allowFor": [{{{accounts}, "capabilities": ["NET_RAW"]}}]}}"#);
            let token = format!(r#"{{"needsToken": [{{{accounts}}}]}}"#);
            assert_eq!(refused::<host_access::HostAccess>(&allow), "/allow/0/serviceAccounts/0");
            assert_eq!(refused::<pod_security::PodSecurity>(&class), "/classes/0/when/serviceAccounts/0");
            assert_eq!(refused::<drop_capabilities::DropCapabilities>(&adding), "/allowFor/0/serviceAccounts/0");
            assert_eq!(
                refused::<service_account_token::ServiceAccountToken>(&token),
                "/needsToken/0/serviceAccounts/0"
            );
        }
    }
}
