//! Names as the API server takes them, so that nothing is asked of it that it would refuse: RFC 1123 for DNS names, and
//! Kubernetes' own rules for labels.

/// The longest DNS label, name of a label, and value of one.
const LONGEST: usize = 63;

/// The longest DNS name.
const LONGEST_DOMAIN: usize = 253;

/// A DNS label, as namespaces are called.
pub(super) fn is_dns_label(name: &str) -> bool {
    name.len() <= LONGEST && is_dns_part(name)
}

/// A DNS name: labels with dots between them, as most objects are called.
pub(super) fn is_dns_name(name: &str) -> bool {
    name.len() <= LONGEST_DOMAIN && name.split('.').all(is_dns_part)
}

/// A part of a DNS name, of whatever length: the API server measures the whole.
fn is_dns_part(name: &str) -> bool {
    let lower = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    fits(name, lower, |letter| lower(letter) || letter == b'-')
}

/// The key of a label: a name, with a domain and `/` before it or not.
pub(super) fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((domain, name)) => is_dns_name(domain) && is_label_name(name),
        None => is_label_name(key),
    }
}

/// The value of a label, which may be empty.
pub(super) fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_label_name(value)
}

fn is_label_name(name: &str) -> bool {
    let alphanumeric = |letter: u8| letter.is_ascii_alphanumeric();
    name.len() <= LONGEST && fits(name, alphanumeric, |letter| alphanumeric(letter) || b"-_.".contains(&letter))
}

/// Whether a name begins and ends with such letters, and has such in between.
fn fits(name: &str, at_the_ends: impl Fn(u8) -> bool, between: impl Fn(u8) -> bool) -> bool {
    let (first, last) = (name.bytes().next(), name.bytes().last());
    first.is_some_and(&at_the_ends) && last.is_some_and(&at_the_ends) && name.bytes().all(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_called_by_dns_labels() {
        let longest = "a".repeat(63);
        for name in ["shop", "kube-system", "0", "a1", &longest] {
            assert!(is_dns_label(name), "{name}");
        }
        let too_long = "a".repeat(64);
        for name in ["", "Shop", "a.b", "a_b", "-a", "a-", "team-*", "a b", "ä", &too_long] {
            assert!(!is_dns_label(name), "{name}");
        }
    }

    #[test]
    fn the_key_of_a_label_may_have_a_domain() {
        for key in ["app", "App_1.x", "app.kubernetes.io/name", "a/b"] {
            assert!(is_label_key(key), "{key}");
        }
        let too_long = format!("{}/a", "a.".repeat(127));
        for key in ["", "/a", "a/", "a/b/c", "A.example/b", "a b", "-a", "a_", "a..b/c", &too_long] {
            assert!(!is_label_key(key), "{key}");
        }
    }

    #[test]
    fn the_value_of_a_label_may_be_empty() {
        for value in ["", "gold", "Gold_1.x"] {
            assert!(is_label_value(value), "{value}");
        }
        let too_long = "a".repeat(64);
        for value in [" ", "a b", "a/b", "*", "_a", &too_long] {
            assert!(!is_label_value(value), "{value}");
        }
    }
}
