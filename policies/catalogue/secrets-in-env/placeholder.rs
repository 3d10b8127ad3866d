//! Values that stand for a secret and are none: what another variable or a template fills in, what says that it is to
//! be replaced, and what says where the secret lies.

use super::settings::Placeholders;

/// What a value says that was meant to be replaced, in one word or several.
const REPLACE: [&str; 10] = [
    "changeme",
    "changethis",
    "changeit",
    "replaceme",
    "replacethis",
    "replacewith",
    "placeholder",
    "example",
    "redacted",
    "dummy",
];
/// `change me`, the longest of them.
const MOST_WORDS: usize = 2;
/// How AWS marks the keys of its manuals.
const EXAMPLES: [&str; 2] = ["EXAMPLE", "EXAMPLEKEY"];
/// What `yourpassword` and its like end with.
const YOURS: [&str; 6] = ["password", "passwd", "secret", "token", "key", "here"];
/// Words that are a whole such value.
const NOTHING: [&str; 15] = [
    "todo",
    "none",
    "null",
    "nil",
    "undefined",
    "empty",
    "unset",
    "enabled",
    "disabled",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
];
/// How references to stores of secrets begin, in lower case.
const STORES: [&str; 12] = [
    "arn:",
    "vault:",
    "ref+",
    "secretref:",
    "azurekv:",
    "keyvault:",
    "@microsoft.keyvault(",
    "ssm:",
    "sm:",
    "kms:",
    "file:",
    "enc(",
];
/// What stands between words.
const SEPARATORS: &str = "_-.,:;!?/<>[]()'\"";
/// The longest word of a path. A secret that begins with a slash is one long word.
const LONGEST_WORD: usize = 20;
/// Kinds of characters below which a token is an example.
const FEWEST: usize = 6;

impl Placeholders {
    /// Whether the value stands for a secret. A weak password does not.
    pub(super) fn hold(self, value: &str) -> bool {
        let value = value.trim();
        let letters: String = letters(value).collect();
        is_filled_in(value)
            || is_mask(value)
            || NOTHING.contains(&letters.as_str())
            || (self == Self::Allow && asks_to_be_replaced(value, &letters))
    }
}

/// Whether the body of a token is one from a manual: `xxxxxxxx`, `…EXAMPLE`. Issuers make tokens by chance, so that
/// such a word is none of theirs wherever it stands.
pub(super) fn is_example(body: &str) -> bool {
    let mut kinds: Vec<char> = body.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    let letters: String = letters(body).collect();
    kinds.len() < FEWEST || REPLACE.iter().any(|word| letters.contains(word)) || Placeholders::Allow.hold(body)
}

fn letters(value: &str) -> impl Iterator<Item = char> {
    value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase())
}

/// `changeme`, `dummy-token`, `your api key`, with nothing beside it that could be a secret: `changeme-prod-4711` is
/// one.
fn asks_to_be_replaced(value: &str, letters: &str) -> bool {
    let is_yours = letters.strip_prefix("your").is_some_and(|rest| YOURS.iter().any(|end| rest.ends_with(end)));
    EXAMPLES.iter().any(|end| value.ends_with(end))
        || (is_yours && letters.chars().all(|c| c.is_ascii_alphabetic()))
        || (value.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || SEPARATORS.contains(c))
            && has_only_words_beside(value))
}

/// Whether a word or two of the value ask to be replaced, and all others are words of a language.
fn has_only_words_beside(value: &str) -> bool {
    let words: Vec<&str> = value.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let asks = |said: &[&str]| REPLACE.contains(&said.concat().to_ascii_lowercase().as_str());
    let beside = |at: usize, count: usize| words.iter().take(at).chain(words.iter().skip(at + count));
    let is_asked = |count: usize| {
        let mut places = words.windows(count).enumerate();
        places.any(|(at, said)| asks(said) && beside(at, count).all(|word| is_word(word)))
    };
    let is_yours = words.first().is_some_and(|word| word.eq_ignore_ascii_case("your"));
    (1..=MOST_WORDS).any(is_asked) || (is_yours && words.iter().all(|word| is_word(word)))
}

/// Letters alone, in capitals at most the first or all.
fn is_word(word: &str) -> bool {
    let rest = word.chars().skip(1);
    word.chars().all(char::is_alphabetic)
        && (!rest.clone().any(char::is_uppercase) || !rest.clone().any(char::is_lowercase))
}

/// Whether the value says where a secret lies: a path, a URL, an entry of a store.
pub(super) fn is_reference(value: &str) -> bool {
    let lower = value.trim().to_ascii_lowercase();
    is_path(value.trim())
        || STORES.iter().any(|store| lower.starts_with(store))
        || lower
            .split_once("://")
            .is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+'))
        || (lower.starts_with("projects/") && lower.contains("/secrets/"))
}

/// Whether the value is the name of an object such as `shop-credentials` or `shop-secrets-7f9k2dmh5t`: words, and at
/// most the last of them a hash.
pub(super) fn is_object_name(value: &str) -> bool {
    let words: Vec<&str> = value.trim().split(['-', '.']).collect();
    let Some((last, first)) = words.split_last() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    let is_end =
        !last.is_empty() && last.len() <= 12 && last.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    !first.is_empty() && first.iter().all(is_word) && is_end
}

