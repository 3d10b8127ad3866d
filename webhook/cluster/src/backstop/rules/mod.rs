//! What of each policy that ships can be said in CEL. A module for each policy reads its settings and gives its rules;
//! here is which there are, and what they have in common.

mod drop_capabilities;
mod host_access;
mod host_path;
mod image_digest;
mod image_registries;
mod non_root;
mod pod_security;
mod privilege_escalation;
mod read_only_rootfs;
mod seccomp;

use k8s_openapi::api::admissionregistration::v1::Variable;
use portreeve_admission::api::Mode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::left_out::Why;
use super::rule::Rule;

/// A policy in CEL.
pub(super) struct Drafted {
    /// Its rules; at least one.
    pub(super) rules: Vec<Rule>,
    /// What they share.
    pub(super) variables: Vec<Variable>,
    /// Requests that it does not look at, by a name and a condition.
    pub(super) spared: Vec<(&'static str, String)>,
    /// What it looks at.
    pub(super) judged: Judged,
    /// The most that is made of its faults, whatever its mode is.
    pub(super) at_most: Mode,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// Pods alone.
    Pods,
    /// Pods, and the templates that they are made of.
    PodsAndTemplates,
}

/// Whether somebody asked for a policy that is not exported otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnRequest {
    Asked,
    NotAsked,
}

/// Policies that ship and are exported where somebody asks for them.
pub const ON_REQUEST: [&str; 1] = ["image-digest"];

impl Drafted {
    /// These rules of pods and templates.
    fn of(rules: Vec<Rule>) -> Self {
        Self {
            rules,
            variables: Vec::new(),
            spared: Vec::new(),
            judged: Judged::PodsAndTemplates,
            at_most: Mode::Enforce,
        }
    }
}

/// A policy that ships, with its settings, in CEL.
pub(super) fn draft(builtin: &str, settings: &Value, asked: OnRequest) -> Result<Drafted, Why> {
    match builtin {
        "drop-capabilities" => drop_capabilities::draft(&read(settings)?),
        "host-access" => host_access::draft(read(settings)?),
        "image-digest" if asked == OnRequest::NotAsked => Err(Why::OnlyIfAsked(builtin.to_owned())),
        "image-digest" => image_digest::draft(&read(settings)?),
        "image-registries" => image_registries::draft(&read(settings)?),
        "non-root" => non_root::draft(&read(settings)?),
        "pod-security" => pod_security::draft(&read(settings)?),
        "privilege-escalation" => privilege_escalation::draft(&read(settings)?),
        "read-only-rootfs" => read_only_rootfs::draft(&read(settings)?),
        "seccomp" => seccomp::draft(read(settings)?),
        other => Err(Why::NoWords(other.to_owned())),
    }
}

/// Settings in the shape that is known here. The policy itself has taken them; one that is new to this module can't be
/// said.
fn read<Settings: DeserializeOwned>(settings: &Value) -> Result<Settings, Why> {
    serde_path_to_error::deserialize(settings)
        .map_err(|error| Why::setting(error.path().to_string(), error.inner().to_string()))
}
