//! What a namespace asks for by its labels: a level and a version for each of three modes, with the built-in
//! controller's defaults, fallbacks and words. What follows from it for a pod is in `policy`, for the Namespace itself
//! in `namespace`.

use std::collections::BTreeMap;
use std::fmt;

use portreeve_sdk::pointer;

use super::standard::{Demand, Level, Version};

/// The labels of one mode.
struct Mode {
    name: &'static str,
    level: &'static str,
    version: &'static str,
    /// What a level that can't be read counts as.
    unreadable: Level,
}

const ENFORCE: Mode = Mode {
    name: "enforce",
    level: "pod-security.kubernetes.io/enforce",
    version: "pod-security.kubernetes.io/enforce-version",
    unreadable: Level::Restricted,
};
const AUDIT: Mode = Mode {
    name: "audit",
    level: "pod-security.kubernetes.io/audit",
    version: "pod-security.kubernetes.io/audit-version",
    unreadable: Level::Privileged,
};
const WARN: Mode = Mode {
    name: "warn",
    level: "pod-security.kubernetes.io/warn",
    version: "pod-security.kubernetes.io/warn-version",
    unreadable: Level::Privileged,
};

/// Labels by name.
pub(super) type Labels = BTreeMap<String, String>;

/// What is asked of the pods of a namespace, mode by mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// What pods are denied by.
    pub(super) enforce: Demand,
    /// What is recorded.
    pub(super) audit: Demand,
    /// What users are warned by.
    pub(super) warn: Demand,
}

/// A label that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabelFault {
    /// Such as `pod-security.kubernetes.io/enforce`.
    label: &'static str,
    value: String,
    kind: LabelKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LabelKind {
    Level,
    Version,
}

impl Asked {
    /// What the labels ask, and those that can't be read. A mode that they are silent about has its default, but for
    /// `warn`, which follows an `enforce` that is written and stricter.
    pub(super) fn by(labels: &Labels, defaults: Self) -> (Self, Vec<LabelFault>) {
        let mut faults = Vec::new();
        let enforce = read(&ENFORCE, labels, defaults.enforce, &mut faults);
        let audit = read(&AUDIT, labels, defaults.audit, &mut faults);
        let mut warn = read(&WARN, labels, defaults.warn, &mut faults);
        let follows = labels.contains_key(ENFORCE.level) && !labels.contains_key(WARN.level);
        if follows && enforce.level > warn.level {
            let version = if labels.contains_key(WARN.version) { warn.version } else { enforce.version };
            warn = Demand { level: enforce.level, version };
        }
        (Self { enforce, audit, warn }, faults)
    }

    /// `enforce=baseline:latest, warn=restricted:v1.30`: what labels ask beyond nothing.
    pub(super) fn in_short(self, labels: &Labels) -> String {
        let modes = [(&ENFORCE, self.enforce), (&AUDIT, self.audit), (&WARN, self.warn)];
        let written =
            modes.into_iter().filter(|(mode, demand)| demand.level != Level::Privileged && mode.is_in(labels));
        written.map(|(mode, demand)| format!("{}={demand}", mode.name)).collect::<Vec<_>>().join(", ")
    }
}

/// Whether the labels say anything of what pods are denied by.
pub(super) fn say_what_is_enforced(labels: &Labels) -> bool {
    ENFORCE.is_in(labels)
}

impl Mode {
    fn is_in(&self, labels: &Labels) -> bool {
        labels.contains_key(self.level) || labels.contains_key(self.version)
    }
}

fn read(mode: &Mode, labels: &Labels, default: Demand, faults: &mut Vec<LabelFault>) -> Demand {
    let mut demand = default;
    if let Some(value) = labels.get(mode.level) {
        demand.level = value.parse().unwrap_or_else(|()| {
            faults.push(LabelFault { label: mode.level, value: value.clone(), kind: LabelKind::Level });
            mode.unreadable
        });
    }
    if let Some(value) = labels.get(mode.version) {
        demand.version = value.parse().unwrap_or_else(|()| {
            faults.push(LabelFault { label: mode.version, value: value.clone(), kind: LabelKind::Version });
            Version::Latest
        });
    }
    demand
}

impl LabelFault {
    /// Where the label stands in the Namespace.
    pub(super) fn pointer(&self) -> String {
        pointer::child("/metadata/labels", self.label)
    }

    /// What to write instead.
    pub(super) fn remedy(&self) -> &'static str {
        match self.kind {
            LabelKind::Level => "write privileged, baseline or restricted",
            LabelKind::Version => "write latest or v1.N",
        }
    }
}

impl fmt::Display for LabelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let must = match self.kind {
            LabelKind::Level => "must be one of privileged, baseline, restricted",
            LabelKind::Version => "must be \"latest\" or \"v1.x\"",
        };
        write!(f, "metadata.labels[{}]: Invalid value: {:?}: {must}", self.label, self.value)
    }
}
