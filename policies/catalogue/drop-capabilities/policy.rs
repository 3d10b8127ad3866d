//! Containers drop all Linux capabilities and add back no more than is allowed. Privileged containers, for which
//! capabilities mean nothing, are for privilege-escalation.

use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::view::{Container, Pod};
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};
use serde::Deserialize;

use crate::capability::canonical;
use crate::injected::{Injected, Judgement, TRAFFIC};
use crate::selector::Selector;
use crate::service_account::ServiceAccount;

const DROP_ALL: &str = "drop-all";
const ADD: &str = "add";
const LET_PASS: &str = "it is let pass, since its image is that of a mesh";
const OF_MESH: &str = "nothing has to change; where the mesh brings a CNI plugin for the nodes, its pods need no such \
                       container";

/// Settings of drop-capabilities.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Settings {
    /// Capabilities that any container may add, spelt as Kubernetes does: `NET_BIND_SERVICE`, without `CAP_`.
    allow: Vec<String>,
    /// Capabilities that some containers may add besides.
    allow_for: Vec<AllowFor>,
    /// Images that are left alone.
    exempt_images: Vec<ImagePattern>,
    /// Containers that a mesh adds.
    injected: Injected,
}

/// Capabilities that some containers may add.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AllowFor {
    /// The containers. Labels and names of containers are what anybody can write: they count only together with images
    /// or service accounts.
    #[serde(default)]
    select: Selector,
    /// Service accounts, one of which the pod runs as, written `namespace/name`: the name alone could be made in any
    /// namespace.
    #[serde(default)]
    service_accounts: Vec<ServiceAccount>,
    /// The capabilities.
    capabilities: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow: vec!["NET_BIND_SERVICE".into()],
            allow_for: Vec::new(),
            exempt_images: Vec::new(),
            injected: Injected::default(),
        }
    }
}

/// The policy.
pub(crate) struct DropCapabilities {
    settings: Settings,
}

impl Policy for DropCapabilities {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Drop capabilities",
            description: "Containers give up all Linux capabilities, the parts that root's power is made of, and add \
                          back only those that are allowed.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.3", "CC6.8"],
            ..Manifest::new("drop-capabilities", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        spelt_right(&settings.allow, "/allow")?;
        for (index, allowed) in settings.allow_for.iter().enumerate() {
            allowed.check(&format!("/allowFor/{index}"))?;
            spelt_right(&allowed.capabilities, &format!("/allowFor/{index}/capabilities"))?;
        }
        Ok(Self { settings: Settings { injected: settings.injected.with_known(), ..settings } })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        // Windows has no capabilities: the API server refuses the field there.
        let Some(pod) = case.pod().filter(|pod| !pod.is_windows()) else { return Ok(verdict) };
        for container in case.containers() {
            if container.is_privileged() || ImagePattern::any(&self.settings.exempt_images, &container.image) {
                continue;
            }
            self.drops(container, &mut verdict);
            self.adds(case, pod, container, &mut verdict);
        }
        Ok(verdict)
    }
}

impl DropCapabilities {
    fn drops(&self, container: &Container, verdict: &mut Verdict) {
        let dropped = container.dropped_capabilities();
        if dropped.iter().any(|name| name == "ALL") {
            return;
        }
        let at = container.field("/securityContext/capabilities/drop");
        // A list that somebody wrote is theirs to change, and a mesh needs what it asks for.
        if dropped.is_empty() && !self.settings.injected.knows(container) {
            verdict.append_unique(DROP_ALL, &at, "ALL", &[]);
        }
        let judgement = self.settings.injected.judge(container);
        let Some(finding) = judgement.finding(verdict, DROP_ALL) else { return };
        let name = &container.name;
        let finding = finding.container(container).at(at);
        if judgement == Judgement::Warn {
            let says = format!("container {name:?} keeps Linux capabilities: {LET_PASS}");
            finding.says(says).mend(OF_MESH);
            return;
        }
        let says = match dropped.iter().find(|name| name.eq_ignore_ascii_case("all")) {
            Some(other) => format!("container {name:?} drops {other:?}, which Kubernetes does not read as \"ALL\""),
            None => format!("container {name:?} keeps Linux capabilities: it does not drop ALL"),
        };
        finding.says(says).mend("set securityContext.capabilities.drop to [\"ALL\"]");
    }

