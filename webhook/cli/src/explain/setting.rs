//! The settings of a policy as a flat list, out of their JSON Schema: a path, a type in words, a default, a
//! description.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Settings deeper than this are not listed: a schema may refer to itself.
const DEEPEST: usize = 8;

/// A setting.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SettingReport {
    /// Where it stands: `allowFor[].select.images`, with `[]` for each element of a list and `*` for each name of a
    /// mapping.
    pub(super) name: String,
    /// What it may be, in words.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Whether it has to be given, where what it stands in is given.
    pub(super) required: bool,
    /// What it is if it is left out; none if nothing stands for it, or what stands in it has defaults of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<Value>,
    /// What it does.
    pub(super) description: String,
}

/// All settings of a schema, each before those that stand in it.
pub(super) fn settings(schema: &Value) -> Vec<SettingReport> {
    let mut found = Vec::new();
    let root = Place { root: schema, node: schema, depth: 0 };
    root.properties("", &mut found);
    found
}

/// A schema within its document.
#[derive(Clone, Copy)]
struct Place<'a> {
    root: &'a Value,
    node: &'a Value,
    depth: usize,
}

impl<'a> Place<'a> {
    /// The schema at a field of this one.
    fn at(self, field: &str) -> Option<Self> {
        self.node.get(field).filter(|node| node.is_object()).map(|node| self.within(node))
    }

    fn within(self, node: &'a Value) -> Self {
        Self { node, depth: self.depth.saturating_add(1), ..self }
    }

    /// The schema that this one stands for: where it refers to another, and where it is one or null.
    fn resolved(self) -> Self {
        let referred = self.text("$ref").and_then(|to| self.root.pointer(to.strip_prefix('#')?));
        let not_null = || match self.several("anyOf").as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        match referred.map(|node| self.within(node)).or_else(not_null) {
            Some(inner) if self.depth < DEEPEST => inner.resolved(),
            _ => self,
        }
    }

    fn text(self, field: &str) -> Option<&'a str> {
        self.node.get(field)?.as_str()
    }

    /// The schemas of a list, without null.
    fn several(self, field: &str) -> Vec<Self> {
        let all = self.node.get(field).and_then(Value::as_array).into_iter().flatten();
        all.filter(|node| node.get("type").and_then(Value::as_str) != Some("null"))
            .map(|node| self.within(node))
            .collect()
    }

    fn properties(self, prefix: &str, found: &mut Vec<SettingReport>) {
        if self.depth > DEEPEST {
            return;
        }
        let required = self.node.get("required").and_then(Value::as_array);
        let required = |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
        let properties = self.node.get("properties").and_then(Value::as_object).into_iter().flatten();
        for (name, node) in properties {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            self.within(node).setting(path, required(name), found);
        }
    }

    fn setting(self, name: String, required: bool, found: &mut Vec<SettingReport>) {
        let own = found.len();
        let schema = self.resolved();
        found.push(SettingReport {
            kind: schema.kind(),
            required,
            default: self.node.get("default").filter(|default| !default.is_null()).cloned(),
            description: self.description(),
            name: name.clone(),
        });
        schema.inside(&name, found);
        // What stands inside says its own defaults.
        if schema.at("properties").is_some()
            && found.len() > own.saturating_add(1)
            && let Some(setting) = found.get_mut(own)
        {
            setting.default = None;
        }
    }

    /// The settings in this one: of a mapping, of the elements of a list, of the values of a map.
    fn inside(self, name: &str, found: &mut Vec<SettingReport>) {
        self.properties(name, found);
        for (field, step) in [("items", "[]"), ("additionalProperties", ".*")] {
            if let Some(inner) = self.at(field) {
                inner.resolved().inside(&format!("{name}{step}"), found);
            }
        }
        for variant in ["oneOf", "anyOf"].into_iter().flat_map(|field| self.several(field)) {
            variant.resolved().inside(name, found);
        }
    }

    /// Its type in words.
    fn kind(self) -> String {
        let consts = self.consts();
        if !consts.is_empty() {
            return or(&consts.iter().map(|(value, _)| format!("`{value}`")).collect::<Vec<_>>());
        }
        let variants: Vec<Self> = ["oneOf", "anyOf"].into_iter().flat_map(|field| self.several(field)).collect();
        if !variants.is_empty() {
            return or(&variants.iter().map(|variant| variant.resolved().kind()).collect::<Vec<_>>());
        }
        match self.node.get("type") {
            Some(Value::Array(types)) => {
                let types = types.iter().filter_map(Value::as_str).filter(|name| *name != "null");
                or(&types.map(|name| self.named(name).into_owned()).collect::<Vec<_>>())
            }
            Some(Value::String(name)) => self.named(name).into_owned(),
            _ => "anything".to_owned(),
        }
    }

    fn named(self, name: &str) -> Cow<'static, str> {
        let inner = |field: &str| self.at(field).map(|inner| inner.resolved().kind());
        match name {
            "string" => "text".into(),
            "integer" => "whole number".into(),
            "number" => "number".into(),
            "boolean" => "true or false".into(),
            "array" => inner("items").map_or("list".into(), |inner| format!("list of {inner}").into()),
            "object" => {
                inner("additionalProperties").map_or("mapping".into(), |inner| format!("{inner} by name").into())
            }
            _ => "anything".into(),
        }
    }

    /// The values that it may have, with what each means, if it is one of a few.
    fn consts(self) -> Vec<(String, Option<&'a str>)> {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut all: Vec<_> =
            self.node.get("const").into_iter().map(|value| (plain(value), self.text("description"))).collect();
        let listed = self.node.get("enum").and_then(Value::as_array).into_iter().flatten();
        all.extend(listed.filter(|value| !value.is_null()).map(|value| (plain(value), None)));
        let variants: Vec<Self> = self.several("oneOf").into_iter().map(Self::resolved).collect();
        let each: Vec<_> = variants.iter().map(|variant| variant.consts()).collect();
        if !each.iter().any(Vec::is_empty) {
            all.extend(each.into_iter().flatten());
        }
        all
    }

    /// What it does: its own words, else those of what it stands for; and what each of a few values means.
    fn description(self) -> String {
        let schema = self.resolved();
        let words = self.text("description").or_else(|| schema.text("description")).unwrap_or_default();
        let element = schema.at("items").map(Self::resolved);
        let values = [Some(schema), element].into_iter().flatten().map(Self::consts).find(|values| values.len() > 1);
        let meaning = |(value, means): (String, Option<&str>)| means.map(|means| format!("`{value}`: {}", line(means)));
        let meanings = values.into_iter().flatten().filter_map(meaning);
        std::iter::once(line(words)).chain(meanings).collect::<Vec<_>>().join(" ")
    }
}

