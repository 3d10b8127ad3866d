//! Places in an object as people write them: `spec.template.spec.containers[web].image`, elements of lists by their
//! names.

use std::fmt;

use portreeve_admission::pointer::Pointer;
use serde_json::Value;

/// A place, to be shown.
pub(crate) struct Path<'a> {
    pub(crate) pointer: &'a Pointer,
    /// The object, for the names of list elements; those that are not there go by their index.
    pub(crate) object: &'a Value,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut at = Pointer::root();
        for (depth, token) in self.pointer.tokens().iter().enumerate() {
            let in_list = at.find(self.object).is_some_and(Value::is_array);
            at = at.child(token);
            if in_list {
                write!(f, "[{}]", name(&at, self.object).unwrap_or(token))?;
            } else if token.contains(['.', '/', '[']) {
                write!(f, "[{token:?}]")?;
            } else {
                write!(f, "{}{token}", if depth == 0 { "" } else { "." })?;
            }
        }
        Ok(())
    }
}

/// The `name` of a list's element.
fn name<'a>(at: &Pointer, object: &'a Value) -> Option<&'a str> {
    at.find(object)?.get("name")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(pointer: &str, object: &Value) -> String {
        Path { pointer: &pointer.parse().unwrap(), object }.to_string()
    }

    #[test]
    fn elements_go_by_name_where_they_have_one() {
        let object = json!({"spec": {"containers": [{"name": "web", "args": ["a"]}]}});
        assert_eq!(shown("/spec/containers/0/args/0", &object), "spec.containers[web].args[0]");
    }

    #[test]
    fn keys_with_dots_and_slashes_are_quoted() {
        let object = json!({"metadata": {}});
        assert_eq!(shown("/metadata/annotations/a.b~1c", &object), r#"metadata.annotations["a.b/c"]"#);
    }
}
