//! What a scan reads of an object before anybody judges it: which it is, and whether it is judged here or at its owner.

use std::collections::BTreeSet;

use portreeve_admission::case::GroupVersionKind;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::kinds::ScannedKind;
use crate::reports::Reference;

/// An object as far as its metadata.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    uid: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
    #[serde(default)]
    owner_references: Vec<Owner>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    api_version: String,
    kind: String,
    #[serde(default)]
    controller: bool,
}

/// Where an object is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JudgedAt<'a> {
    /// Here.
    Here,
    /// Here by these policies, at its owner by the others.
    HereBy(BTreeSet<&'a str>),
    /// At its owner, whose template it was made from.
    Owner,
    /// Nowhere: it is on its way out.
    Nowhere,
}

impl Head {
    pub(super) fn of(object: &RawValue) -> Result<Self, serde_json::Error> {
        serde_json::from_str(object.get())
    }

    /// Where an object of this kind is judged, in a round through these kinds: by policies that see its controller's
    /// template too at the controller, by all others here. What a Pod controls is judged here.
    pub(super) fn judged_at<'a>(&self, kind: &'a ScannedKind, kinds: &[ScannedKind]) -> JudgedAt<'a> {
        if self.metadata.deletion_timestamp.is_some() {
            return JudgedAt::Nowhere;
        }
        let controller = self.metadata.owner_references.iter().find(|owner| owner.controller);
        let made_by = |known: &&ScannedKind| controller.is_some_and(|owner| owner.is_a(&known.kind));
        match kinds.iter().filter(|known| !known.is_pod()).find(made_by) {
            Some(owner) if kind.seekers.leave_to(&owner.seekers) => {
                let here = kind.seekers.not_at(&owner.seekers);
                if here.is_empty() { JudgedAt::Owner } else { JudgedAt::HereBy(here) }
            }
            _ => JudgedAt::Here,
        }
    }

    /// Which object it is.
    pub(super) fn reference(self, kind: &ScannedKind) -> Reference {
        let Metadata { name, namespace, uid, .. } = self.metadata;
        Reference { api_version: kind.api_version(), kind: kind.kind.kind.clone(), namespace, name, uid }
    }
}

impl Owner {
    /// Whether it is of this kind, in whatever version.
    fn is_a(&self, kind: &GroupVersionKind) -> bool {
        let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
        group == kind.group && self.kind == kind.kind
    }
}

/// The whole object, with the kind that lists leave out.
pub(super) fn whole(object: &RawValue, kind: &ScannedKind) -> Result<Value, serde_json::Error> {
    let mut object: Value = serde_json::from_str(object.get())?;
    if let Value::Object(fields) = &mut object {
        fields.entry("apiVersion").or_insert_with(|| kind.api_version().into());
        fields.entry("kind").or_insert_with(|| kind.kind.kind.clone().into());
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::round::tests::kind;
    use super::*;

    /// Where an object of the kind is judged that these name, and one of templates looks at, as it does at ReplicaSets.
    fn judged_at<'a>(object: &Value, pods: &'a ScannedKind) -> JudgedAt<'a> {
        let kinds = [kind("apps", "ReplicaSet", &["p"], &["both"]), pods.clone()];
        let head: Head = serde_json::from_value(object.clone()).unwrap();
        head.judged_at(pods, &kinds)
    }

    fn pod(owner: Value) -> Value {
        json!({"metadata": {"name": "a", "uid": "1", "ownerReferences": [owner]}})
    }

    fn owned() -> Value {
        pod(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true}))
    }

    #[test]
    fn what_a_controller_made_of_its_template_is_judged_there() {
        assert_eq!(judged_at(&owned(), &kind("", "Pod", &["p"], &[])), JudgedAt::Owner);
    }

    #[test]
    fn what_a_policy_of_its_template_names_too_is_judged_at_the_controller() {
        assert_eq!(judged_at(&owned(), &kind("", "Pod", &["p"], &["p"])), JudgedAt::Owner);
    }

    #[test]
    fn what_a_policy_only_named_is_judged_itself_by_that_policy_alone() {
        let pods = kind("", "Pod", &["p"], &["of-pods"]);
        assert_eq!(judged_at(&owned(), &pods), JudgedAt::HereBy(["of-pods"].into()));
        assert_eq!(judged_at(&owned(), &kind("", "Pod", &[], &["of-pods"])), JudgedAt::Here);
    }

    #[test]
    fn what_a_pod_controls_is_judged_itself() {
        let executor = pod(json!({"apiVersion": "v1", "kind": "Pod", "controller": true}));
        assert_eq!(judged_at(&executor, &kind("", "Pod", &["p"], &[])), JudgedAt::Here);
    }

    #[test]
    fn an_object_without_an_owner_that_is_judged_is_judged_here() {
        let by_stranger = pod(json!({"apiVersion": "example.com/v1", "kind": "ReplicaSet", "controller": true}));
        let not_controlled = pod(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet"}));
        for object in [by_stranger, not_controlled, json!({"metadata": {"name": "a", "uid": "1"}})] {
            assert_eq!(judged_at(&object, &kind("", "Pod", &["p"], &[])), JudgedAt::Here, "{object}");
        }
    }

    #[test]
    fn what_is_on_its_way_out_is_not_judged() {
        let leaving = json!({"metadata": {"name": "a", "uid": "1", "deletionTimestamp": "2030-01-01T00:00:00Z"}});
        assert_eq!(judged_at(&leaving, &kind("", "Pod", &[], &["p"])), JudgedAt::Nowhere);
    }

    #[test]
    fn a_whole_object_has_its_kind_though_lists_leave_it_out() {
        let listed: Box<RawValue> = serde_json::from_str(r#"{"metadata": {}}"#).unwrap();
        let whole = whole(&listed, &kind("apps", "Deployment", &["p"], &[])).unwrap();
        assert_eq!((&whole["apiVersion"], &whole["kind"]), (&json!("apps/v1"), &json!("Deployment")));
    }
}
