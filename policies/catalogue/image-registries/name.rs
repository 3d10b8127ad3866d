//! Which texts name an image at all, as container runtimes read them: the grammar of github.com/distribution/reference,
//! and for digests that of the OCI image specification. Where an image comes from is told in `repository`.

use portreeve_sdk::image::Reference;

/// The longest name that runtimes take, registry included.
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;

/// Whether the text names an image.
pub(super) fn is_image(text: &str) -> bool {
    let Reference { name, tag, digest } = Reference::parse(text);
    name.len() <= LONGEST_NAME && is_name(name) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

fn is_name(name: &str) -> bool {
    match name.split_once('/') {
        // `team/app` is a path of two parts; `host:5000/app` and `Host/app` are not.
        Some((first, rest)) => (is_part(first) || is_host(first)) && rest.split('/').all(is_part),
        None => is_part(name),
    }
}

/// A domain or an address, with or without a port.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':').filter(|(name, _)| !name.starts_with('[') || name.ends_with(']')) {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_address =
        |address: &str| !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    port.is_none_or(is_port) && address.map_or_else(|| name.split('.').all(is_label), is_address)
}

/// A part of a domain.
fn is_label(label: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    label.starts_with(ends) && label.ends_with(ends) && label.chars().all(|c| ends(c) || c == '-')
}

/// A part of a path: words of small letters and digits, parted by one `.`, one or two `_`, or any number of `-`.
fn is_part(part: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator = |run: &str| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
    part.starts_with(is_plain) && part.ends_with(is_plain) && part.split(is_plain).all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= LONGEST_TAG && tag.starts_with(is_word) && tag.chars().all(|c| is_word(c) || ".-".contains(c))
}

fn is_digest(digest: &str) -> bool {
    let is_algorithm = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+._-".contains(c);
    let is_encoded = |c: char| c.is_ascii_alphanumeric() || "=_-".contains(c);
    digest.split_once(':').is_some_and(|(algorithm, encoded)| {
        !algorithm.is_empty()
            && !encoded.is_empty()
            && algorithm.chars().all(is_algorithm)
            && encoded.chars().all(is_encoded)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runtimes_read_is_an_image() {
        for text in [
            "nginx",
            "nginx:1.27@sha256:aa",
            "team/app_a/b__c/d.e/f---g:V1.2_x-y",
            "localhost:5000/app",
            "Registry.Example/team/app@sha512:aa",
            "[::1]:5000/app:2",
            "[fd00::1]/app",
            "127.0.0.1/app",
            "EVIL/a",
        ] {
            assert!(is_image(text), "{text}");
        }
    }

    #[test]
    fn what_they_refuse_is_none() {
        for text in [
            "allowed/../denied/nginx",
            "ghcr.io/team/UPPER",
            "allowed/UPPER",
            "UPPER",
            "ghcr.io//app",
            "ghcr.io/app/",
            "/app",
            "ghcr.io/a..b",
            "ghcr.io/a___b",
            "ghcr.io/-a",
            "ghcr.io/a b",
            "ghcr.io/a%2fb",
            "ghcr.io:/app",
            "ghcr.io:a/app",
            "-ghcr.io/app",
            "[::1/app",
            "[]/app",
            "app:",
            "app:.1",
            "app@sha256",
            "app@sha256:a@sha256:b",
            "https://ghcr.io/app",
            "ghcr.io\\app",
            "",
        ] {
            assert!(!is_image(text), "{text}");
        }
        assert!(!is_image(&"a".repeat(256)) && !is_image(&format!("a:{}", "b".repeat(129))));
    }
}
