//! Label selectors, with the meaning that Kubernetes gives them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{is_label_key, is_label_value};

/// A selector over labels: all of its requirements have to hold. The empty selector matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Labels that have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements on single labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Expression>,
}

/// A requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// What has to hold.
    pub operator: Operator,
    /// For In and NotIn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What has to hold of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// It is there with one of the values.
    In,
    /// It is not there, or with another value.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// A selector that the API server would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// In and NotIn need values.
    #[error("the requirement on {0:?} needs values")]
    NoValues(String),
    /// Exists and DoesNotExist take none.
    #[error("the requirement on {0:?} takes no values")]
    Values(String),
    /// A key that no label has.
    #[error(
        "{0:?} is no key of a label: begin and end with a letter or a digit, write nothing else between but - _ . and 63 of them \
         at most; a domain in lower case and a / may stand before it"
    )]
    Key(String),
    /// A value that no label has.
    #[error(
        "{value:?} is no value of the label {key:?}: begin and end with a letter or a digit, and write nothing else between but \
         - _ . and 63 of them at most"
    )]
    Value {
        /// The label's key.
        key: String,
        /// The value.
        value: String,
    },
}

impl LabelSelector {
    /// Whether every requirement holds.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.holds(labels.get(&expression.key)))
    }

    /// Labels that it selects, no more than it asks for; none if these can't be found by taking the first that would
    /// do.
    #[must_use]
    pub fn satisfied(&self) -> Option<BTreeMap<String, String>> {
        let mut labels = self.match_labels.clone();
        for Expression { key, operator, values } in &self.match_expressions {
            let value = match operator {
                Operator::In => values.first().cloned(),
                Operator::Exists => Some("any".to_owned()),
                Operator::NotIn | Operator::DoesNotExist => None,
            };
            if let Some(value) = value {
                labels.entry(key.clone()).or_insert(value);
            }
        }
        self.matches(&labels).then_some(labels)
    }

    /// Checks what the types can't say.
    ///
    /// # Errors
    /// Names the first requirement that can't be.
    pub fn check(&self) -> Result<(), SelectorError> {
        self.match_labels.iter().try_for_each(|(key, value)| check_label(key, [value]))?;
        self.match_expressions.iter().try_for_each(|expression| {
            let takes = matches!(expression.operator, Operator::In | Operator::NotIn);
            match (takes, expression.values.is_empty()) {
                (true, true) => Err(SelectorError::NoValues(expression.key.clone())),
                (false, false) => Err(SelectorError::Values(expression.key.clone())),
                _ => check_label(&expression.key, &expression.values),
            }
        })
    }
}

/// Whether an API server takes a label with each of these values.
pub(super) fn check_label<'a>(key: &str, values: impl IntoIterator<Item = &'a String>) -> Result<(), SelectorError> {
    if !is_label_key(key) {
        return Err(SelectorError::Key(key.to_owned()));
    }
    match values.into_iter().find(|value| !is_label_value(value)) {
        Some(value) => Err(SelectorError::Value { key: key.to_owned(), value: value.clone() }),
        None => Ok(()),
    }
}

impl Expression {
    fn holds(&self, value: Option<&String>) -> bool {
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: serde_json::Value, labels: &[(&str, &str)]) -> bool {
        let selector: LabelSelector = serde_json::from_value(selector).unwrap();
        selector.matches(&labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    #[test]
    fn the_empty_selector_matches_everything() {
        assert!(matches(serde_json::json!({}), &[]));
    }

    #[test]
    fn every_label_has_to_match() {
        let selector = serde_json::json!({"matchLabels": {"a": "1", "b": "2"}});
        assert!(matches(selector.clone(), &[("a", "1"), ("b", "2"), ("c", "3")]));
        assert!(!matches(selector, &[("a", "1")]));
    }

    #[test]
    fn a_missing_label_is_not_in() {
        let selector =
            |operator| serde_json::json!({"matchExpressions": [{"key": "a", "operator": operator, "values": ["1"]}]});
        assert!(matches(selector("NotIn"), &[]));
        assert!(!matches(selector("In"), &[]));
        assert!(matches(selector("In"), &[("a", "1")]));
        assert!(!matches(selector("NotIn"), &[("a", "1")]));
    }

    #[test]
    fn presence_is_asked_without_values() {
        let selector = |operator| serde_json::json!({"matchExpressions": [{"key": "a", "operator": operator}]});
        assert!(matches(selector("Exists"), &[("a", "")]));
        assert!(matches(selector("DoesNotExist"), &[]));
    }

    #[test]
    fn labels_that_it_selects_are_made_of_what_it_asks_for() {
        let satisfied = |selector: serde_json::Value| {
            serde_json::from_value::<LabelSelector>(selector)
                .unwrap()
                .satisfied()
                .map(|labels| serde_json::json!(labels))
        };
        let one =
            |operator: &str, values: &[&str]| serde_json::json!({"key": "a", "operator": operator, "values": values});
        let of = |expressions: &[serde_json::Value]| serde_json::json!({"matchExpressions": expressions});
        assert_eq!(satisfied(serde_json::json!({"matchLabels": {"a": "1"}})), Some(serde_json::json!({"a": "1"})));
        assert_eq!(satisfied(of(&[one("In", &["1", "2"])])), Some(serde_json::json!({"a": "1"})));
        assert_eq!(satisfied(of(&[one("Exists", &[])])), Some(serde_json::json!({"a": "any"})));
        assert_eq!(satisfied(of(&[one("NotIn", &["1"])])), Some(serde_json::json!({})));
        assert_eq!(satisfied(of(&[one("Exists", &[]), one("DoesNotExist", &[])])), None);
    }

    #[test]
    fn a_requirement_that_can_not_be_is_named() {
        let selector: LabelSelector =
            serde_json::from_value(serde_json::json!({"matchExpressions": [{"key": "a", "operator": "In"}]})).unwrap();
        assert_eq!(selector.check(), Err(SelectorError::NoValues("a".into())));
    }

    #[test]
    fn what_no_label_is_called_or_says_is_named() {
        let error = |selector| serde_json::from_value::<LabelSelector>(selector).unwrap().check().unwrap_err();
        let value = SelectorError::Value { key: "a".into(), value: "b c".into() };
        assert_eq!(error(serde_json::json!({"matchLabels": {"a b": "c"}})), SelectorError::Key("a b".into()));
        assert_eq!(error(serde_json::json!({"matchLabels": {"a": "b c"}})), value);
        let of = |key: &str, values: &[&str]| {
            let operator = if values.is_empty() { "Exists" } else { "NotIn" };
            serde_json::json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})
        };
        assert_eq!(error(of("a", &["", "b c"])), value);
        assert_eq!(error(of("a/b/c", &[])), SelectorError::Key("a/b/c".into()));
    }
}
