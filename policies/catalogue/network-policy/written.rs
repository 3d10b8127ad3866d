//! A NetworkPolicy as it stands in the namespace: whose traffic it is about, and what it lets through. What has to be
//! there is told in `policy`.

use portreeve_sdk::fact::Object;
use portreeve_sdk::view::Pod;
use serde::Deserialize;
use serde_json::Value;

use crate::label_selector::LabelSelector;

/// A way that traffic goes, seen from a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize))]
pub(super) enum Direction {
    /// To the pod.
    Ingress,
    /// From the pod.
    Egress,
}

/// What a NetworkPolicy lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lets {
    /// It has no rules.
    Nothing,
    /// What its rules name.
    Some,
    /// A rule that names nobody and no port, which takes everything.
    Everything,
}

/// A NetworkPolicy.
pub(super) struct Written<'a> {
    object: &'a Object,
    selector: LabelSelector,
}

impl Direction {
    /// As Kubernetes writes it among `policyTypes`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::Egress => "Egress",
        }
    }

    /// The field that holds the rules, and the field of a rule that holds the other side.
    fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::Ingress => ("ingress", "from"),
            Self::Egress => ("egress", "to"),
        }
    }
}

impl<'a> Written<'a> {
    /// The policy of an object; none if its selector is none that an API server takes.
    pub(super) fn read(object: &'a Object) -> Option<Self> {
        let selector = match object.spec.get("podSelector") {
            None | Some(Value::Null) => LabelSelector::default(),
            Some(selector) => LabelSelector::read(selector)?,
        };
        Some(Self { object, selector })
    }

    /// Its name.
    pub(super) fn name(&self) -> &'a str {
        &self.object.name
    }

    /// Whether it is about every pod of the namespace.
    pub(super) fn is_for_all(&self) -> bool {
        self.selector.is_empty()
    }

    /// Whether it is about this pod.
    pub(super) fn is_for(&self, pod: &Pod) -> bool {
        self.selector.takes(|label| pod.label(label))
    }

    /// What it lets through one way; none if it says nothing of that way.
    pub(super) fn lets(&self, direction: Direction) -> Option<Lets> {
        if !self.speaks_of(direction) {
            return None;
        }
        let (field, other_side) = direction.fields();
        let rules = list(&self.object.spec, field);
        Some(if rules.is_empty() {
            Lets::Nothing
        } else if rules.iter().any(|rule| list(rule, other_side).is_empty() && list(rule, "ports").is_empty()) {
            Lets::Everything
        } else {
            Lets::Some
        })
    }

    /// Where `policyTypes` is left out, the API server puts in Ingress, and Egress if there are rules for it.
    fn speaks_of(&self, direction: Direction) -> bool {
        let types = list(&self.object.spec, "policyTypes");
        match direction {
            _ if !types.is_empty() => types.iter().any(|written| written == direction.name()),
            Direction::Ingress => true,
            Direction::Egress => !list(&self.object.spec, "egress").is_empty(),
        }
    }
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lets(spec: Value) -> (Option<Lets>, Option<Lets>) {
        let object = Object { name: "a".into(), spec, ..Object::default() };
        let written = Written::read(&object).unwrap();
        (written.lets(Direction::Ingress), written.lets(Direction::Egress))
    }

    #[test]
    fn without_rules_nothing_is_let_through() {
        let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": null});
        assert_eq!(lets(spec), (Some(Lets::Nothing), Some(Lets::Nothing)));
    }

    #[test]
    fn types_that_are_left_out_are_those_that_the_api_server_puts_in() {
        assert_eq!(lets(json!({"podSelector": {}})), (Some(Lets::Nothing), None));
        let egress = json!([{"ports": [{"port": 53}]}]);
        assert_eq!(lets(json!({"podSelector": {}, "egress": egress})), (Some(Lets::Nothing), Some(Lets::Some)));
    }

    #[test]
    fn rules_of_a_way_that_is_not_among_the_types_do_not_count() {
        assert_eq!(lets(json!({"policyTypes": ["Egress"], "ingress": [{}]})), (None, Some(Lets::Nothing)));
    }

    #[test]
    fn a_rule_that_names_nobody_and_no_port_takes_everything() {
        let from = json!([{"podSelector": {}}]);
        assert_eq!(lets(json!({"ingress": [{"from": from}, {"from": [], "ports": null}]})).0, Some(Lets::Everything));
        assert_eq!(lets(json!({"ingress": [{"from": from}]})).0, Some(Lets::Some));
        assert_eq!(lets(json!({"ingress": [{"ports": [{"port": 443}]}]})).0, Some(Lets::Some));
    }

    #[test]
    fn a_selector_that_is_left_out_takes_every_pod_and_an_unreadable_one_none() {
        assert!(Written::read(&Object::default()).unwrap().is_for_all());
        let spec = json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}});
        assert!(Written::read(&Object { spec, ..Object::default() }).is_none());
    }
}
