//! Names that say that their value is a secret, and whether the value is one: long enough and mixed enough to open
//! something. Which words make a name speak of something else is told in `about`.

use super::about::is_about;
use super::placeholder::{is_object_name, is_reference};
use super::settings::{Passwords, Settings};

/// What a name calls its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// A password, as people choose them: often short, seldom mixed.
    Password,
    /// A token, or a key that opens something.
    Secret,
    /// One of these, or what holds it: `DB_SECRET`, `CREDENTIALS`; or something about it in words that are not known.
    SecretOrObject,
    /// A key, which may as well be one of a table or a cache.
    Key,
}

/// Words for passwords.
const PASSWORDS: [&str; 6] = ["PASSWORD", "PASSWORDS", "PASSWD", "PASSPHRASE", "PASSCODE", "REQUIREPASS"];
/// Words before a word for a password that make a switch of it: `--no-password`, `ASK_PASSWORD`.
const SWITCHES: [&str; 16] = [
    "ALLOW", "ASK", "CHANGE", "DISABLE", "ENABLE", "FORCE", "GENERATE", "HIDE", "NO", "PROMPT", "RANDOM", "REQUIRE",
    "RESET", "SHOW", "SKIP", "WITHOUT",
];
/// Words for secrets, or for objects that hold them.
const OBJECTS: [&str; 5] = ["SECRET", "SECRETS", "CREDENTIAL", "CREDENTIALS", "SALT"];
/// What one word ends with that was written without separators, and is no password.
const ENDINGS: [&str; 5] = ["TOKEN", "APIKEY", "SECRETKEY", "ACCESSKEY", "PRIVATEKEY"];
/// What one word ends with that is a password.
const PASSWORD_ENDINGS: [&str; 3] = ["PASSWORD", "PASSWD", "PASSPHRASE"];
/// Words before `KEY` that make a secret of it; of itself a key may be one of a table or a cache.
const KEYS: [&str; 26] = [
    "ACCESS",
    "ACCOUNT",
    "AES",
    "API",
    "APP",
    "AUTH",
    "BATCH",
    "CLIENT",
    "CONSUMER",
    "CRYPT",
    "ENCRYPTION",
    "FERNET",
    "HMAC",
    "JWT",
    "LICENSE",
    "MASTER",
    "PRIVATE",
    "SECRET",
    "SERVICE",
    "SESSION",
    "SHARED",
    "SIGNING",
    "SSH",
    "STORAGE",
    "SUBSCRIPTION",
    "TLS",
];
/// Words before `KEY` by which it is one to look something up.
const LOOKUPS: [&str; 9] =
    ["CACHE", "FOREIGN", "GROUP", "IDEMPOTENCY", "OBJECT", "PARTITION", "ROUTING", "SHARD", "SORT"];
/// Words that make a key public.
const PUBLIC: [&str; 5] = ["PUBLIC", "PUB", "PUBLISHABLE", "ANON", "SITE"];
/// Words that say nothing about what a value is.
const PASSED_OVER: [&str; 18] = [
    "B64",
    "BASE64",
    "VALUE",
    "PLAIN",
    "PLAINTEXT",
    "RAW",
    "STRING",
    "DEV",
    "TEST",
    "STAGING",
    "PROD",
    "LIVE",
    "PRIMARY",
    "SECONDARY",
    "OLD",
    "NEW",
    "CURRENT",
    "PREVIOUS",
];
/// The fewest characters in a row of a key that is known by its looks: of 96 bits in base64.
const KEY_LENGTH: usize = 16;

/// What the name of a variable or an argument calls its value; none if not a secret. The last word for a secret counts,
/// unless what follows it speaks of something about the secret, such as `PASSWORD_FILE` or `TOKEN_TTL`.
pub(super) fn called(name: &str) -> Option<Called> {
    let words = words(name);
    let said = |word: &&str| !PASSED_OVER.contains(word) && !word.chars().all(|c| c.is_ascii_digit());
    let words: Vec<&str> = words.iter().map(String::as_str).filter(said).collect();
    let is_public = words.iter().any(|word| PUBLIC.contains(word));
    let (called, behind) = (0..words.len()).rev().find_map(|at| {
        let (before, here) = words.split_at_checked(at)?;
        let (word, behind) = here.split_first()?;
        word_for_secret(before.last().copied(), word, behind.is_empty(), is_public).map(|called| (called, behind))
    })?;
    match called {
        _ if behind.iter().any(|word| is_about(word)) => None,
        Called::Password | Called::Secret if !behind.is_empty() => Some(Called::SecretOrObject),
        // What stands there may be no password at all: it has to look like one.
        Called::Password if words.iter().any(|word| SWITCHES.contains(word)) => Some(Called::Secret),
        called => Some(called),
    }
}