/// Filled in by Kubernetes or a shell (`$(X)`, `${X}`, `$X`), by a template (`{{ … }}`, `{x}`, `#{X}#`, `%X%`), or by
/// hand (`<password>`, `[password]`, `__PASSWORD__`).
fn is_filled_in(value: &str) -> bool {
    let wrapped =
        |start: &str, end: &str| value.len() > start.len() && value.starts_with(start) && value.ends_with(end);
    let variable = value.strip_prefix('$').is_some_and(|name| {
        let is_named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_named || (!name.is_empty() && name.chars().all(|c| c.is_ascii_digit()))
    });
    let inside = [("$(", ")"), ("${", "}"), ("{{", "}}"), ("#{", "}")];
    let named = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || " _.-".contains(c));
    variable
        || inside.iter().any(|(start, end)| value.split_once(start).is_some_and(|(_, rest)| rest.contains(end)))
        || value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).is_some_and(|(name, _)| named(name))
        || [("{", "}"), ("[", "]"), ("%", "%"), ("__", "__"), ("@", "@")].iter().any(|(start, end)| wrapped(start, end))
        || value == "%s"
        || ["$(", "${", "`"].iter().any(|start| value.trim_start_matches(['"', '\'']).starts_with(start))
        || is_name_of_variable(value)
}

/// `DB_PASSWORD`: words in capitals.
fn is_name_of_variable(value: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase());
    value.contains('_') && value.split('_').all(is_word)
}

/// Nothing, or `xxxx`, `****`, `....`: one character all the way.
fn is_mask(value: &str) -> bool {
    let mut characters = value.chars();
    let first = characters.next();
    characters.all(|c| Some(c) == first)
}

fn is_path(value: &str) -> bool {
    let bytes = value.as_bytes();
    let drive = matches!(bytes, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    let begins = drive || ["/", "./", "../", "~/"].iter().any(|start| value.starts_with(start));
    begins && value.split(['/', '\\', '.', '-', '_']).all(|word| word.len() <= LONGEST_WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_elsewhere_is_no_secret() {
        for value in [
            "",
            " ",
            "$(DB_PASSWORD)",
            "pre-${PW}",
            "$PGPASSWORD",
            "{{ .Values.password }}",
            "{password}",
            "#{Pw}#",
            "%PASSWORD%",
            "<PASSWORD>",
            "[your-token]",
            "__TOKEN__",
            "DB_PASSWORD",
            "\"$(kubectl",
            "\"${PW:-of",
            "`cat",
            "$1",
        ] {
            assert!(Placeholders::Allow.hold(value), "{value}");
        }
    }

    #[test]
    fn what_asks_to_be_replaced_is_no_secret() {
        for value in ["changeme", "CHANGE_ME", "Replace-Me!", "xxxxxxxx", "********", "your-api-key", "todo", "null"] {
            assert!(Placeholders::Allow.hold(value), "{value}");
        }
        for value in ["dummy-token", "example-password", "change me, please", "ChangeMe!", "yourpassword"] {
            assert!(Placeholders::Allow.hold(value), "{value}");
        }
        for value in ["changeme", "change-me", "dummy-token", "your-api-key"] {
            assert!(!Placeholders::Judge.hold(value), "{value}");
        }
    }

    #[test]
    fn what_asks_to_be_replaced_beside_something_else_is_a_secret() {
        for value in ["changeme-prod-4711", "changeme123", "changeit1", "example$Kq!", "dummy-XkQvBz", "yoursTruly"] {
            assert!(!Placeholders::Allow.hold(value), "{value}");
        }
    }

    #[test]
    fn weak_passwords_and_odd_ones_are_secrets_all_the_same() {
        for value in ["password", "postgres", "hunter2", "guest", "yours4ever", "a<b", "P@ss{1}x", "$2b$12$abc"] {
            assert!(!Placeholders::Allow.hold(value), "{value}");
        }
    }

    #[test]
    fn where_a_secret_lies_is_no_secret() {
        for value in [
            "/run/secrets/db-password",
            "./key.pem",
            "C:\\secrets\\key.pem",
            "vault:secret/data/db#password",
            "arn:aws:secretsmanager:eu-west-1:1:secret:db",
            "projects/p/secrets/db/versions/1",
            "op://vault/item/field",
            "https://auth.example/token",
            "@Microsoft.KeyVault(SecretUri=x)",
        ] {
            assert!(is_reference(value), "{value}");
        }
        for value in ["/aQ7zK2mWb4aQ7zK2mWb4aQ7zK2mWb4aQ7zK2mWb4", "aQ7zK2/mWb4", "hunter2"] {
            assert!(!is_reference(value), "{value}");
        }
    }

    #[test]
    fn names_of_objects_are_words() {
        for value in ["app-secrets", "shop-db-credentials", "app-secrets-7f9k2dmh5t", "tls.shop.example"] {
            assert!(is_object_name(value), "{value}");
        }
        for value in ["hunter2", "3f2b8c1d-9a7e-4b6f-8c1d", "App-Secrets", "-a", ""] {
            assert!(!is_object_name(value), "{value}");
        }
    }
}
