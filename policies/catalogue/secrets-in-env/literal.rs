//! Where a container carries texts: the values of its variables, and its command with arguments. What comes from a Secret,
//! a ConfigMap or a field of the pod is no text of the container's.

use serde_json::Value;

/// A name with the text that is given to it.
pub(super) struct Assigned<'v> {
    /// Where in the list.
    pub(super) index: usize,
    /// Of a variable or an argument.
    pub(super) name: &'v str,
    /// What is given to it.
    pub(super) text: &'v str,
}

/// The variables of an `env` that have a value of their own.
pub(super) fn variables(env: &Value) -> impl Iterator<Item = Assigned<'_>> {
    env.as_array().into_iter().flatten().enumerate().filter_map(|(index, variable)| {
        let name = variable.get("name")?.as_str()?;
        let text = variable.get("value")?.as_str()?;
        Some(Assigned { index, name, text })
    })
}

/// The arguments of a `command` or an `args`, whole.
pub(super) fn arguments(list: &Value) -> impl Iterator<Item = (usize, &str)> {
    list.as_array().into_iter().flatten().enumerate().filter_map(|(index, text)| Some((index, text.as_str()?)))
}

/// What arguments give names to: `--name=text`, `--name text`, `-Dname=text`, `NAME=text`, in a script too.
pub(super) fn assignments(list: &Value) -> Vec<Assigned<'_>> {
    let separators = |c: char| c.is_whitespace() || c == ';';
    let words = arguments(list).flat_map(|(index, text)| {
        text.split(separators).filter(|word| !word.is_empty()).map(move |word| (index, word))
    });
    let mut assigned = Vec::new();
    let mut flag = None;
    for (index, word) in words {
        let named = word.split_once('=').and_then(|(name, text)| Some((name_of(name)?, text)));
        match (named, flag.take()) {
            (Some((name, text)), _) => assigned.push(Assigned { index, name, text: unquoted(text) }),
            (None, Some(name)) if !word.starts_with('-') => {
                assigned.push(Assigned { index, name, text: unquoted(word) });
            }
            (None, _) => flag = name_of(word).filter(|_| word.starts_with("--")),
        }
    }
    assigned
}

/// The name of an argument without what marks it as one.
fn name_of(word: &str) -> Option<&str> {
    let name = word.strip_prefix("-D").unwrap_or_else(|| word.trim_start_matches('-'));
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

fn unquoted(text: &str) -> &str {
    let quoted = ['"', '\''].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
    quoted.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assigned(list: Value) -> Vec<(usize, String, String)> {
        assignments(&list).into_iter().map(|one| (one.index, one.name.to_owned(), one.text.to_owned())).collect()
    }

    fn one(index: usize, name: &str, text: &str) -> (usize, String, String) {
        (index, name.to_owned(), text.to_owned())
    }

    #[test]
    fn only_values_of_its_own_are_a_containers_variables() {
        let env = json!([{"name": "A", "value": "x"}, {"name": "B", "valueFrom": {"secretKeyRef": {}}}, {"name": "C"}]);
        let names: Vec<_> = variables(&env).map(|variable| (variable.index, variable.name, variable.text)).collect();
        assert_eq!(names, [(0, "A", "x")]);
    }

    #[test]
    fn arguments_give_names_to_texts_in_several_ways() {
        assert_eq!(
            assigned(json!(["--password=a", "-Ddb.password=b"])),
            [one(0, "password", "a"), one(1, "db.password", "b")]
        );
        assert_eq!(
            assigned(json!(["--password", "a", "--verbose", "--token", "b"])),
            [one(1, "password", "a"), one(4, "token", "b")]
        );
    }

    #[test]
    fn scripts_are_read_word_by_word() {
        let script = json!(["-c", "export PGPASSWORD='a'; psql --host db"]);
        assert_eq!(assigned(script), [one(1, "PGPASSWORD", "a"), one(1, "host", "db")]);
    }
}