/// What one word of a name calls the value. Words that mean other things too have to be the last.
fn word_for_secret(before: Option<&str>, word: &str, is_last: bool, is_public: bool) -> Option<Called> {
    let ends = |endings: &[&str]| endings.iter().any(|ending| word.ends_with(ending));
    match word {
        // Of themselves the folder that a shell is in, and whether something passed.
        "PWD" => before.filter(|_| is_last).map(|_| Called::Password),
        "PASS" => is_last.then_some(if before.is_some() { Called::Password } else { Called::Secret }),
        "PAT" => is_last.then_some(Called::Secret),
        "KEY" | "KEYS" => before.filter(|_| !is_public).and_then(key),
        _ if PASSWORDS.contains(&word) => Some(Called::Password),
        _ if OBJECTS.contains(&word) => Some(Called::SecretOrObject),
        "TOKEN" => Some(Called::Secret),
        _ if is_public => None,
        _ if ends(&PASSWORD_ENDINGS) => Some(Called::Password),
        _ => ends(&ENDINGS).then_some(Called::Secret),
    }
}

fn key(before: &str) -> Option<Called> {
    match before {
        _ if KEYS.contains(&before) => Some(Called::Secret),
        _ => (!LOOKUPS.contains(&before)).then_some(Called::Key),
    }
}

/// Whether a value under such a name can be the secret itself.
pub(super) fn is_secret(called: Called, value: &str, settings: &Settings) -> bool {
    let value = value.trim();
    let is_mixed = || value.chars().count() >= settings.min_length && entropy_of(value) >= settings.min_entropy;
    let can_be = match called {
        Called::Password => settings.passwords == Passwords::Any || is_mixed(),
        Called::Secret => is_mixed(),
        Called::SecretOrObject => is_mixed() && !is_object_name(value),
        Called::Key => is_mixed() && has_key(value, settings.min_entropy),
    };
    can_be && !settings.placeholders.hold(value) && !is_reference(value)
}

/// Whether a long word of the value mixes letters and digits, as keys do that were made by chance.
fn has_key(value: &str, entropy: f64) -> bool {
    let is_key = |word: &str| {
        word.len() >= KEY_LENGTH
            && word.contains(|c: char| c.is_ascii_digit())
            && word.contains(|c: char| c.is_ascii_alphabetic())
            && entropy_of(word) >= entropy
    };
    value.split(|c: char| !c.is_ascii_alphanumeric() && !"+/".contains(c)).any(is_key)
}

/// Shannon's entropy of the characters, in bits for each.
pub(super) fn entropy_of(text: &str) -> f64 {
    let mut bytes: Vec<u8> = text.bytes().collect();
    bytes.sort_unstable();
    let all = share(bytes.len());
    let bits = bytes.chunk_by(|a, b| a == b).map(|alike| {
        let part = share(alike.len()) / all;
        -part * part.log2()
    });
    bits.sum()
}

