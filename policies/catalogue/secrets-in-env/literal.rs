//! Where a container carries texts: the values of its variables, its command with arguments, and the commands that are
//! run in it besides. What comes from a Secret, a ConfigMap or a field of the pod is no text of the container's.

use portreeve_sdk::Case;
use portreeve_sdk::view::{Container, ProbeHandler, ProbeKind, Variable};
use serde_json::Value;

use super::login::Login;

/// When a container starts and ends.
const HOOKS: [&str; 2] = ["postStart", "preStop"];

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

/// The commands that the kubelet runs in a container, each by its place in it: those of hooks and of probes.
pub(super) fn beside(case: &Case<'_>, container: &Container) -> Vec<(String, Vec<String>)> {
    let of_hook = |lifecycle: &Value, hook: &str| Some((format!("/lifecycle/{hook}"), lifecycle.get(hook)?.clone()));
    let lifecycle = case.read(&container.field("/lifecycle"));
    let hooks = lifecycle.iter().flat_map(|lifecycle| HOOKS.iter().filter_map(move |hook| of_hook(lifecycle, hook)));
    let run = container.probes.iter().filter(|probe| probe.handler == Some(ProbeHandler::Exec));
    let probes = run.filter_map(|probe| {
        let place = match probe.kind {
            ProbeKind::Liveness => "/livenessProbe",
            ProbeKind::Readiness => "/readinessProbe",
            ProbeKind::Startup => "/startupProbe",
        };
        Some((place.to_owned(), case.read(&container.field(place))?))
    });
    let command = |(place, handler): (String, Value)| {
        let words = handler.pointer("/exec/command")?.as_array()?.iter();
        // What is no text is refused by the API server, and stands here so that the others keep their places.
        let words = words.map(|word| word.as_str().unwrap_or_default().to_owned()).collect();
        Some((format!("{place}/exec/command"), words))
    };
    hooks.chain(probes).filter_map(command).collect()
}

/// What arguments give names to: `--name=text`, `--name text`, `-Dname=text`, `NAME=text`, in a script too; and the
/// password that curl is given with a user.
pub(super) fn assignments(list: &[String]) -> Vec<Assigned<'_>> {
    let separators = |c: char| c.is_whitespace() || c == ';';
    let words = arguments(list).flat_map(|(index, text)| {
        text.split(separators).filter(|word| !word.is_empty()).map(move |word| (index, word))
    });
    let mut assigned = Vec::new();
    let mut flag = None;
    let mut login = Login::default();
    for (index, word) in words {
        if let Some(text) = login.password(unquoted(word)) {
            assigned.push(Assigned { index, name: "password", text });
        }
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
    fn a_user_of_curl_comes_with_a_password() {
        let script = ["-c", "curl -su 'app:a' http://db"];
        assert_eq!(assigned(&script), [one(1, "password", "a")]);
    }

    #[test]
    fn scripts_are_read_word_by_word() {
        let script = ["-c", "export PGPASSWORD='a'; psql --host db"];
        assert_eq!(assigned(&script), [one(1, "PGPASSWORD", "a"), one(1, "host", "db")]);
    }
}
