//! A HorizontalPodAutoscaler: which workload it scales, and between which numbers. What follows from that is the
//! policies' to say.

use portreeve_sdk::Case;
use portreeve_sdk::fact::{Autoscalers, Missing, Object};
use portreeve_sdk::view::GroupVersionKind;
use serde_json::Value;

/// What scales a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Autoscaler {
    pub(crate) name: String,
    /// The fewest replicas that it leaves.
    pub(crate) least: u64,
    /// The most that it makes.
    pub(crate) most: u64,
}

impl Autoscaler {
    /// The one that scales the workload of the request. One whose name is yet to be made up is named by nobody.
    ///
    /// # Errors
    /// If the fact `autoscalers` is missing.
    pub(crate) fn of(case: &Case<'_>) -> Result<Option<Self>, Missing> {
        let Autoscalers(objects) = case.fact("")?;
        let request = case.request();
        Ok(request.name().and_then(|name| Self::find(&objects, request.kind(), &name)))
    }

    fn find(objects: &[Object], kind: &GroupVersionKind, name: &str) -> Option<Self> {
        objects.iter().find(|object| scales(&object.spec, kind, name)).map(Self::read)
    }

    fn read(object: &Object) -> Self {
        let number = |field| object.spec.get(field).and_then(Value::as_u64);
        // The API server completes a missing minReplicas so, and refuses an object without maxReplicas.
        let least = number("minReplicas").unwrap_or(1);
        Self { name: object.name.clone(), least, most: number("maxReplicas").unwrap_or(least) }
    }
}

fn scales(spec: &Value, kind: &GroupVersionKind, name: &str) -> bool {
    let target = |field: &str| spec.pointer(&["/scaleTargetRef/", field].concat()).and_then(Value::as_str);
    let group = target("apiVersion").map(|version| version.split_once('/').map_or("", |(group, _)| group));
    target("kind") == Some(&kind.kind) && target("name") == Some(name) && group.is_none_or(|group| group == kind.group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(spec: Value) -> Option<(u64, u64)> {
        let object = Object { name: "web".into(), spec, ..Object::default() };
        let kind = GroupVersionKind { group: "apps".into(), version: "v1".into(), kind: "Deployment".into() };
        Autoscaler::find(&[object], &kind, "web").map(|scaler| (scaler.least, scaler.most))
    }

    #[test]
    fn one_that_names_the_workload_scales_it() {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
        assert_eq!(found(json!({"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 8})), Some((2, 8)));
    }

    #[test]
    fn another_version_of_the_group_is_the_same_workload_and_another_group_is_not() {
        let of = |version: &str| {
            let target = json!({"apiVersion": version, "kind": "Deployment", "name": "web"});
            found(json!({"scaleTargetRef": target, "maxReplicas": 3}))
        };
        assert_eq!(of("apps/v1beta1"), Some((1, 3)));
        assert_eq!(of("example.com/v1"), None);
    }

    #[test]
    fn one_of_another_kind_or_name_does_not() {
        assert_eq!(found(json!({"scaleTargetRef": {"kind": "StatefulSet", "name": "web"}, "maxReplicas": 3})), None);
        assert_eq!(found(json!({"scaleTargetRef": {"kind": "Deployment", "name": "api"}, "maxReplicas": 3})), None);
    }
}
