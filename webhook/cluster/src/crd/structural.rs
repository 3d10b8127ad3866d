//! A JSON Schema as schemars draws it from a Rust type, in the form that an API server takes: structural, which is one
//! type for each place and nothing that is only said in a choice. What JSON Schema says in a choice between objects
//! becomes rules in CEL. Rules that no type has are added in `rules`.
//!
//! The form is told in the Kubernetes documentation under "Specifying a structural schema".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

type Schema = Map<String, Value>;

/// Keywords that an API server does not take, or that say nothing in a definition.
const FOREIGN: [&str; 3] = ["$schema", "title", "definitions"];

/// Formats that an API server checks; others it passes over with a warning.
const FORMATS: [&str; 4] = ["date-time", "int32", "int64", "double"];

/// The structural schema of the same values.
pub(super) fn structural(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return json!({PRESERVE: true}) };
    FOREIGN.iter().for_each(|keyword| drop(schema.remove(*keyword)));
    let mut schema = chosen(schema);
    schema.retain(|keyword, value| keyword != "format" || FORMATS.iter().any(|known| value == known));
    schema.retain(|keyword, value| keyword != "default" || says_something(value));
    one_type(&mut schema);
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.values_mut().for_each(|field| *field = structural(field.take()));
    }
    if let Some(items) = schema.get_mut("items") {
        *items = structural(items.take());
    }
    other_fields(&mut schema);
    Value::Object(schema)
}

/// Says that fields nobody described are kept.
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

/// An API server refuses a `null` by the type alone, and takes it out where a field may be missing: no second type.
fn one_type(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get("type")
        && let Some(one) = types.iter().find(|name| *name != "null")
    {
        schema.insert("type".to_owned(), one.clone());
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
}

/// An empty list or object where nothing was written would stand in every stored object, and mean nothing.
fn says_something(default: &Value) -> bool {
    match default {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

/// Fields beside the described ones: unknown ones are refused by every strict client and never kept, so that nothing is
/// to be said; any are said by a keyword of their own; those of one type stay as they are.
fn other_fields(schema: &mut Schema) {
    match schema.remove("additionalProperties") {
        None | Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) => drop(schema.insert(PRESERVE.to_owned(), json!(true))),
        Some(of_one_type) => drop(schema.insert("additionalProperties".to_owned(), structural(of_one_type))),
    }
}

/// The schema without its choice, if it has one.
fn chosen(mut schema: Schema) -> Schema {
    let Some(Value::Array(choice)) = schema.remove("anyOf").or_else(|| schema.remove("oneOf")) else { return schema };
    let mut alternatives: Vec<Schema> = choice.into_iter().filter_map(object).collect();
    alternatives.retain(|alternative| alternative.get("type") != Some(&json!("null")));
    let made = match alternatives.as_slice() {
        [only] => only.clone(),
        all if all.iter().all(|one| names(one).is_some()) => enumeration(text(&schema, DESCRIPTION), all),
        all => union(all),
    };
    // What is said of the field is nearer than what is said of its type, but for the meanings of names.
    let own = schema.remove(DESCRIPTION).filter(|_| !made.contains_key("enum"));
    let whole = made.into_iter().chain(own.map(|own| (DESCRIPTION.to_owned(), own))).chain(schema);
    chosen(whole.collect())
}

const DESCRIPTION: &str = "description";

fn object(value: Value) -> Option<Schema> {
    if let Value::Object(schema) = value { Some(schema) } else { None }
}

/// The texts that an alternative stands for.
fn names(alternative: &Schema) -> Option<Vec<&Value>> {
    match (alternative.get("const"), alternative.get("enum")) {
        (Some(name), _) => Some(vec![name]),
        (None, Some(Value::Array(names))) => Some(names.iter().collect()),
        _ => None,
    }
}

/// One of several texts, with what each means in the description.
fn enumeration(description: &str, alternatives: &[Schema]) -> Schema {
    let mut described = vec![description.to_owned()];
    for alternative in alternatives {
        let names = names(alternative).unwrap_or_default().into_iter().filter_map(Value::as_str);
        described.extend(names.map(|name| format!("- {name}: {}", text(alternative, DESCRIPTION))));
    }
    let names: Vec<&Value> = alternatives.iter().filter_map(names).flatten().collect();
    let made = [("type", json!("string")), ("enum", json!(names)), (DESCRIPTION, json!(described.join("\n")))];
    made.map(|(keyword, value)| (keyword.to_owned(), value)).into_iter().collect()
}

fn text<'a>(schema: &'a Schema, keyword: &str) -> &'a str {
    schema.get(keyword).and_then(Value::as_str).unwrap_or_default()
}