/// The first paragraph, in one line: what follows is for those who read the code.
fn line(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or_default();
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn or(parts: &[String]) -> String {
    match parts {
        [] => "anything".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(properties: Value) -> Vec<SettingReport> {
        settings(&json!({"type": "object", "properties": properties, "$defs": {
            "Level": {"description": "How much.", "oneOf": [
                {"const": "low", "description": "Little."}, {"const": "high", "description": "Much."}
            ]},
            "Tree": {"type": "object", "properties": {"leaves": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}
        }}))
    }

    fn kind(schema: Value) -> String {
        of(json!({"a": schema})).remove(0).kind
    }

    #[test]
    fn types_are_told_in_words() {
        assert_eq!(kind(json!({"type": "array", "items": {"type": "string"}})), "list of text");
        assert_eq!(
            kind(json!({"type": "object", "additionalProperties": {"type": ["string", "number"]}})),
            "text or number by name"
        );
        assert_eq!(kind(json!({"type": ["integer", "null"]})), "whole number");
        assert_eq!(kind(json!({"anyOf": [{"$ref": "#/$defs/Level"}, {"type": "null"}]})), "`low` or `high`");
    }

    #[test]
    fn what_each_of_a_few_values_means_is_told() {
        let settings = of(json!({"level": {"$ref": "#/$defs/Level", "default": "low", "description": "The level."}}));
        assert_eq!(settings[0].description, "The level. `low`: Little. `high`: Much.");
        assert_eq!(settings[0].default, Some(json!("low")));
    }

    #[test]
    fn settings_in_lists_and_mappings_follow_what_they_stand_in() {
        let inner = json!({"type": "object", "required": ["image"], "default": {"image": "x"},
            "properties": {"image": {"type": "string"}}});
        let settings = of(json!({"one": inner, "list": {"type": "array", "items": inner, "default": []},
            "map": {"type": "object", "additionalProperties": inner}}));
        let names: Vec<&str> = settings.iter().map(|setting| setting.name.as_str()).collect();
        assert_eq!(names, ["one", "one.image", "list", "list[].image", "map", "map.*.image"]);
        assert!(settings[1].required && settings[0].default.is_none() && settings[2].default.is_some());
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        assert!(of(json!({"tree": {"$ref": "#/$defs/Tree"}})).len() < 20);
    }

    #[test]
    fn words_for_readers_of_the_code_are_left_out() {
        let settings = of(json!({"a": {"type": "string", "description": "A pattern\nof names.\n\n```\ncode\n```"}}));
        assert_eq!(settings[0].description, "A pattern of names.");
    }
}
