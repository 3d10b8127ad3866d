//! Image references: what Docker and containerd read in a name, and what they refuse.

use portreeve_supply::reference::{Algorithm, Digest, Fault, ImageReference, RegistryHost};
use proptest::prelude::*;

const SHA256: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn image(written: &str) -> ImageReference {
    written.parse().unwrap()
}

fn fault(written: &str) -> (Fault, usize) {
    let error = written.parse::<ImageReference>().unwrap_err();
    (error.fault().clone(), error.at())
}

#[test]
fn reads_names_as_docker_does() {
    for (written, canonical) in [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/team/app:1", "docker.io/team/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000/a/b/c:v1"),
        ("[::1]:5000/app:v1", "[::1]:5000/app:v1"),
        ("Registry/app", "registry/app:latest"),
        ("REGISTRY.example/app", "registry.example/app:latest"),
        ("ghcr.io/a__b/c-d.e---f:T_a.g-1", "ghcr.io/a__b/c-d.e---f:T_a.g-1"),
    ] {
        assert_eq!(image(written).canonical(), canonical, "{written}");
    }
}

#[test]
fn a_digest_alone_stands_without_a_tag() {
    let by_digest = image(&format!("nginx@{SHA256}"));
    assert_eq!(by_digest.tag(), None);
    assert_eq!(by_digest.canonical(), format!("docker.io/library/nginx@{SHA256}"));
}

#[test]
fn reads_a_tag_and_a_digest_together() {
    let both = image(&format!("ghcr.io/team/app:v1@{SHA256}"));
    assert_eq!(both.tag().unwrap().as_str(), "v1");
    assert_eq!(both.digest().unwrap().to_string(), SHA256);
}

#[test]
fn pinning_keeps_the_tag_and_the_writers_spelling() {
    let digest: Digest = SHA256.parse().unwrap();
    for (written, pinned) in [
        ("nginx:1.27", format!("nginx:1.27@{SHA256}")),
        ("nginx", format!("nginx:latest@{SHA256}")),
        ("Docker.io/nginx:1", format!("Docker.io/nginx:1@{SHA256}")),
        (&format!("r.example/a@sha256:{}", "a".repeat(64)), format!("r.example/a@{SHA256}")),
    ] {
        assert_eq!(image(written).with_digest(digest.clone()).to_string(), pinned);
    }
}

#[test]
fn by_tag_drops_the_digest_only_where_a_tag_is_left() {
    assert_eq!(image(&format!("nginx:1@{SHA256}")).by_tag().to_string(), "nginx:1");
    assert_eq!(image(&format!("nginx@{SHA256}")).by_tag().to_string(), format!("nginx@{SHA256}"));
}

#[test]
fn says_what_is_wrong_and_where() {
    let letters = |count: usize| "a".repeat(count);
    for (written, expected, at) in [
        (String::new(), Fault::Empty, 0),
        (letters(64), Fault::ImageId, 0),
        ("team/App".into(), Fault::Uppercase, 5),
        ("Nginx".into(), Fault::Uppercase, 0),
        ("a//b".into(), Fault::EmptyPart, 2),
        ("r.example/".into(), Fault::Empty, 10),
        ("a/".into(), Fault::EmptyPart, 2),
        ("a..b".into(), Fault::Separator, 1),
        ("-a".into(), Fault::Separator, 0),
        ("a_".into(), Fault::Separator, 2),
        ("a___b".into(), Fault::Separator, 1),
        ("nginx 1".into(), Fault::RepositoryCharacter(' '), 5),
        ("nginxé".into(), Fault::RepositoryCharacter('é'), 5),
        ("nginx:".into(), Fault::EmptyTag, 6),
        ("nginx:-1".into(), Fault::TagCharacter('-'), 6),
        ("nginx:1:2".into(), Fault::TagCharacter(':'), 7),
        (format!("nginx:{}", letters(129)), Fault::TagTooLong { limit: 128 }, 134),
        (letters(248), Fault::RepositoryTooLong { limit: 255 }, 0),
        (format!("r.example/{}", letters(256)), Fault::RepositoryTooLong { limit: 255 }, 10),
        ("foo_bar.example/a".into(), Fault::Host, 0),
        ("[::1/a".into(), Fault::Host, 0),
        ("r.example:/a".into(), Fault::Port, 10),
        ("r.example:99999/a".into(), Fault::Port, 10),
        ("nginx@".into(), Fault::DigestShape, 6),
        ("nginx@md5:00".into(), Fault::DigestAlgorithm, 6),
        ("nginx@sha256:AB".into(), Fault::DigestCharacter('A'), 13),
        ("nginx@sha256:ab".into(), Fault::DigestLength { algorithm: Algorithm::Sha256, found: 2 }, 13),
    ] {
        assert_eq!(fault(&written), (expected, at), "{written}");
    }
}