/// An object of one of several shapes, each with a field that all others lack and that it needs: all fields together,
/// and the rules that tell the shapes apart. Other fields may belong to several.
fn union(alternatives: &[Schema]) -> Schema {
    let mut fields = Schema::new();
    let mut rules = vec![exactly_one(alternatives)];
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for alternative in alternatives {
        for (name, field) in alternative.get("properties").and_then(Value::as_object).into_iter().flatten() {
            fields.insert(name.clone(), field.clone());
            owners.entry(name).or_default().extend(telling(alternative).filter(|telling| telling != name));
        }
    }
    rules.extend(owners.iter().filter(|(_, owners)| !owners.is_empty()).map(|(name, owners)| goes_with(name, owners)));
    let rules = ("x-kubernetes-validations".to_owned(), Value::Array(rules));
    [("type".to_owned(), json!("object")), ("properties".to_owned(), Value::Object(fields)), rules]
        .into_iter()
        .collect()
}

fn goes_with(name: &str, owners: &[&str]) -> Value {
    let there: Vec<String> = owners.iter().map(|owner| format!("has(self.{owner})")).collect();
    json!({
        "rule": format!("!has(self.{name}) || {}", there.join(" || ")),
        "message": format!("{name} goes with {}", owners.join(" or ")),
    })
}

/// The field that tells this shape from the others.
fn telling(alternative: &Schema) -> Option<&str> {
    alternative.get("required")?.as_array()?.first()?.as_str()
}

fn exactly_one(alternatives: &[Schema]) -> Value {
    let telling: Vec<&str> = alternatives.iter().filter_map(telling).collect();
    let there: Vec<String> = telling.iter().map(|name| format!("(has(self.{name}) ? 1 : 0)")).collect();
    json!({
        "rule": format!("{} == 1", there.join(" + ")),
        "message": format!("say exactly one of {}", telling.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_field_has_one_type_and_no_empty_default() {
        let schema = json!({"type": ["object", "null"], "title": "T", "default": {}, "additionalProperties": false});
        assert_eq!(structural(schema), json!({"type": "object"}));
    }

    #[test]
    fn a_default_that_says_something_stays() {
        let schema = json!({"type": "string", "default": "enforce"});
        assert_eq!(structural(schema.clone()), schema);
    }

    #[test]
    fn any_fields_are_kept_and_those_of_one_type_are_described() {
        let any = json!({"type": "object", "additionalProperties": true});
        assert_eq!(structural(any), json!({"type": "object", PRESERVE: true}));
        let texts = json!({"type": "object", "additionalProperties": {"type": ["string", "null"]}});
        assert_eq!(structural(texts), json!({"type": "object", "additionalProperties": {"type": "string"}}));
    }

    #[test]
    fn names_with_meanings_are_an_enumeration_that_tells_them() {
        let schema = json!({"description": "What.", "anyOf": [
            {"oneOf": [
                {"type": "string", "const": "on", "description": "It is."},
                {"type": "string", "const": "off", "description": "It is not."},
            ]},
            {"type": "null"},
        ]});
        let made = structural(schema);
        assert_eq!((&made["type"], &made["enum"]), (&json!("string"), &json!(["on", "off"])));
        assert_eq!(made["description"], "What.\n- on: It is.\n- off: It is not.");
    }

    #[test]
    fn shapes_are_told_apart_by_rules() {
        let text = json!({"type": "string"});
        let schema = json!({"description": "Where.", "anyOf": [
            {"type": "object", "properties": {"builtin": text}, "required": ["builtin"]},
            {"type": "object", "properties": {"oci": text, "policy": text}, "required": ["oci"]},
            {"type": "object", "properties": {"file": text, "policy": text}, "required": ["file"]},
        ]});
        let made = structural(schema);
        assert!(made.get("required").is_none());
        assert_eq!(made["properties"].as_object().unwrap().len(), 4);
        let rules: Vec<&str> = made["x-kubernetes-validations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["message"].as_str().unwrap())
            .collect();
        assert_eq!(rules, ["say exactly one of builtin, oci, file", "policy goes with oci or file"]);
    }

    #[test]
    fn formats_that_nobody_checks_are_left_out() {
        let schema = json!({"type": "integer", "format": "uint32", "minimum": 1});
        assert_eq!(structural(schema), json!({"type": "integer", "minimum": 1}));
    }
}
