//! Which texts name an image at all, as container runtimes read them: the grammar of github.com/distribution/reference,
//! and for digests the algorithms that the OCI image specification registers. Where an image comes from is not told
//! here.

use std::fmt;

use super::Reference;

/// The longest name that runtimes take, registry included.
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;
/// As many digits has the id of an image on one machine.
const ID_DIGITS: usize = 64;

/// Why a text is no name of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Its registry or its repository is none.
    Name,
    /// It is what one machine calls an image: no registry knows it by that.
    Id,
    /// Its tag is none.
    Tag,
    /// Its digest is none, or too short.
    Digest,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => {
                "a repository is parts of small letters and digits between slashes, behind the host of its registry"
            }
            Self::Id => "64 hexadecimal digits are the id of an image on one machine, which no registry knows",
            Self::Tag => "a tag is up to 128 letters, digits, dots, underscores and hyphens",
            Self::Digest => {
                "a digest is sha256: and 64 hexadecimal digits, or sha512: and 128 of them, the letters small"
            }
        })
    }
}

impl std::error::Error for Unreadable {}

/// Refuses a text that no runtime reads; `parts` are its own.
pub(super) fn check(text: &str, parts: &Reference<'_>) -> Result<(), Unreadable> {
    let wrong = [
        (!is_name(parts.name), Unreadable::Name),
        (text.len() == ID_DIGITS && text.bytes().all(is_hexadecimal), Unreadable::Id),
        (parts.tag.is_some_and(|tag| !is_tag(tag)), Unreadable::Tag),
        (parts.digest.is_some_and(|digest| !is_digest(digest)), Unreadable::Digest),
    ];
    wrong.into_iter().find_map(|(is_wrong, why)| is_wrong.then_some(why)).map_or(Ok(()), Err)
}

fn is_name(name: &str) -> bool {
    let is_read = match name.split_once('/') {
        // `team/app` is a path of two parts; `host:5000/app` and `Host/app` are not.
        Some((first, rest)) => (is_part(first) || is_host(first)) && rest.split('/').all(is_part),
        None => is_part(name),
    };
    is_read && name.len() <= LONGEST_NAME
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
    let label = label.as_bytes();
    has_ends(label, u8::is_ascii_alphanumeric) && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// A part of a path: words of small letters and digits, parted by one `.`, one or two `_`, or any number of `-`.
fn is_part(part: &str) -> bool {
    let part = part.as_bytes();
    let is_separator = |run: &[u8]| matches!(run, b"" | b"." | b"_" | b"__") || run.iter().all(|byte| *byte == b'-');
    has_ends(part, is_plain) && part.split(is_plain).all(is_separator)
}

fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn has_ends(text: &[u8], is_end: impl Fn(&u8) -> bool) -> bool {
    text.first().is_some_and(&is_end) && text.last().is_some_and(&is_end)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    tag.len() <= LONGEST_TAG
        && tag.as_bytes().first().is_some_and(is_word)
        && tag.as_bytes().iter().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    let digits = |count: usize, hex: &str| hex.len() == count && hex.bytes().all(is_hexadecimal);
    match digest.split_once(':') {
        Some(("sha256", hex)) => digits(64, hex),
        Some(("sha512", hex)) => digits(128, hex),
        _ => false,
    }
}

fn is_hexadecimal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> Option<Unreadable> {
        Reference::read(text).err()
    }

    #[test]
    fn what_runtimes_read_is_an_image() {
        for text in [
            "nginx",
            "team/app_a/b__c/d.e/f---g:V1.2_x-y",
            "localhost:5000/app",
            "Registry.Example/team/app",
            "[::1]:5000/app:2",
            "[fd00::1]/app",
            "127.0.0.1/app",
            "EVIL/a",
        ] {
            assert_eq!(why(text), None, "{text}");
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
            "https://ghcr.io/app",
            "ghcr.io\\app",
            "",
        ] {
            assert_eq!(why(text), Some(Unreadable::Name), "{text}");
        }
        assert_eq!(why(&"a".repeat(256)), Some(Unreadable::Name));
    }

    #[test]
    fn a_tag_is_a_word() {
        for text in ["app:".to_owned(), "app:.1".to_owned(), format!("a:{}", "b".repeat(129))] {
            assert_eq!(why(&text), Some(Unreadable::Tag), "{text}");
        }
    }

    #[test]
    fn a_digest_is_as_long_as_its_algorithm_makes_it() {
        let (short, long) = ("0a".repeat(32), "0a".repeat(64));
        for digest in [format!("sha256:{short}"), format!("sha512:{long}")] {
            assert_eq!(why(&format!("nginx:1@{digest}")), None, "{digest}");
        }
        for digest in [
            String::new(),
            "sha256".to_owned(),
            "sha256:".to_owned(),
            format!("sha256:{long}"),
            format!("sha512:{short}"),
            format!("sha256:{}", short.to_uppercase()),
            format!("sha256:{}", "0g".repeat(32)),
            format!("md5:{short}"),
            format!("sha256:{short}@sha256:{short}"),
            short.clone(),
        ] {
            assert_eq!(why(&format!("nginx:1@{digest}")), Some(Unreadable::Digest), "{digest}");
        }
    }

    #[test]
    fn what_one_machine_calls_an_image_is_none() {
        assert_eq!(why(&"0a".repeat(32)), Some(Unreadable::Id));
    }
}
