//! A report as both APIs have it, as far as we write it: names and values of the fields are those of their Go types
//! (`report_types.go` of OpenReports v1alpha1, `policyreport_types.go` of wgpolicyk8s.io v1alpha2). What is in a report
//! is told in `made`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use kube::api::DynamicObject;
use portreeve_admission::kinds::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who found what is in the report.
pub(super) const SOURCE: &str = "portreeve";

/// A report about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Which report it is.
    #[schemars(with = "BTreeMap<String, Value>")]
    pub metadata: ReportMeta,
    /// Who found what is in it, where the API has a field for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Reference>,
    /// How many results there are of each kind, those that were left out among them.
    #[serde(default)]
    pub summary: Summary,
    /// What was found, the worst first.
    #[serde(default)]
    pub results: Vec<Tested>,
}

/// Metadata of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportMeta {
    /// `portreeve-` and the uid of the object that it is about.
    pub name: String,
    /// The object's namespace, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// By which it is known as ours.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How many results were left out, if any were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The object, so that the report goes with it.
    #[serde(default)]
    pub owner_references: Vec<OwnerReference>,
    /// As the API server gave it; not sent.
    #[serde(default, skip_serializing)]
    pub uid: String,
}

/// The owner of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Which object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Its namespace, if its kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// How many results there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Policies that have nothing to say.
    #[serde(default)]
    pub pass: u32,
    /// Violations that deny.
    #[serde(default)]
    pub fail: u32,
    /// Violations that do not.
    #[serde(default)]
    pub warn: u32,
    /// Policies that came to no verdict.
    #[serde(default)]
    pub error: u32,
    /// Violations that an exception covers.
    #[serde(default)]
    pub skip: u32,
}

/// One result: what a policy found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tested {
    /// Who found it, where the API has no field for that in the report itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Name of the ClusterPolicy.
    pub policy: String,
    /// Its rule; none where the policy came to no verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How it ended.
    pub result: ResultStatus,
    /// How much it weighs, by the mode of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<ResultSeverity>,
    /// Whether it would be denied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scored: bool,
    /// What is wrong and what to change, or why there is no verdict.
    pub message: String,
    /// `mode`, and where they apply `container`, `template`, `pointer` and `exception`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// When it was found first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<When>,
}

/// How a result ended. The order is that of the results in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResultStatus {
    /// A violation that denies.
    Fail,
    /// No verdict.
    Error,
    /// A violation that does not deny.
    Warn,
    /// A violation that an exception covers.
    Skip,
    /// Nothing to say.
    Pass,
}

/// How much a result weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResultSeverity {
    /// Of policies that deny.
    High,
    /// Of policies that warn.
    Medium,
    /// Of policies that only record.
    Low,
}

/// A time as both APIs have it: `metav1.Timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct When {
    /// Since 1970, UTC.
    pub seconds: i64,
    /// On top of them.
    pub nanos: i32,
}

impl From<Timestamp> for When {
    /// To the second: nobody needs to know it better.
    fn from(time: Timestamp) -> Self {
        Self { seconds: time.as_second(), nanos: 0 }
    }
}

impl fmt::Display for Reference {
    /// As our own resources are named: `Deployment/shop/web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

impl Report {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Its namespace, if it has one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.metadata.namespace.as_deref()
    }

    /// Whether the report itself lives in a namespace: where its object does.
    #[must_use]
    pub fn scope_of_itself(&self) -> Scope {
        if self.metadata.namespace.is_some() { Scope::Namespaced } else { Scope::Cluster }
    }

    /// What it is about, for people.
    pub(super) fn about(&self) -> String {
        self.scope.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// Puts times to the results: `now`, or that of the same result before.
    pub(super) fn set_times(&mut self, before: Option<&Self>, now: Timestamp) {
        let mut before: Vec<Tested> = before.map(|report| report.results.clone()).unwrap_or_default();
        for result in &mut self.results {
            let same = before.iter().position(|other| other.says_the_same(result));
            let time = same.map(|at| before.swap_remove(at)).and_then(|other| other.timestamp);
            result.timestamp = Some(time.unwrap_or_else(|| now.into()));
        }
    }
}

impl Tested {
    fn says_the_same(&self, other: &Self) -> bool {
        let without = |result: &Self| Self { timestamp: None, source: None, ..result.clone() };
        without(self) == without(other)
    }
}

/// A report as it stands; none if it is written in some way of somebody else's.
pub(super) fn read(object: DynamicObject) -> Option<Report> {
    serde_json::from_value(serde_json::to_value(object).ok()?).ok()
}