    fn adds(&self, case: &Case<'_>, pod: &Pod, container: &Container, verdict: &mut Verdict) {
        let added = container.added_capabilities();
        let refused: Vec<&str> =
            added.iter().map(String::as_str).filter(|name| !self.allows(case, pod, container, name)).collect();
        if refused.is_empty() {
            return;
        }
        let for_traffic = refused.iter().all(|name| TRAFFIC.contains(name));
        let judgement = if for_traffic { self.settings.injected.judge(container) } else { Judgement::Deny };
        let Some(finding) = judgement.finding(verdict, ADD) else { return };
        let (name, names) = (&container.name, refused.join(", "));
        let finding = finding.container(container).at(container.field("/securityContext/capabilities/add"));
        if judgement == Judgement::Warn {
            let says = format!("container {name:?} adds {names}: {LET_PASS}");
            finding.says(says).mend(OF_MESH);
        } else {
            finding.says(format!("container {name:?} adds {names}, which it may not have")).mend(self.remedy(&refused));
        }
    }

    fn allows(&self, case: &Case<'_>, pod: &Pod, container: &Container, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|allowed| allowed == name);
        let for_this = |allowed: &AllowFor| listed(&allowed.capabilities) && allowed.takes(case, pod, container);
        listed(&self.settings.allow) || self.settings.allow_for.iter().any(for_this)
    }

    /// Kubernetes compares names letter by letter, so that an allowed capability in another spelling is refused.
    fn remedy(&self, refused: &[&str]) -> String {
        let meant = |name: &&&str| self.settings.allow.contains(&canonical(name));
        match refused.iter().find(meant) {
            Some(name) => format!("write {} for {name} in securityContext.capabilities.add", canonical(name)),
            None => format!("remove {} from securityContext.capabilities.add", refused.join(", ")),
        }
    }
}

impl AllowFor {
    fn check(&self, at: &str) -> Result<(), SettingsError> {
        if self.select.goes_by_images() || !self.service_accounts.is_empty() {
            return Ok(());
        }
        Err(SettingsError::new(
            at,
            "would allow capabilities to whoever writes the label or the name: add serviceAccounts, or select.images that \
             not every pod has",
        ))
    }

    fn takes(&self, case: &Case<'_>, pod: &Pod, container: &Container) -> bool {
        self.select.takes(pod, container)
            && (self.service_accounts.is_empty() || ServiceAccount::any(&self.service_accounts, case, pod))
    }
}

/// A name that no container can write would allow nothing, and nobody would notice.
fn spelt_right(names: &[String], at: &str) -> Result<(), SettingsError> {
    if let Some(index) = names.iter().position(|name| name.contains('*')) {
        let reason =
            "a * is no pattern here: name each capability, or list images that are left alone under exemptImages";
        return Err(SettingsError::new(format!("{at}/{index}"), reason));
    }
    match names.iter().enumerate().find(|(_, name)| canonical(name) != **name) {
        Some((index, name)) => Err(SettingsError::new(
            format!("{at}/{index}"),
            format!("{name:?} is not how Kubernetes spells a capability: write {:?}", canonical(name)),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the settings are refused; none if they are not.
    fn refused(settings: &str) -> Option<String> {
        DropCapabilities::configure(serde_json::from_str(settings).unwrap()).err().map(|error| error.at)
    }

    #[test]
    fn what_anybody_can_write_allows_no_capability() {
        for select in [r#"{"labels": {"tier": "edge"}}"#, r#"{"containers": ["dns"]}"#, r#"{"images": ["*"]}"#, "{}"] {
            let settings = format!(r#"{{"allowFor": [{{"select": {select}, "capabilities": ["NET_RAW"]}}]}}"#);
            assert_eq!(refused(&settings).as_deref(), Some("/allowFor/0"), "{select}");
        }
    }

    #[test]
    fn a_star_is_no_capability() {
        assert_eq!(refused(r#"{"allow": ["*"]}"#).as_deref(), Some("/allow/0"));
        let some = r#"{"allowFor": [{"serviceAccounts": ["shop/a"], "capabilities": ["SYS_TIME", "NET_*"]}]}"#;
        assert_eq!(refused(some).as_deref(), Some("/allowFor/0/capabilities/1"));
    }

    #[test]
    fn a_label_counts_beside_an_image_or_a_service_account() {
        for select in [r#""select": {"labels": {"a": "b"}, "images": ["dns"]}"#, r#""serviceAccounts": ["net/dns"]"#] {
            let settings = format!(r#"{{"allowFor": [{{{select}, "capabilities": ["NET_RAW"]}}]}}"#);
            assert_eq!(refused(&settings), None, "{select}");
        }
    }
}
