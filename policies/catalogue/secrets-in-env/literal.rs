//! Where a container carries texts: the values of its variables, and its command with arguments. What comes from a Secret,
//! a ConfigMap or a field of the pod is no text of the container's.

use portreeve_sdk::view::Variable;

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
pub(super) fn variables(env: &[Variable]) -> impl Iterator<Item = Assigned<'_>> {
    let valued =
        env.iter().enumerate().filter_map(|(index, variable)| Some((index, variable, variable.value.as_deref()?)));
    valued.map(|(index, variable, text)| Assigned { index, name: &variable.name, text })
}

/// The arguments of a `command` or an `args`, whole.
pub(super) fn arguments(list: &[String]) -> impl Iterator<Item = (usize, &str)> {
    list.iter().map(String::as_str).enumerate()
}

/// What arguments give names to: `--name=text`, `--name text`, `-Dname=text`, `NAME=text`, in a script too.
pub(super) fn assignments(list: &[String]) -> Vec<Assigned<'_>> {
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
    use super::*;

    fn assigned(list: &[&str]) -> Vec<(usize, String, String)> {
        let list: Vec<String> = list.iter().map(|&text| text.to_owned()).collect();
        assignments(&list).into_iter().map(|one| (one.index, one.name.to_owned(), one.text.to_owned())).collect()
    }

    fn one(index: usize, name: &str, text: &str) -> (usize, String, String) {
        (index, name.to_owned(), text.to_owned())
    }

    #[test]
    fn only_values_of_its_own_are_a_containers_variables() {
        let variable = |name: &str, value: Option<&str>| Variable { name: name.into(), value: value.map(Into::into) };
        let env = [variable("A", Some("x")), variable("B", None)];
        let names: Vec<_> = variables(&env).map(|variable| (variable.index, variable.name, variable.text)).collect();
        assert_eq!(names, [(0, "A", "x")]);
    }

    #[test]
    fn arguments_give_names_to_texts_in_several_ways() {
        assert_eq!(
            assigned(&["--password=a", "-Ddb.password=b"]),
            [one(0, "password", "a"), one(1, "db.password", "b")]
        );
        assert_eq!(
            assigned(&["--password", "a", "--verbose", "--token", "b"]),
            [one(1, "password", "a"), one(4, "token", "b")]
        );
    }

    #[test]
    fn scripts_are_read_word_by_word() {
        let script = ["-c", "export PGPASSWORD='a'; psql --host db"];
        assert_eq!(assigned(&script), [one(1, "PGPASSWORD", "a"), one(1, "host", "db")]);
    }
}
