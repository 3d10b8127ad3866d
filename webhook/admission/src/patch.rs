//! The one patch that leads from the object as it came to the object as it settled.

pub use json_patch::Patch;
use serde_json::Value;

/// An RFC 6902 patch from `before` to `after`; none if they are equal.
#[must_use]
pub fn between(before: &Value, after: &Value) -> Option<Patch> {
    let patch = json_patch::diff(before, after);
    (!patch.0.is_empty()).then_some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn no_change_is_no_patch() {
        assert_eq!(between(&json!({"a": [1, null]}), &json!({"a": [1, null]})), None);
    }

    #[test]
    fn made_parents_are_one_operation() {
        let patch = between(&json!({"spec": {}}), &json!({"spec": {"a": {"b": {"c": 1}}}})).unwrap();
        assert_eq!(patch.0.len(), 1);
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a~/]{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ab~/]{0,2}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_patch_leads_from_one_to_the_other(before in json_value(), after in json_value()) {
            let mut patched = before.clone();
            if let Some(patch) = between(&before, &after) {
                json_patch::patch(&mut patched, &patch).unwrap();
            }
            prop_assert_eq!(patched, after);
        }
    }
}
