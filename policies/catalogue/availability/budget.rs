//! A PodDisruptionBudget: whose pods it is about, and whether it lets any of them go. Source of the arithmetic:
//! `getExpectedPodCount` of Kubernetes' disruption controller, which rounds both percentages up.

use portreeve_sdk::view::Pod;
use serde_json::Value;

use crate::label_selector::LabelSelector;

/// A budget.
pub(super) struct Budget {
    selector: Option<LabelSelector>,
    keeps: Keeps,
}

/// How many pods a budget keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// All but so many.
    AllBut(Amount),
    /// So many at least.
    AtLeast(Amount),
    /// It does not say.
    Unsaid,
}

/// Pods, or hundredths of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Pods(u64),
    Percent(u64),
}

impl Budget {
    /// The budget that this `spec` is.
    pub(super) fn read(spec: &Value) -> Self {
        let amount = |field| spec.get(field).and_then(Amount::read);
        let keeps = match (amount("maxUnavailable"), amount("minAvailable")) {
            (Some(most), _) => Keeps::AllBut(most),
            (None, Some(least)) => Keeps::AtLeast(least),
            (None, None) => Keeps::Unsaid,
        };
        // One without a selector is about no pod, one with an empty selector about all.
        Self { selector: spec.get("selector").and_then(LabelSelector::read), keeps }
    }

    /// Whether it is about this pod.
    pub(super) fn is_for(&self, pod: &Pod) -> bool {
        self.selector.as_ref().is_some_and(|selector| selector.takes(|label| pod.label(label)))
    }

    /// Whether no pod may ever go, of so many, or of however many if that is not known.
    pub(super) fn blocks(&self, replicas: Option<u64>) -> bool {
        match (self.keeps, replicas) {
            (Keeps::AllBut(Amount::Pods(most) | Amount::Percent(most)), _) => most == 0,
            (Keeps::AtLeast(Amount::Percent(least)), None) => least >= 100,
            (Keeps::AtLeast(least), Some(replicas)) => least.of(replicas) >= replicas,
            (Keeps::AtLeast(Amount::Pods(_)), None) | (Keeps::Unsaid, _) => false,
        }
    }

    /// The field that says how many pods it keeps.
    pub(super) fn field(&self) -> &'static str {
        match self.keeps {
            Keeps::AllBut(_) => "/spec/maxUnavailable",
            Keeps::AtLeast(_) | Keeps::Unsaid => "/spec/minAvailable",
        }
    }
}

impl Amount {
    /// A number, or a text such as `50%`.
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => text.strip_suffix('%')?.parse().ok().map(Self::Percent),
            number => number.as_u64().map(Self::Pods),
        }
    }

    fn of(self, replicas: u64) -> u64 {
        match self {
            Self::Pods(pods) => pods,
            Self::Percent(percent) => percent.saturating_mul(replicas).div_ceil(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn blocks(spec: Value, replicas: Option<u64>) -> bool {
        Budget::read(&spec).blocks(replicas)
    }

    #[test]
    fn one_that_keeps_all_but_none_blocks() {
        for none in [json!(0), json!("0%")] {
            assert!(blocks(json!({"maxUnavailable": none}), Some(3)) && blocks(json!({"maxUnavailable": none}), None));
        }
        for some in [json!(1), json!("1%")] {
            assert!(!blocks(json!({"maxUnavailable": some}), Some(1)));
        }
    }

    #[test]
    fn one_that_keeps_as_many_as_there_are_blocks() {
        assert!(blocks(json!({"minAvailable": 3}), Some(3)) && blocks(json!({"minAvailable": 4}), Some(3)));
        assert!(!blocks(json!({"minAvailable": 2}), Some(3)));
    }

    #[test]
    fn percentages_are_rounded_up() {
        assert!(blocks(json!({"minAvailable": "90%"}), Some(3)));
        assert!(!blocks(json!({"minAvailable": "90%"}), Some(10)));
        assert!(blocks(json!({"minAvailable": "50%"}), Some(1)));
    }

    #[test]
    fn of_an_unknown_number_only_all_of_them_is_known_to_block() {
        assert!(blocks(json!({"minAvailable": "100%"}), None));
        assert!(!blocks(json!({"minAvailable": 1}), None) && !blocks(json!({"minAvailable": "99%"}), None));
    }

    #[test]
    fn one_that_says_nothing_of_the_kind_is_not_judged() {
        for spec in [json!({}), json!(null), json!({"minAvailable": "some"}), json!({"maxUnavailable": null})] {
            assert!(!blocks(spec, Some(1)));
        }
    }
}
