//! `match` of a ClusterPolicy: which of the requests that its module wants to see are put before it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LabelSelector;
use crate::case::{Operation, Request};
use crate::policy::{is_wanted, one_of};

/// What a policy applies to. A request has to meet all that is said here; what the module does not judge stays
/// unjudged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Match {
    /// By resource. Left out: all that it can judge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resources>,
    /// By what is done, of `CREATE`, `UPDATE` and `CONNECT`. Left out: all that it can judge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
    /// By labels of the namespace. Cluster-scoped objects match every selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// By labels of the object, new or old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<LabelSelector>,
    /// By anything that the request says: all of these have to be true. The names are those of a webhook's
    /// `matchConditions`: `object`, `oldObject`, `request`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_conditions: Vec<MatchCondition>,
}

/// Resources of some groups and versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// API groups; the core group is `""`. Left out: all.
    #[serde(default = "any", skip_serializing_if = "is_any")]
    pub api_groups: Vec<String>,
    /// API versions. Left out: all.
    #[serde(default = "any", skip_serializing_if = "is_any")]
    pub api_versions: Vec<String>,
    /// Their plural names, as the API server's rules have them: `pods` is pods without their subresources,
    /// `pods/ephemeralcontainers` one of these, `pods/*` all of these, `*` every resource without, `*/*` everything.
    pub resources: Vec<String>,
}

/// A condition on a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchCondition {
    /// By which it is named where it can't be told, unique in its policy.
    pub name: String,
    /// What has to be true, in CEL.
    pub expression: String,
}

fn any() -> Vec<String> {
    vec!["*".to_owned()]
}

fn is_any(names: &Vec<String>) -> bool {
    *names == any()
}

impl Match {
    /// Whether a request is of these resources and operations.
    #[must_use]
    pub fn names(&self, request: &Request) -> bool {
        (self.resources.is_empty() || self.resources.iter().any(|resources| resources.names(request)))
            && (self.operations.is_empty() || self.operations.contains(&request.operation))
    }
}

impl Resources {
    fn names(&self, request: &Request) -> bool {
        one_of(&self.api_groups, &request.resource.group)
            && one_of(&self.api_versions, &request.resource.version)
            && self.resources.iter().any(|wanted| is_wanted(wanted, request))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::case::{GroupVersionKind, GroupVersionResource};

    fn request(group: &str, resource: &str, subresource: Option<&str>, operation: Operation) -> Request {
        let resource = GroupVersionResource { group: group.into(), version: "v1".into(), resource: resource.into() };
        Request {
            operation,
            kind: GroupVersionKind::default(),
            resource,
            subresource: subresource.map(str::to_owned),
            namespace: None,
            name: None,
            user_name: String::new(),
        }
    }

    fn names(matching: Value, request: &Request) -> bool {
        serde_json::from_value::<Match>(matching).unwrap().names(request)
    }

    #[test]
    fn what_is_left_out_names_everything() {
        assert!(names(json!({}), &request("apps", "deployments", None, Operation::Update)));
    }

    #[test]
    fn resources_mean_what_they_mean_to_the_api_server() {
        let deployment = request("apps", "deployments", None, Operation::Create);
        let debugged = request("", "pods", Some("ephemeralcontainers"), Operation::Update);
        for (resources, of_deployment, of_debugged) in [
            (json!({"resources": ["deployments"]}), true, false),
            (json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["*"]}), true, false),
            (json!({"apiGroups": [""], "resources": ["*"]}), false, false),
            (json!({"apiVersions": ["v1beta1"], "resources": ["*/*"]}), false, false),
            (json!({"resources": ["pods"]}), false, false),
            (json!({"resources": ["pods", "pods/*"]}), false, true),
            (json!({"resources": ["*/*"]}), true, true),
        ] {
            let matching = json!({"resources": [resources]});
            let told = (names(matching.clone(), &deployment), names(matching.clone(), &debugged));
            assert_eq!(told, (of_deployment, of_debugged), "{matching}");
        }
    }

    #[test]
    fn operations_are_named_one_by_one() {
        let matching = json!({"operations": ["CREATE"]});
        assert!(names(matching.clone(), &request("", "pods", None, Operation::Create)));
        assert!(!names(matching, &request("", "pods", None, Operation::Update)));
    }
}
