//! Names that say that their value is a secret, and whether the value is one: long enough and mixed enough to open
//! something.

use super::placeholder::{is_object_name, is_placeholder, is_reference};

/// What a name calls its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// A password, a token, a key.
    Secret,
    /// The same, or the object that holds it: `DB_SECRET`, `CREDENTIALS`.
    SecretOrObject,
}

/// Last words of names of secrets.
const SECRETS: [&str; 9] =
    ["PASSWORD", "PASSWORDS", "PASSWD", "PASS", "PASSPHRASE", "PASSCODE", "TOKEN", "PAT", "REQUIREPASS"];
/// Last words of names of secrets, or of objects that hold them.
const OBJECTS: [&str; 4] = ["SECRET", "SECRETS", "CREDENTIAL", "CREDENTIALS"];
/// What one word ends with that was written without separators.
const ENDINGS: [&str; 8] =
    ["PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "APIKEY", "SECRETKEY", "ACCESSKEY", "PRIVATEKEY"];
/// Words before `KEY` that make a secret of it; of itself a key may be one of a table or a cache.
const KEYS: [&str; 23] = [
    "ACCESS",
    "ACCOUNT",
    "AES",
    "API",
    "APP",
    "AUTH",
    "CLIENT",
    "CONSUMER",
    "CRYPT",
    "ENCRYPTION",
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
];
/// Words that make a key public.
const PUBLIC: [&str; 5] = ["PUBLIC", "PUB", "PUBLISHABLE", "ANON", "SITE"];
/// Last words that say nothing about what a value is.
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

/// What the name of a variable or an argument calls its value; none if not a secret.
pub(super) fn called(name: &str) -> Option<Called> {
    let words = words(name);
    let said = |word: &&String| !PASSED_OVER.contains(&word.as_str()) && !word.chars().all(|c| c.is_ascii_digit());
    let mut backwards = words.iter().rev().skip_while(|word| !said(word)).map(String::as_str);
    let last = backwards.next()?;
    let before = backwards.next();
    let is_public = words.iter().any(|word| PUBLIC.contains(&word.as_str()));
    match last {
        // Of itself the folder that a shell is in.
        "PWD" => before.map(|_| Called::Secret),
        "KEY" | "KEYS" => before.filter(|before| KEYS.contains(before) && !is_public).map(|_| Called::Secret),
        _ if OBJECTS.contains(&last) => Some(Called::SecretOrObject),
        _ if SECRETS.contains(&last) => Some(Called::Secret),
        _ => (ENDINGS.iter().any(|ending| last.ends_with(ending)) && !is_public).then_some(Called::Secret),
    }
}

/// Whether a value under such a name can be the secret itself: of at least that many characters, with at least that many
/// bits of entropy in each.
pub(super) fn is_secret(called: Called, value: &str, length: usize, entropy: f64) -> bool {
    let value = value.trim();
    value.chars().count() >= length
        && entropy_of(value) >= entropy
        && !is_placeholder(value)
        && !is_reference(value)
        && !(called == Called::SecretOrObject && is_object_name(value))
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

    #[test]
    fn a_value_is_a_secret_if_it_is_long_and_mixed_and_no_reference() {
        let is = |called, value| is_secret(called, value, 8, 3.0);
        assert!(is(Called::Secret, "S3cureP@ss") && is(Called::SecretOrObject, "k8sJ2nQ9xw"));
        assert!(
            !is(Called::Secret, "hunter2") && !is(Called::Secret, "postgres") && !is(Called::Secret, "$(OTHER_ONE)")
        );
        assert!(!is(Called::Secret, "/run/secrets/db-password"));
        assert!(!is(Called::SecretOrObject, "shop-db-credentials") && is(Called::Secret, "correct-horse-battery"));
    }
}
