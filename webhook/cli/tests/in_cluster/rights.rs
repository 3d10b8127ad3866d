//! Rights as words, `list pods` and `patch reports.openreports.io`: those that roles grant, and those that somebody
//! used, by the API server's own audit.

use std::collections::BTreeSet;

use serde_json::Value;

/// All that the roles among these objects grant, whatever names narrow it.
pub(crate) fn granted(objects: &[Value]) -> BTreeSet<String> {
    let roles = objects.iter().filter(|object| object["kind"].as_str().unwrap().ends_with("Role"));
    let rules = roles.flat_map(|role| role["rules"].as_array().unwrap());
    rules.flat_map(of_rule).collect()
}

fn of_rule(rule: &Value) -> Vec<String> {
    let words =
        |field: &str| -> Vec<&str> { rule[field].as_array().unwrap().iter().filter_map(Value::as_str).collect() };
    let mut rights = Vec::new();
    for group in words("apiGroups") {
        for resource in words("resources") {
            rights.extend(words("verbs").into_iter().map(|verb| right(verb, resource, group)));
        }
    }
    rights
}

/// What somebody asked for.
pub(crate) struct Asked {
    /// What he may do and did.
    pub(crate) allowed: BTreeSet<String>,
    /// What he may not do and tried.
    pub(crate) refused: Vec<String>,
}

impl Asked {
    /// Out of events of an audit.
    pub(crate) fn by(user: &str, events: &[Value]) -> Self {
        let mut asked = Self { allowed: BTreeSet::new(), refused: Vec::new() };
        for event in events.iter().filter(|event| event["user"]["username"] == user && event["objectRef"].is_object()) {
            let (verb, of) = (event["verb"].as_str().unwrap(), &event["objectRef"]);
            let text = |field: &str| of[field].as_str().unwrap_or_default();
            let resource = match text("subresource") {
                "" => text("resource").to_owned(),
                subresource => format!("{}/{subresource}", text("resource")),
            };
            let right_to = |verb: &str| right(verb, &resource, text("apiGroup"));
            if event["annotations"]["authorization.k8s.io/decision"] == "forbid" {
                asked.refused.push(right_to(verb));
                continue;
            }
            // Server-side apply of what was not there is held to both.
            if verb == "patch" && event["responseStatus"]["code"] == 201 {
                asked.allowed.insert(right_to("create"));
            }
            asked.allowed.insert(right_to(verb));
        }
        asked
    }
}

fn right(verb: &str, resource: &str, group: &str) -> String {
    if group.is_empty() { format!("{verb} {resource}") } else { format!("{verb} {resource}.{group}") }
}