/// Values are far shorter than the largest number that is exact here.
fn share(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// `dbPassword`, `DB_PASSWORD` and `db.password` are the same two words.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        let begins = before.is_ascii_lowercase() && c.is_ascii_uppercase();
        match (begins || !c.is_ascii_alphanumeric(), words.last_mut()) {
            (false, Some(word)) => word.push(c.to_ascii_uppercase()),
            _ => words.push(
                Some(c).filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).into_iter().collect(),
            ),
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "DB_PASSWORD",
            "dbPassword",
            "spring.datasource.password",
            "PGPASSWORD",
            "MYSQL_PWD",
            "AWS_SECRET_ACCESS_KEY",
            "API_KEY",
            "apiKey",
            "OPENAI_APIKEY",
            "JWT_SECRET_2",
            "GITHUB_TOKEN",
            "TOKEN_B64",
            "SIGNING_KEY_PREVIOUS",
            "redis-pass",
            "CLIENT_SECRET",
            "GITHUB_PAT",
            "APP_KEY",
            "SECRET_KEY_BASE",
            "secretKeyBase",
            "AIRFLOW__CORE__FERNET_KEY",
            "AZURE_BATCH_KEY",
            "WORDPRESS_AUTH_SALT",
            "SECRET_BLAH",
            "PASSWORD_DB",
            "API_TOKEN_GITHUB",
            "TOKEN_URL_SECRET",
        ] {
            assert!(called(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_about_secrets_are_not_names_of_secrets() {
        for name in [
            "PWD",
            "OLDPWD",
            "PASSWORD_FILE",
            "SECRET_NAME",
            "TOKEN_URL",
            "TOKEN_TTL",
            "TOKEN_EXPIRY",
            "TOKEN_URL_GITHUB",
            "PASSWORD_MIN_LENGTH",
            "API_TOKEN_SECRET_REF",
            "PRIVATE_KEY_PATH",
            "SECRET_USERNAME",
            "SALT_ROUNDS",
            "PASSWORD_HASH",
            "KEY_PATH",
            "PASS_HOST_HEADER",
            "password-stdin",
            "MAX_TOKENS",
            "API_KEY_HEADER",
            "PUBLIC_KEY",
            "NEXT_PUBLIC_API_KEY",
            "STRIPE_PUBLISHABLE_KEY",
            "CACHE_KEY",
            "COMPASS",
            "AWS_ACCESS_KEY_ID",
            "dynamic-serving-ca-secret-name",
            "KEY",
            "",
        ] {
            assert_eq!(called(name), None, "{name}");
        }
    }

    #[test]
    fn entropy_is_shannons() {
        assert!(entropy_of("").abs() < 1e-9 && entropy_of("aaaa").abs() < 1e-9);
        assert!((entropy_of("abcd") - 2.0).abs() < 1e-9);
        assert!((entropy_of("12345678") - 3.0).abs() < 1e-9);
    }

    fn is(called: Called, value: &str) -> bool {
        is_secret(called, value, &Settings::default())
    }

    #[test]
    fn what_follows_a_word_for_a_password_may_be_what_the_value_is() {
        assert_eq!(called("DB_PASSWORD_2"), Some(Called::Password));
        assert_eq!(called("PASSWORD_DB"), Some(Called::SecretOrObject));
        assert_eq!(called("no-password"), Some(Called::Secret));
    }

    #[test]
    fn a_value_is_a_secret_if_it_is_long_and_mixed_and_no_reference() {
        assert!(is(Called::Secret, "S3cureP@ss") && is(Called::SecretOrObject, "k8sJ2nQ9xw"));
        assert!(
            !is(Called::Secret, "hunter2") && !is(Called::Secret, "postgres") && !is(Called::Secret, "$(OTHER_ONE)")
        );
        assert!(!is(Called::Secret, "/run/secrets/db-password"));
        assert!(!is(Called::SecretOrObject, "shop-db-credentials") && is(Called::Secret, "correct-horse-battery"));
    }

    #[test]
    fn a_password_needs_neither_length_nor_mixture() {
        for value in ["P@ssw0rd", "hunter2", "postgres", "abc123"] {
            assert!(is(Called::Password, value), "{value}");
        }
        for value in ["", "yes", "true", "********", "$PGPASSWORD", "changeme"] {
            assert!(!is(Called::Password, value), "{value}");
        }
    }

    #[test]
    fn a_key_that_the_name_says_nothing_of_is_known_by_its_looks() {
        assert!(is(Called::Key, "8f2c1e9ab7d4f0e6c5a3918273645f0a"));
        assert!(is(Called::Key, "pZ8xQ1vJ2mK4nL6oR9sT0uW3yB5cD7eF8gH1iJ2kL3M="));
        assert!(!is(Called::Key, "orders-by-customer-v2") && !is(Called::Key, "customerIdentifiers"));
    }
}
