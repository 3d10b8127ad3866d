//! Pods that pull from a private registry name the secret for it.
//!
//! Pods alone are edited and judged. The API server's ServiceAccount plugin gives a Pod its account's secrets only if
//! the Pod names none, and it has done so when a Pod comes here: a secret that stood in a template would keep the
//! account's away from every Pod made from it.

use portreeve_sdk::view::Pod;
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;
use serde_json::json;

use crate::images::{Place, places};
use crate::repository::RepositoryPattern;

const RULE: &str = "pull-secret";
const FIELD: &str = "/spec/imagePullSecrets";
/// The kubelet's copy of a static Pod: the API server refuses one that names a secret.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Settings of image-pull-secrets.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Which secret is for which registries. Where several are for one, all are named.
    secrets: Vec<PullSecret>,
}

/// A secret, and what it opens.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PullSecret {
    /// Registries and repositories that ask for it.
    registries: Vec<RepositoryPattern>,
    /// Its name. It has to be in the Pod's namespace.
    secret: String,
}

/// The policy.
pub(crate) struct ImagePullSecrets {
    secrets: Vec<PullSecret>,
}

impl Policy for ImagePullSecrets {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Pull secrets",
            description: "Pods whose images lie in a private registry name the secret for it. It is added to Pods, \
                          after those of their service account, and never to templates.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            controls: &["A1.1", "CC6.1"],
            ..Manifest::new("image-pull-secrets", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        for (index, secret) in settings.secrets.iter().enumerate() {
            secret.check(&format!("/secrets/{index}"))?;
        }
        Ok(Self { secrets: settings.secrets })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(pod) = case.pod().filter(|pod| is_real_pod(case, pod)) else { return Ok(verdict) };
        for secret in self.secrets.iter().filter(|secret| !pod.image_pull_secrets.contains(&secret.secret)) {
            let mut needed = false;
            for place in places(case).filter(|place| secret.opens(place)) {
                secret.lacks(&place, &mut verdict);
                needed = true;
            }
            if needed {
                verdict.append_unique(RULE, FIELD, json!({"name": secret.secret}), &["name"]);
            }
        }
        Ok(verdict)
    }
}

/// Neither a template nor what a node writes of its own.
fn is_real_pod(case: &Case<'_>, pod: &Pod) -> bool {
    let kind = case.request().kind();
    kind.group.is_empty() && kind.kind == "Pod" && pod.annotation(MIRROR).is_none()
}

impl PullSecret {
    fn check(&self, at: &str) -> Result<(), SettingsError> {
        if self.registries.is_empty() {
            return Err(SettingsError::new([at, "/registries"].concat(), "says for what it is: name at least one"));
        }
        if !is_object_name(&self.secret) {
            return Err(SettingsError::new([at, "/secret"].concat(), "not the name of a Secret"));
        }
        Ok(())
    }

    fn opens(&self, place: &Place<'_>) -> bool {
        place.image.is_ok_and(|image| RepositoryPattern::any(&self.registries, &image))
    }

    fn lacks(&self, place: &Place<'_>, verdict: &mut Verdict) {
        let says = format!(
            "{} pulls {:?} from a private registry, and the pod does not name the secret {:?}",
            place.who(),
            place.written,
            self.secret
        );
        place
            .at_fault(verdict.violation(RULE))
            .at(FIELD)
            .says(says)
            .mend(format!("add {:?} to the imagePullSecrets of the pod or of its service account", self.secret));
    }
}

/// A DNS subdomain (RFC 1123), as the API server asks of a Secret's name: with another one it would refuse the Pod.
fn is_object_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        ends(label.chars().next())
            && ends(label.chars().next_back())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: &str) -> Option<String> {
        let registration = portreeve_sdk::export::Registration::of::<ImagePullSecrets>();
        registration.configure(settings).err().map(|error| format!("{}: {}", error.at, error.reason))
    }

    #[test]
    fn a_name_that_the_api_server_refuses_is_refused_first() {
        for name in ["", "Acr", "acr_secret", "-a", "a-", "a..b"] {
            let settings = format!(r#"{{"secrets": [{{"registries": ["a.example"], "secret": "{name}"}}]}}"#);
            assert_eq!(refused(&settings).unwrap(), "/secrets/0/secret: not the name of a Secret", "{name}");
        }
        assert_eq!(refused(r#"{"secrets": [{"registries": ["a.example"], "secret": "acr-secret.v2"}]}"#), None);
    }

    #[test]
    fn a_secret_for_nothing_is_refused() {
        let settings = r#"{"secrets": [{"registries": [], "secret": "acr"}]}"#;
        assert!(refused(settings).unwrap().starts_with("/secrets/0/registries: "));
    }
}
