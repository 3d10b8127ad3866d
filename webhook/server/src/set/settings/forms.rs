//! What is said where a value may have one of several forms (`oneOf`, `anyOf`) and has none of them: which values or
//! forms there are, and what the nearest of them misses. Any other fault is worded by the validator.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::{SettingsFault, faults_of};

/// What a form is not met for.
type Missed = [ValidationError<'static>];

/// Longer values are not repeated.
const LONGEST_SHOWN: usize = 60;

/// The faults of a value that has none of its forms; none where the error is another one.
pub(super) fn faults(schema: &Value, error: &ValidationError<'_>) -> Option<Vec<SettingsFault>> {
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) = error.kind() else {
        return None;
    };
    let forms: Vec<(usize, &Missed)> = context
        .iter()
        .enumerate()
        .map(|(index, missed)| (index, missed.as_slice()))
        // That a field may be null says that it can be left out, and is no help to whoever wrote something.
        .filter(|(_, missed)| !missed.iter().any(wants_null))
        .collect();
    if let Some(values) = values(&forms) {
        let reason = format!("{} is none of {}", shown(error.instance()), values.join(", "));
        return Some(vec![SettingsFault::new(error, reason)]);
    }
    if let [(_, only)] = forms.as_slice() {
        return Some(only.iter().flat_map(|missed| faults_of(schema, missed)).collect());
    }
    let names: Vec<String> = forms.iter().filter_map(|(index, _)| name(schema, error, *index)).collect();
    Some(vec![SettingsFault::new(error, reason(schema, error, &forms, &names))])
}

fn reason(schema: &Value, error: &ValidationError<'_>, forms: &[(usize, &Missed)], names: &[String]) -> String {
    let what = shown(error.instance());
    let mut reason = match names {
        [] => format!("{what} has none of the forms that may stand here"),
        names => format!("{what} is none of these: {}", names.join("; ")),
    };
    if let Some((index, missed)) = nearest(error, forms) {
        let form = name(schema, error, index).unwrap_or_else(|| "the nearest".to_owned());
        let missed: Vec<String> = missed.iter().map(ToString::to_string).collect();
        reason.push_str(&format!("; taken for {form}, {}", missed.join(", ")));
    }
    reason
}

/// The values to choose from, if every form is one value.
fn values(forms: &[(usize, &Missed)]) -> Option<Vec<String>> {
    let value = |missed: &Missed| {
        missed.iter().find_map(|error| match error.kind() {
            ValidationErrorKind::Constant { expected_value } => Some(expected_value.to_string()),
            _ => None,
        })
    };
    let values: Option<Vec<String>> = forms.iter().map(|(_, missed)| value(missed)).collect();
    values.filter(|values| !values.is_empty())
}

/// The form that misses the least, if the value is at least of its type.
fn nearest<'m>(error: &ValidationError<'_>, forms: &[(usize, &'m Missed)]) -> Option<(usize, &'m Missed)> {
    let has_its_type = |missed: &Missed| {
        !missed.iter().any(|missed| {
            matches!(missed.kind(), ValidationErrorKind::Type { .. }) && missed.instance_path() == error.instance_path()
        })
    };
    forms.iter().copied().filter(|(_, missed)| has_its_type(missed)).min_by_key(|(_, missed)| missed.len())
}

fn wants_null(missed: &ValidationError<'_>) -> bool {
    matches!(missed.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::Null) })
}

/// What a form is called: `key`, `issuer and subject`, `a string`.
fn name(schema: &Value, error: &ValidationError<'_>, index: usize) -> Option<String> {
    let form = schema.pointer(&format!("{}/{index}", error.schema_path().as_str()))?;
    let form = match form.get("$ref").and_then(Value::as_str) {
        Some(reference) => schema.pointer(reference.strip_prefix('#')?)?,
        None => form,
    };
    let required: Vec<&str> =
        form.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    match (form.get("type").and_then(Value::as_str)?, required.as_slice()) {
        (kind, []) => Some(match kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
            true => format!("an {kind}"),
            false => format!("a {kind}"),
        }),
        (_, required) => Some(format!("one with {}", required.join(" and "))),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.len() > LONGEST_SHOWN { "what stands here".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::faults;
    use super::*;

    fn told(schema: &Value, settings: &Value) -> Vec<String> {
        faults(schema, settings).unwrap().iter().map(ToString::to_string).collect()
    }

    fn field(schema: Value) -> Value {
        json!({"type": "object", "properties": {"field": schema}, "$defs": {
            "Level": {"oneOf": [{"type": "string", "const": "low"}, {"type": "string", "const": "high"}]},
            "Port": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]},
            "Named": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        }})
    }

    #[test]
    fn of_a_choice_of_values_all_are_told() {
        let schema = field(json!({"$ref": "#/$defs/Level"}));
        for (written, shown) in [(json!("middle"), "\"middle\""), (json!(false), "false")] {
            let told = told(&schema, &json!({"field": written}));
            assert_eq!(told, [format!("settings/field: {shown} is none of \"low\", \"high\"")]);
        }
    }

    #[test]
    fn what_may_be_left_out_is_answered_as_what_has_to_be_there() {
        let level = field(json!({"anyOf": [{"$ref": "#/$defs/Level"}, {"type": "null"}]}));
        assert_eq!(told(&level, &json!({"field": 1})), ["settings/field: 1 is none of \"low\", \"high\""]);
        let named = field(json!({"anyOf": [{"$ref": "#/$defs/Named"}, {"type": "null"}]}));
        let told = told(&named, &json!({"field": {"name": 1}}));
        assert_eq!(told, ["settings/field/name: 1 is not of type \"string\""]);
    }

    #[test]
    fn forms_are_told_by_what_they_ask_for_and_the_nearest_by_what_it_misses() {
        let schema = field(json!({"anyOf": [
            {"type": "object", "properties": {"key": {}}, "additionalProperties": false, "required": ["key"]},
            {"type": "object", "properties": {"issuer": {}, "subject": {}}, "additionalProperties": false,
             "required": ["issuer", "subject"]},
        ]}));
        let told = told(&schema, &json!({"field": {"issuer": "a"}}));
        assert_eq!(
            told,
            ["settings/field: {\"issuer\":\"a\"} is none of these: one with key; one with issuer and subject; taken \
              for one with issuer and subject, \"subject\" is a required property"]
        );
    }

    #[test]
    fn types_are_told_where_the_value_has_none_of_them() {
        let schema = field(json!({"$ref": "#/$defs/Port"}));
        let told = told(&schema, &json!({"field": [1]}));
        assert_eq!(told, ["settings/field: [1] is none of these: an integer; a string"]);
    }

    #[test]
    fn long_values_are_not_repeated() {
        let told = told(&field(json!({"$ref": "#/$defs/Level"})), &json!({"field": "x".repeat(100)}));
        assert_eq!(told, ["settings/field: what stands here is none of \"low\", \"high\""]);
    }
}
