//! Pieces of CEL as text: literals, lists, patterns as regular expressions of RE2. What they are put together to say is
//! told by the rules.

/// A string. No control character is in the literal as it is: a line break of either kind would end it, and others
/// would be lost on the way through YAML.
pub(super) fn text(text: &str) -> String {
    let mut literal = String::with_capacity(text.len().saturating_add(2));
    literal.push('\'');
    for letter in text.chars() {
        match letter {
            '\\' | '\'' => literal.extend(['\\', letter]),
            '\n' => literal.push_str("\\n"),
            _ if letter.is_control() => literal.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => literal.push(letter),
        }
    }
    literal.push('\'');
    literal
}

/// A list of strings.
pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let literals: Vec<String> = texts.into_iter().map(text).collect();
    format!("[{}]", literals.join(", "))
}

/// Whether any of these holds; nothing of nothing does.
pub(super) fn any(expressions: impl IntoIterator<Item = String>) -> String {
    joined(expressions, " || ", "false")
}

/// Whether all of these hold; of nothing they do.
pub(super) fn all(expressions: impl IntoIterator<Item = String>) -> String {
    joined(expressions, " && ", "true")
}

fn joined(expressions: impl IntoIterator<Item = String>, by: &str, of_none: &str) -> String {
    let parts: Vec<String> = expressions.into_iter().collect();
    match parts.as_slice() {
        [] => of_none.to_owned(),
        [only] => only.clone(),
        several => format!("({})", several.join(by)),
    }
}

/// A field that may be missing: `c.?securityContext.?privileged` for `c` and `securityContext.privileged`.
pub(super) fn field(of: &str, path: &str) -> String {
    path.split('.').fold(of.to_owned(), |at, name| format!("{at}.?{name}"))
}

/// A field, or what it is taken for where it is missing.
pub(super) fn field_or(of: &str, path: &str, otherwise: &str) -> String {
    format!("{}.orValue({otherwise})", field(of, path))
}

/// What takes one of these patterns, in which `*` stands for any characters, as one regular expression of the whole
/// text.
pub(super) fn globs<'a>(patterns: impl IntoIterator<Item = &'a str>) -> String {
    one_of(patterns.into_iter().map(|pattern| glob(pattern, ".*")))
}

/// One regular expression of the whole text out of several.
pub(super) fn one_of(expressions: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<String> = expressions.into_iter().collect();
    format!("^({})$", parts.join("|"))
}

/// A pattern as a regular expression; each run of stars is `star`.
pub(super) fn glob(pattern: &str, star: &str) -> String {
    let mut expression = String::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => {
                while letters.next_if_eq(&'*').is_some() {}
                expression.push_str(star);
            }
            '\\' | '^' => expression.extend(['\\', letter]),
            '.' | '+' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '$' => expression.extend(['[', letter, ']']),
            _ => expression.push(letter),
        }
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_text_does_not_end_it() {
        assert_eq!(text(r"it's \d"), r"'it\'s \\d'");
        assert_eq!(list(["a", "b'"]), r"['a', 'b\'']");
    }

    #[test]
    fn no_control_character_is_in_a_text_as_it_is() {
        assert_eq!(text("a\nb\rc\td\0e\u{85}f"), r"'a\nb\u000dc\u0009d\u0000e\u0085f'");
        assert_eq!(text("ü 文"), "'ü 文'");
    }

    #[test]
    fn a_star_is_any_characters_and_all_else_is_itself() {
        assert_eq!(globs(["nvidia.com/mig-*", "a"]), "^(nvidia[.]com/mig-.*|a)$");
        assert_eq!(glob("*.a.io", "[^/]*"), "[^/]*[.]a[.]io");
        assert_eq!(glob("team/**", ".*"), "team/.*");
    }

    #[test]
    fn nothing_to_ask_is_no_hole_in_an_expression() {
        assert_eq!(any([]), "false");
        assert_eq!(all([]), "true");
        assert_eq!(any(["a".to_owned(), "b".to_owned()]), "(a || b)");
    }

    #[test]
    fn a_field_is_asked_for_at_each_step() {
        assert_eq!(
            field_or("c", "securityContext.privileged", "false"),
            "c.?securityContext.?privileged.orValue(false)"
        );
    }
}
