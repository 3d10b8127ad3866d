//! The two APIs that reports are read by: how they call their kinds, and in what little they differ.

use std::fmt;

use kube::api::{ApiResource, GroupVersionKind};
use portreeve_admission::kinds::Scope;
use serde::Serialize;

use super::shape::{Report, SOURCE};

/// Which reports are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standard {
    /// `Report` and `ClusterReport` of `openreports.io/v1alpha1`, <https://github.com/openreports/reports-api>.
    #[default]
    OpenReports,
    /// `PolicyReport` and `ClusterPolicyReport` of `wgpolicyk8s.io/v1alpha2`, what OpenReports came from:
    /// <https://github.com/kubernetes-sigs/wg-policy-prototypes>.
    PolicyReports,
}

impl Standard {
    /// The kind of a report about an object of a scope, with the resource that it is served by.
    #[must_use]
    pub fn resource(self, scope: Scope) -> ApiResource {
        let (group, version) = self.group_version();
        let (kind, plural) = match (self, scope) {
            (Self::OpenReports, Scope::Namespaced) => ("Report", "reports"),
            (Self::OpenReports, Scope::Cluster) => ("ClusterReport", "clusterreports"),
            (Self::PolicyReports, Scope::Namespaced) => ("PolicyReport", "policyreports"),
            (Self::PolicyReports, Scope::Cluster) => ("ClusterPolicyReport", "clusterpolicyreports"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    fn group_version(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenReports => ("openreports.io", "v1alpha1"),
            Self::PolicyReports => ("wgpolicyk8s.io", "v1alpha2"),
        }
    }

    /// The object that is sent. Who found it stands once in an OpenReports report, and in every result of the older
    /// one.
    pub(super) fn object(self, mut report: Report) -> Sent {
        let ApiResource { api_version, kind, .. } = self.resource(report.scope_of_itself());
        let source = Some(SOURCE.to_owned());
        match self {
            Self::OpenReports => report.source = source,
            Self::PolicyReports => report.results.iter_mut().for_each(|result| result.source.clone_from(&source)),
        }
        Sent { api_version, kind, report }
    }
}

/// A report with its kind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    api_version: String,
    kind: String,
    #[serde(flatten)]
    report: Report,
}

impl fmt::Display for Standard {
    /// As `kubectl api-resources` names them: `reports.openreports.io/v1alpha1 and clusterreports…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [namespaced, cluster] = [Scope::Namespaced, Scope::Cluster].map(|scope| self.resource(scope).plural);
        let (group, version) = self.group_version();
        write!(f, "{namespaced} and {cluster} of {group}/{version}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::made::tests::report;
    use super::*;

    #[test]
    fn who_found_it_stands_where_each_api_has_a_field_for_it() {
        let open = json!(Standard::OpenReports.object(report()));
        assert_eq!((&open["apiVersion"], &open["kind"]), (&json!("openreports.io/v1alpha1"), &json!("Report")));
        assert_eq!((&open["source"], &open["results"][0]["source"]), (&json!("portreeve"), &Value::Null));
        let older = json!(Standard::PolicyReports.object(report()));
        assert_eq!((&older["apiVersion"], &older["kind"]), (&json!("wgpolicyk8s.io/v1alpha2"), &json!("PolicyReport")));
        assert_eq!((&older["source"], &older["results"][0]["source"]), (&Value::Null, &json!("portreeve")));
    }
}