#[test]
fn an_error_shows_the_string_the_place_and_the_remedy() {
    let error = "team/App".parse::<ImageReference>().unwrap_err();
    assert_eq!(error.to_string(), r#""team/App", at byte 5: a repository's name is written in lower case"#);
}

#[test]
fn an_error_shows_the_beginning_of_a_long_string_only() {
    let error = "A".repeat(10_000).parse::<ImageReference>().unwrap_err();
    assert!(error.to_string().len() < 300);
}

#[test]
fn reads_sha512_digests() {
    let digest = Digest::of(Algorithm::Sha512, b"content");
    let pinned = image(&format!("nginx@{digest}"));
    assert!(pinned.digest().unwrap().names(b"content"));
    assert!(!pinned.digest().unwrap().names(b"other content"));
}

#[test]
fn knows_which_hosts_are_this_machine() {
    let loopback = |host: &str| host.parse::<RegistryHost>().unwrap().is_loopback();
    assert!(loopback("localhost:5000") && loopback("127.0.0.1:1") && loopback("[::1]:1"));
    assert!(!loopback("127.0.0.1.example") && !loopback("registry.example:5000"));
}

#[test]
fn a_digest_is_a_string_in_json() {
    let digest: Digest = serde_json::from_str(&format!("{SHA256:?}")).unwrap();
    assert_eq!(serde_json::to_string(&digest).unwrap(), format!("{SHA256:?}"));
}

/// Strings of the published grammar, all of which have to be read.
fn by_the_grammar() -> impl Strategy<Value = String> {
    let host = "([a-zA-Z0-9]([a-zA-Z0-9-]{0,4}[a-zA-Z0-9])?\\.){1,3}[a-z0-9]{1,3}(:[1-9][0-9]{0,3})?/";
    let part = "[a-z0-9]{1,4}(([._]|__|-{1,3})[a-z0-9]{1,4}){0,2}";
    // A first part with a dot would be a host, and hosts have a stricter grammar.
    let first = "[a-z0-9]{1,4}((_|__|-{1,3})[a-z0-9]{1,4}){0,2}";
    let name = format!("({host})?{first}(/{part}){{0,3}}");
    let tag = "(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?";
    let digest = "(@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?";
    proptest::string::string_regex(&format!("{name}{tag}{digest}")).unwrap()
}

proptest! {
    #[test]
    fn every_string_of_the_grammar_is_read_and_written_back_as_it_was(written in by_the_grammar()) {
        prop_assert_eq!(image(&written).to_string(), written);
    }

    #[test]
    fn the_canonical_spelling_names_the_same_image(written in by_the_grammar()) {
        let canonical = image(&written).canonical();
        prop_assert_eq!(image(&canonical).canonical(), canonical);
    }

    #[test]
    fn a_pinned_image_is_read_as_the_same_name_with_the_digest(written in by_the_grammar()) {
        let digest = Digest::sha256_of(written.as_bytes());
        let before = image(&written);
        let pinned = image(&before.with_digest(digest.clone()).to_string());
        prop_assert_eq!(pinned.digest(), Some(&digest));
        prop_assert_eq!(pinned.tag(), before.tag());
        prop_assert_eq!(pinned.repository(), before.repository());
    }

    #[test]
    fn any_string_is_read_or_refused_at_a_place_within_it(written in "[a-zA-Z0-9:/@._\\[\\] é-]{0,80}") {
        match written.parse::<ImageReference>() {
            Ok(image) => prop_assert_eq!(image.to_string(), written),
            Err(error) => prop_assert!(error.at() <= written.len()),
        }
    }
}
