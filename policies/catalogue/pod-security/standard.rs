//! The Pod Security Standards: levels, versions, and the table of checks with what holds from which version on. What a
//! check looks at is in `baseline` and `restricted`; which level a pod has to meet is in `policy`.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/> and KEP-2579.

use std::fmt;
use std::str::FromStr;

use portreeve_sdk::view::{Container, Pod, Volume};
use serde::{Deserialize, Deserializer};

use super::words::Fault;
use super::{baseline, restricted};

/// How much a pod may do. Each level allows less than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Everything.
    Privileged,
    /// What is no known way out of a container.
    Baseline,
    /// What current hardening practice allows.
    Restricted,
}

/// Which release's rules.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// The newest rules known here.
    #[default]
    Latest,
    /// `v1.N`.
    Minor(u32),
}

/// A level at a version, such as `restricted:latest`: what a pod has to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields)]
pub(crate) struct Demand {
    /// The level.
    pub(super) level: Level,
    /// Which release's rules.
    #[serde(default)]
    pub(super) version: Version,
}

/// The parts of a template that checks look at.
pub(super) struct Template<'a> {
    pub(super) pod: &'a Pod,
    pub(super) containers: Vec<&'a Container>,
    pub(super) volumes: &'a [Volume],
}

/// One check of the standards.
pub(super) struct Check {
    /// As upstream names it, such as `capabilities_baseline`.
    pub(super) id: &'static str,
    /// The same as a rule of ours, such as `capabilities-baseline`.
    pub(super) rule: &'static str,
    level: Level,
    /// The minor version that it came with.
    pub(super) from: u32,
    /// The check of the level below that it takes the place of.
    overrides: Option<&'static str>,
    /// What is wrong with a template by the rules of this minor version.
    find: fn(&Template<'_>, u32) -> Option<Fault>,
}

impl Demand {
    /// Whether whatever meets this demand meets the other too, as far as that is known without looking.
    pub(super) fn covers(self, other: Self) -> bool {
        other.level == Level::Privileged || (self.level >= other.level && self.version == other.version)
    }

    /// What is wrong with a template, in the built-in controller's order. `template` says which part of it a check
    /// sees.
    pub(super) fn faults<'t>(
        self,
        template: impl Fn(&Check) -> &'t Template<'t>,
    ) -> impl Iterator<Item = (&'static Check, Fault)> {
        let minor = self.version.minor();
        let here = move |check: &&Check| check.level <= self.level && check.from <= minor;
        let overridden = move |id| CHECKS.iter().filter(here).any(|check| check.overrides == Some(id));
        CHECKS
            .iter()
            .filter(here)
            .filter(move |check| !overridden(check.id))
            .filter_map(move |check| (check.find)(template(check), minor).map(|fault| (check, fault)))
    }
}

impl Check {
    /// The check whose faults these are too: itself, or the one of the level below whose place it takes.
    pub(super) fn family(&self) -> &'static str {
        self.overrides.unwrap_or(self.id)
    }
}

impl Version {
    fn minor(self) -> u32 {
        match self {
            Self::Latest => u32::MAX,
            Self::Minor(minor) => minor,
        }
    }
}

/// Every check: those of baseline by id, then those of restricted by id, the order in which they are told.
pub(super) const CHECKS: &[Check] = &[
    baseline("appArmorProfile", "app-armor-profile", 0, baseline::app_armor),
    baseline("capabilities_baseline", "capabilities-baseline", 0, baseline::capabilities),
    baseline("hostNamespaces", "host-namespaces", 0, baseline::host_namespaces),
    baseline("hostPathVolumes", "host-path-volumes", 0, baseline::host_path_volumes),
    baseline("hostPorts", "host-ports", 0, baseline::host_ports),
    baseline("hostProbesAndHostLifecycle", "host-probes-and-host-lifecycle", 34, baseline::host_probes),
    baseline("privileged", "privileged", 0, baseline::privileged),
    baseline("procMount", "proc-mount", 0, baseline::proc_mount),
    baseline("seLinuxOptions", "se-linux-options", 0, baseline::se_linux),
    baseline("seccompProfile_baseline", "seccomp-profile-baseline", 0, baseline::seccomp),
    baseline("sysctls", "sysctls", 0, baseline::sysctls),
    baseline("windowsHostProcess", "windows-host-process", 0, baseline::windows_host_process),
    restricted("allowPrivilegeEscalation", "allow-privilege-escalation", 8, None, restricted::privilege_escalation),
    restricted(
        "capabilities_restricted",
        "capabilities-restricted",
        22,
        Some("capabilities_baseline"),
        restricted::capabilities,
    ),
    restricted("procMount_restricted", "proc-mount-restricted", 35, Some("procMount"), restricted::proc_mount),
    restricted("restrictedVolumes", "restricted-volumes", 0, Some("hostPathVolumes"), restricted::volumes),
    restricted("runAsNonRoot", "run-as-non-root", 0, None, restricted::run_as_non_root),
    restricted("runAsUser", "run-as-user", 23, None, restricted::run_as_user),
    restricted(
        "seccompProfile_restricted",
        "seccomp-profile-restricted",
        19,
        Some("seccompProfile_baseline"),
        restricted::seccomp,
    ),
];

const fn baseline(
    id: &'static str,
    rule: &'static str,
    from: u32,
    find: fn(&Template<'_>, u32) -> Option<Fault>,
) -> Check {
    Check { id, rule, level: Level::Baseline, from, overrides: None, find }
}

const fn restricted(
    id: &'static str,
    rule: &'static str,
    from: u32,
    overrides: Option<&'static str>,
    find: fn(&Template<'_>, u32) -> Option<Fault>,
) -> Check {
    Check { id, rule, level: Level::Restricted, from, overrides, find }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level, self.version)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        })
    }
}

impl FromStr for Level {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let levels = [Self::Privileged, Self::Baseline, Self::Restricted];
        levels.into_iter().find(|level| level.to_string() == name).ok_or(())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Minor(minor) => write!(f, "v1.{minor}"),
        }
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        if name == "latest" {
            return Ok(Self::Latest);
        }
        let minor = name.strip_prefix("v1.").ok_or(())?;
        let canonical = minor == "0" || !minor.starts_with('0');
        let plain = canonical && minor.bytes().all(|byte| byte.is_ascii_digit());
        if plain { minor.parse().map(Self::Minor).map_err(|_| ()) } else { Err(()) }
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        let name = String::deserialize(text)?;
        name.parse().map_err(|()| serde::de::Error::custom(format!("{name:?} is neither \"latest\" nor \"v1.N\"")))
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl serde::Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, text: S) -> Result<S::Ok, S::Error> {
        text.collect_str(self)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for Version {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Version".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": r"^(latest|v1\.(0|[1-9][0-9]*))$"})
    }
}
