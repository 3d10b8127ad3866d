//! Label selectors as objects carry them, with the meaning that Kubernetes gives them. Which objects are compared with
//! what is for the policies to say; selectors in settings are in `selector`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A `LabelSelector` of an object: all of its requirements have to hold. The empty one takes everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LabelSelector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<Requirement>>,
}

/// A requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Option<Vec<String>>,
}

/// What has to hold of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl LabelSelector {
    /// The selector that this value is; none if it is null or none that an API server takes.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// Whether it asks for nothing and so takes everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.match_labels.as_ref().is_none_or(BTreeMap::is_empty) && self.requirements().is_empty()
    }

    /// Whether it takes what has these labels: `label` answers the value of a label, none if it is not there.
    pub(crate) fn takes<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        let mut labels = self.match_labels.iter().flatten();
        labels.all(|(key, value)| label(key) == Some(value))
            && self.requirements().iter().all(|requirement| requirement.holds(label(&requirement.key)))
    }

    /// Whether it asks anything of the label of this name.
    pub(crate) fn names(&self, key: &str) -> bool {
        self.match_labels.as_ref().is_some_and(|labels| labels.contains_key(key))
            || self.requirements().iter().any(|requirement| requirement.key == key)
    }

    fn requirements(&self) -> &[Requirement] {
        self.match_expressions.as_deref().unwrap_or_default()
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_listed = |value: &str| self.values.iter().flatten().any(|listed| listed == value);
        match self.operator {
            Operator::In => value.is_some_and(is_listed),
            // What is not there has none of the values either.
            Operator::NotIn => !value.is_some_and(is_listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn takes(selector: Value, labels: &[(&str, &str)]) -> bool {
        let label = |key: &str| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        LabelSelector::read(&selector).unwrap().takes(label)
    }

    fn asks(operator: &str) -> Value {
        let mut requirement = json!({"key": "tier", "operator": operator});
        if operator.ends_with("In") {
            requirement["values"] = json!(["web", "api"]);
        }
        json!({"matchExpressions": [requirement]})
    }

    #[test]
    fn the_empty_selector_takes_everything() {
        for empty in [json!({}), json!({"matchLabels": {}, "matchExpressions": null})] {
            assert!(LabelSelector::read(&empty).unwrap().is_empty());
            assert!(takes(empty, &[]));
        }
    }

    #[test]
    fn every_label_has_to_be_there_with_its_value() {
        let selector = json!({"matchLabels": {"app": "shop", "tier": "web"}});
        assert!(takes(selector.clone(), &[("app", "shop"), ("tier", "web"), ("more", "")]));
        assert!(!takes(selector.clone(), &[("app", "shop")]));
        assert!(!takes(selector, &[("app", "shop"), ("tier", "api")]));
    }

    #[test]
    fn in_asks_for_one_of_the_values() {
        assert!(takes(asks("In"), &[("tier", "api")]));
        assert!(!takes(asks("In"), &[("tier", "db")]) && !takes(asks("In"), &[]));
    }

    #[test]
    fn not_in_holds_where_the_label_is_missing() {
        assert!(takes(asks("NotIn"), &[]) && takes(asks("NotIn"), &[("tier", "db")]));
        assert!(!takes(asks("NotIn"), &[("tier", "web")]));
    }

    #[test]
    fn presence_is_asked_whatever_the_value() {
        assert!(takes(asks("Exists"), &[("tier", "")]) && !takes(asks("Exists"), &[]));
        assert!(takes(asks("DoesNotExist"), &[]) && !takes(asks("DoesNotExist"), &[("tier", "")]));
    }

    #[test]
    fn labels_and_expressions_have_to_hold_together() {
        let selector =
            json!({"matchLabels": {"app": "shop"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]});
        assert!(!takes(selector.clone(), &[("app", "shop")]) && !takes(selector.clone(), &[("tier", "web")]));
        assert!(takes(selector, &[("app", "shop"), ("tier", "web")]));
    }

    #[test]
    fn what_no_api_server_takes_is_no_selector() {
        for value in [json!(null), json!("app=shop"), json!({"matchExpressions": [{"key": "a", "operator": "Like"}]})] {
            assert_eq!(LabelSelector::read(&value), None);
        }
    }

    #[test]
    fn the_labels_that_it_asks_for_are_known() {
        let selector = LabelSelector::read(&json!({
            "matchLabels": {"app": "shop"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}],
        }));
        let selector = selector.unwrap();
        assert!(selector.names("app") && selector.names("tier") && !selector.names("team"));
    }
}
