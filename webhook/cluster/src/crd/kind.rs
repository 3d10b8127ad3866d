//! Our kinds as the API server is to know them: their names, their scope, what `kubectl get` shows of them and the Rust
//! types that say their shape.

use portreeve_admission::api::{ClusterPolicySpec, PolicyExceptionSpec, PolicySetSpec, PolicySpec};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::rules::{self, Bound, Rule};
use super::structural::structural;
use crate::status::{ExceptionStatus, PolicyStatus, SetStatus};

/// One of our kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A policy in force.
    ClusterPolicy,
    /// Which policies are in force together.
    PolicySet,
    /// A loosening with an owner and an end.
    PolicyException,
    /// What a namespace asks of itself.
    Policy,
}

/// What `kubectl get` shows of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// `string`, or `date` for the time since.
    pub(super) form: &'static str,
    pub(super) path: &'static str,
    pub(super) shown: Shown,
}

/// When a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Always,
    /// With `-o wide`.
    Wide,
}

const fn column(title: &'static str, path: &'static str) -> Column {
    Column { title, form: "string", path, shown: Shown::Always }
}

impl Column {
    const fn wide(self) -> Self {
        Self { shown: Shown::Wide, ..self }
    }

    const fn since(self) -> Self {
        Self { form: "date", ..self }
    }
}

const MODE: Column = column("Mode", ".spec.mode");
const READY: Column = column("Ready", ".status.conditions[?(@.type==\"Ready\")].status");
const REASON: Column = column("Reason", ".status.conditions[?(@.type==\"Ready\")].reason").wide();
const AGE: Column = column("Age", ".metadata.creationTimestamp").since();
const DIGEST: Column = column("Digest", ".status.moduleDigest").wide();

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ClusterPolicy, Self::PolicySet, Self::PolicyException, Self::Policy];

    /// As objects name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClusterPolicy => "ClusterPolicy",
            Self::PolicySet => "PolicySet",
            Self::PolicyException => "PolicyException",
            Self::Policy => "Policy",
        }
    }

    /// As requests name it.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::ClusterPolicy => "clusterpolicies",
            Self::PolicySet => "policysets",
            Self::PolicyException => "policyexceptions",
            Self::Policy => "policies",
        }
    }

    /// Whether its objects live in a namespace.
    #[must_use]
    pub fn is_namespaced(self) -> bool {
        matches!(self, Self::PolicyException | Self::Policy)
    }

    /// What people who type it often type instead. `cpol`, `pol` and `polex` are taken by others.
    pub(super) fn short_name(self) -> &'static str {
        match self {
            Self::ClusterPolicy => "prcp",
            Self::PolicySet => "prset",
            Self::PolicyException => "prex",
            Self::Policy => "prpol",
        }
    }

    /// What an object of it is, in one sentence.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::ClusterPolicy => "A policy module in force, with its settings, for some of the cluster.",
            Self::PolicySet => "Which ClusterPolicies are in force together, and what holds for all of them.",
            Self::PolicyException => {
                "A loosening of one ClusterPolicy in one namespace, with an owner, a reason and an end."
            }
            Self::Policy => {
                "What a namespace asks of itself: its violations are added to those of the ClusterPolicies. It never \
                 edits and is told no facts."
            }
        }
    }

    pub(super) fn columns(self) -> Vec<Column> {
        let own = match self {
            Self::ClusterPolicy => vec![column("Module", ".spec.module['builtin','oci','file']"), MODE],
            Self::Policy => vec![column("Module", ".spec.module.builtin"), MODE],
            Self::PolicySet => {
                vec![column("Profile", ".spec.profile"), column("Failure-Policy", ".spec.failurePolicy")]
            }
            Self::PolicyException => vec![
                column("Policy", ".spec.policy"),
                column("Owner", ".spec.owner"),
                column("Expires", ".spec.expires"),
                column("Ticket", ".spec.ticket").wide(),
            ],
        };
        let digest = matches!(self, Self::ClusterPolicy | Self::Policy).then_some(DIGEST);
        own.into_iter().chain([READY, REASON]).chain(digest).chain([AGE]).collect()
    }

    /// The structural schema of `spec`, with its rules.
    pub(super) fn spec(self) -> Value {
        let mut schema = match self {
            Self::ClusterPolicy => schema_of::<ClusterPolicySpec>(),
            Self::PolicySet => schema_of::<PolicySetSpec>(),
            Self::PolicyException => schema_of::<PolicyExceptionSpec>(),
            Self::Policy => schema_of::<PolicySpec>(),
        };
        rules::put(&mut schema, self.rules());
        schema
    }

    /// The structural schema of `status`.
    pub(super) fn status(self) -> Value {
        match self {
            Self::ClusterPolicy | Self::Policy => schema_of::<PolicyStatus>(),
            Self::PolicySet => schema_of::<SetStatus>(),
            Self::PolicyException => schema_of::<ExceptionStatus>(),
        }
    }

    pub(super) fn rules(self) -> (&'static [Rule], &'static [Bound]) {
        match self {
            Self::ClusterPolicy => rules::CLUSTER_POLICY,
            Self::PolicySet => rules::POLICY_SET,
            Self::PolicyException => rules::POLICY_EXCEPTION,
            Self::Policy => rules::POLICY,
        }
    }
}

/// The structural schema of a type, as a definition has it.
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft07();
    settings.inline_subschemas = true;
    structural(settings.into_generator().into_root_schema_for::<T>().to_value())
}

#[cfg(test)]
mod tests {
    use portreeve_admission::api::API_VERSION;
    use portreeve_admission::case::GroupVersionKind;
    use portreeve_admission::kinds::{Scope, resource, scope};

    use super::*;

    #[test]
    fn names_and_scopes_are_those_that_files_are_read_with() {
        let (group, version) = API_VERSION.split_once('/').unwrap();
        for kind in Kind::ALL {
            let named = GroupVersionKind { group: group.into(), version: version.into(), kind: kind.name().into() };
            assert_eq!(resource(&named).resource, kind.plural());
            assert_eq!(scope(group, kind.name()) == Scope::Namespaced, kind.is_namespaced());
        }
    }

    #[test]
    fn every_rule_and_bound_has_its_place() {
        for kind in Kind::ALL {
            let (rules, bounds) = kind.rules();
            let places = rules.iter().map(|rule| rule.at).chain(bounds.iter().map(|bound| bound.at));
            for at in places {
                assert!(rules::find(&mut kind.spec(), at).is_some(), "{kind:?} {at:?}");
            }
        }
        for at in rules::SETS {
            assert!(Kind::ALL.iter().any(|kind| rules::find(&mut kind.spec(), at).is_some()), "{at:?}");
        }
    }
}
