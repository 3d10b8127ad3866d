//! Pods hold a token for the API server only if they need one.
//!
//! What can be told where: a template says by a flag whether its Pods get a token, so there the flag is set and judged.
//! A Pod has its token mounted already when it comes here, whatever its flag says, so there the mount is judged, and
//! nothing is edited. Which mounts hold a token is in `mounted`, who needs one in `needs`.

mod mounted;
mod needs;

use portreeve_sdk::view::Pod;
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use self::mounted::{Token, tokens};
use self::needs::{Need, Needs};
use crate::exact::Exact;
use crate::injected::Judgement;
use crate::service_account::{self, name_of};

const AUTOMOUNT: &str = "automount";
const FLAG: &str = "/spec/automountServiceAccountToken";

/// Settings of service-account-token.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Whose token is taken away, if neither the template nor the Pod says whether it wants one.
    templates: Templates,
    /// What is made of a workload that asks for a token by itself: by `automountServiceAccountToken: true`, or by a
    /// volume of its own. It is left standing.
    explicit: Judgement,
    /// Workloads that need the API, besides well-known controllers and collectors. Nothing is judged or set on them.
    needs_token: Vec<Need>,
    /// Audiences for which the API server takes tokens, besides that of tokens that name none.
    api_audiences: Vec<Exact>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            templates: Templates::Leave,
            explicit: Judgement::Allow,
            needs_token: Vec::new(),
            api_audiences: Exact::known([
                "https://kubernetes.default.svc",
                "https://kubernetes.default.svc.cluster.local",
            ]),
        }
    }
}

/// Whose token is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "camelCase")]
enum Templates {
    /// Nobody's.
    Leave,
    /// That of pods under the account `default`, which nobody made in order to grant it something.
    DefaultAccount,
    /// Everybody's.
    Disable,
}

impl Templates {
    fn take(self, pod: &Pod) -> bool {
        match self {
            Self::Leave => false,
            Self::DefaultAccount => name_of(pod) == service_account::DEFAULT,
            Self::Disable => true,
        }
    }
}

/// The policy.
pub(crate) struct ServiceAccountToken {
    templates: Templates,
    explicit: Judgement,
    needs: Needs,
    api_audiences: Vec<Exact>,
}

impl Policy for ServiceAccountToken {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Service account token",
            description: "Pods hold a token for the API server only if they need one. Templates that do not say are \
                          told not to mount it, by setting; in Pods the mounted token is judged. Tokens for other \
                          audiences are left alone.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.3"],
            ..Manifest::new("service-account-token", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            templates: settings.templates,
            explicit: settings.explicit,
            needs: Needs::new(settings.needs_token)?,
            api_audiences: settings.api_audiences,
        })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let asleep = self.templates == Templates::Leave && self.explicit == Judgement::Allow;
        let Some(pod) = case.pod().filter(|pod| !asleep && !self.needs.take(case, pod)) else { return Ok(verdict) };
        match pod.automount_token {
            Some(true) => self.says_true(&mut verdict),
            None if case.request().kind().kind != "Pod" && self.templates.take(pod) => silent(case, &mut verdict),
            None | Some(false) => {}
        }
        for token in tokens(case, &self.api_audiences) {
            self.judge(pod, &token, &mut verdict);
        }
        Ok(verdict)
    }
}

impl ServiceAccountToken {
    fn says_true(&self, verdict: &mut Verdict) {
        let Some(finding) = self.explicit.finding(verdict, "explicit") else { return };
        finding
            .at(FLAG)
            .says("the pod asks for a token of the API server (automountServiceAccountToken: true)")
            .mend("remove the field if the program does not talk to the API server");
    }

    fn judge(&self, pod: &Pod, token: &Token<'_>, verdict: &mut Verdict) {
        let finding = match (token.is_automatic(), pod.automount_token) {
            // The flag tells it already.
            (true, Some(true)) => None,
            (true, None) => self.templates.take(pod).then(|| verdict.violation("mounted")),
            _ => self.explicit.finding(verdict, "own-token"),
        };
        let Some(finding) = finding else { return };
        let (name, volume) = (&token.container.name, &token.volume.name);
        let says = if token.is_automatic() && pod.automount_token != Some(false) {
            format!("container {name:?} holds the token of its service account, which is mounted by default")
        } else {
            format!("container {name:?} holds a token of the API server (volume {volume:?})")
        };
        finding.container(token.container).at(token.pointer.as_str()).says(says).mend(
            "set automountServiceAccountToken: false in the template, or in the Pod if it has none, and mount none",
        );
    }
}

/// Without a word in the template it is for the account to say whether every container gets a token. A template can be
/// there before its account, and the account can change after it: only the template's own word is certain.
fn silent(case: &Case<'_>, verdict: &mut Verdict) {
    verdict
        .violation(AUTOMOUNT)
        .at(FLAG)
        .says("the template does not say whether its containers get a token of the API server")
        .mend(
            "set automountServiceAccountToken: false in the template, or true if the program talks to the API server; \
             what its service account says can't be seen here",
        );
    // What an owner made stays as it is, and its Pods would have the token: that is no fault that an edit mends.
    if case.request().controller().is_none() {
        verdict.set_default(AUTOMOUNT, FLAG, false);
    }
}
