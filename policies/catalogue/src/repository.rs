//! The repository that an image comes from, named as container runtimes name it, and patterns over repositories.
//! Whether one is trusted is the policies' to say; how a name is read, the SDK's.

use std::borrow::Cow;
use std::fmt;

use portreeve_sdk::glob::Glob;
use portreeve_sdk::image::{DOCKER_HUB, OLD_DOCKER_HUB, Reference, is_registry, official, split_registry};
use serde::Deserialize;

/// A registry and the path of a repository in it: `docker.io` and `library/nginx` for `nginx`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository<'a> {
    /// Host, with a port if one is named.
    pub(crate) registry: &'a str,
    /// Without a tag or a digest.
    pub(crate) path: Cow<'a, str>,
}

impl<'a> Repository<'a> {
    /// The repository of an image.
    pub(crate) fn of(image: &Reference<'a>) -> Self {
        Self { registry: image.registry(), path: image.path() }
    }
}

impl fmt::Display for Repository<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// Whether a pattern is nothing but stars.
fn is_any(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*')
}

/// Repositories: `registry.example` or `registry.example/**` for all of a registry, `registry.example/team/**` for what
/// is below, `nginx` or `grafana/*` on Docker Hub. `*` and `**` stand for any characters, slashes too; in the registry
/// they never reach past it, and unless they are all of it a domain follows. Tags have no say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RepositoryPattern {
    text: String,
    registry: Glob,
    path: Glob,
}

impl RepositoryPattern {
    /// The pattern as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the repository is one of those meant.
    pub(crate) fn matches(&self, repository: &Repository<'_>) -> bool {
        self.registry.matches(repository.registry) && self.path.matches(&repository.path)
    }

    /// Whether any of the patterns takes the image.
    pub(crate) fn any(patterns: &[Self], image: &Reference<'_>) -> bool {
        let repository = Repository::of(image);
        patterns.iter().any(|pattern| pattern.matches(&repository))
    }

    /// Whether any of the patterns takes an image as somebody wrote it. What no runtime reads is taken by none.
    pub(crate) fn any_written(patterns: &[Self], image: &str) -> bool {
        !patterns.is_empty() && Reference::read(image).is_ok_and(|image| Self::any(patterns, &image))
    }
}

impl TryFrom<String> for RepositoryPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        let (registry, path) = pattern_parts(&text)?;
        Ok(Self { registry: Glob::from(registry), path: Glob::from(&*path), text })
    }
}

/// The pattern of the registry and that of the path.
///
/// # Errors
/// If the text names an image rather than a repository, or nothing.
pub(crate) fn pattern_parts(text: &str) -> Result<(&str, Cow<'_, str>), PatternError> {
    if text.is_empty() || text.contains(char::is_whitespace) || text.starts_with('/') || text.ends_with('/') {
        return Err(PatternError::NoName);
    }
    if text.contains('@') || text.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        return Err(PatternError::Tagged);
    }
    let parts = match text.split_once('/') {
        None if is_any(text) => (text, Cow::Borrowed(text)),
        None if text == OLD_DOCKER_HUB => (DOCKER_HUB, Cow::Borrowed("*")),
        None if is_registry(text) => (text, Cow::Borrowed("*")),
        None => (DOCKER_HUB, in_hub(text)),
        Some((first, rest)) if is_any(first) => (first, Cow::Borrowed(rest)),
        Some(_) => {
            let (registry, path) = split_registry(text);
            let registry = registry.unwrap_or(DOCKER_HUB);
            (registry, if registry == DOCKER_HUB { in_hub(path) } else { Cow::Borrowed(path) })
        }
    };
    if is_open(parts.0) { Err(PatternError::OpenRegistry) } else { Ok(parts) }
}

/// A pattern of a path on Docker Hub. One that takes everything takes what is not official too.
fn in_hub(path: &str) -> Cow<'_, str> {
    if is_any(path) { Cow::Borrowed(path) } else { official(DOCKER_HUB, path) }
}

/// A registry, or a pattern of one, without its port.
pub(crate) fn host(registry: &str) -> &str {
    registry.rsplit_once(':').map_or(registry, |(host, _)| host)
}

/// Whether anybody can own a host that a pattern of a registry takes. Who owns a host is told by its end: after the
/// last star there has to be a whole domain. A pattern that takes every registry says so, and means it.
fn is_open(registry: &str) -> bool {
    let host = host(registry);
    let end = host.rsplit_once('*').map(|(_, end)| end.strip_prefix('.').unwrap_or_default());
    !is_any(host) && end.is_some_and(|domain| domain.is_empty() || domain.starts_with('.'))
}

/// Why a text is no pattern over repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatternError {
    /// It is empty, holds white space, or begins or ends with a slash.
    NoName,
    /// It holds a tag or a digest, or what may be a port without anything behind it.
    Tagged,
    /// Anybody can own a registry that it takes.
    OpenRegistry,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoName => "not a repository such as \"registry.example/team/**\" or \"nginx\"",
            Self::Tagged => {
                "tags and digests have no say here: leave them out; if this is a port, write \"host:port/**\""
            }
            Self::OpenRegistry => {
                "anybody can own a registry that is named so: write its whole name as in \"ghcr.io/**\", \
                 \"*.domain/**\" for all below a domain, or \"**\" for every registry"
            }
        })
    }
}

impl std::error::Error for PatternError {}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for RepositoryPattern {
    fn schema_name() -> Cow<'static, str> {
        "RepositoryPattern".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "Repositories, such as `registry.example/team/**`, `registry.example` for all of a registry, \
                            or `nginx` on Docker Hub; `*` stands for any characters. Without a tag.",
        })
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl serde::Serialize for RepositoryPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(image: &str) -> String {
        Repository::of(&Reference::read(image).unwrap()).to_string()
    }

    fn takes(pattern: &str, image: &str) -> bool {
        let pattern = RepositoryPattern::try_from(pattern.to_owned()).unwrap();
        pattern.matches(&Repository::of(&Reference::read(image).unwrap()))
    }

    #[test]
    fn names_without_a_registry_are_on_docker_hub() {
        assert_eq!(name("nginx:1.27"), "docker.io/library/nginx");
        assert_eq!(name("grafana/grafana"), "docker.io/grafana/grafana");
        assert_eq!(name("docker.io/nginx"), "docker.io/library/nginx");
        assert_eq!(name("index.docker.io/library/nginx"), "docker.io/library/nginx");
    }

    #[test]
    fn a_dot_a_port_a_capital_and_localhost_make_a_registry() {
        for image in ["ghcr.io/a/b", "mirror:5000/a/b", "EVIL/a/b", "localhost/b"] {
            assert_eq!(name(image), image);
        }
    }

    #[test]
    fn a_registry_is_never_hidden_in_the_path() {
        assert_eq!(name("docker.io/ghcr.io/a"), "docker.io/ghcr.io/a");
        assert_eq!(name("library/ghcr.io/a"), "docker.io/library/ghcr.io/a");
        assert!(!takes("ghcr.io/**", "docker.io/ghcr.io/a"));
        assert!(!takes("ghcr.io/**", "library/ghcr.io/a"));
    }

    #[test]
    fn a_pattern_takes_a_registry_a_tree_or_one_repository() {
        assert!(takes("ghcr.io", "ghcr.io/any/thing:1"));
        assert!(takes("*.azurecr.io/**", "shop.azurecr.io/team/api"));
        assert!(takes("ghcr.io/team/**", "ghcr.io/team/a/b") && !takes("ghcr.io/team/**", "ghcr.io/teams/a"));
        assert!(takes("nginx", "docker.io/library/nginx:1") && !takes("nginx", "nginxinc/nginx"));
        assert!(takes("docker.io/**", "nginx") && takes("index.docker.io", "a/b"));
        assert!(takes("**", "EVIL/x") && takes("*/base/**", "quay.io/base/x"));
        assert!(takes("mirror:5000/**", "mirror:5000/x"));
    }

    #[test]
    fn a_star_never_reaches_past_the_registry() {
        assert!(!takes("*.example/**", "evil.io/x.example/y"));
        assert!(!takes("nginx*", "nginx.evil.example/x"));
    }

    #[test]
    fn what_is_no_repository_is_refused() {
        let refused = |text: &str| RepositoryPattern::try_from(text.to_owned()).unwrap_err();
        for text in ["", "a b", "/a", "ghcr.io/"] {
            assert_eq!(refused(text), PatternError::NoName, "{text}");
        }
        for text in ["nginx:1.27", "registry:5000", "ghcr.io/a@sha256:aa", "ghcr.io/a:1"] {
            assert_eq!(refused(text), PatternError::Tagged, "{text}");
        }
    }

    #[test]
    fn a_registry_that_anybody_can_own_is_refused_whatever_its_port() {
        for host in
            ["ghcr.io*", "registry.example.*", "*example.com", "*.*", "*.", "*..com", "a*.b*", "*-docker.pkg.dev"]
        {
            for text in
                [format!("{host}/**"), format!("{host}:5000/**"), format!("{host}:*/**"), format!("{host}/team/a")]
            {
                let refused = RepositoryPattern::try_from(text.clone());
                assert_eq!(refused, Err(PatternError::OpenRegistry), "{text}");
            }
        }
        assert_eq!(RepositoryPattern::try_from("ghcr.io*".to_owned()), Err(PatternError::OpenRegistry));
    }

    #[test]
    fn a_star_before_a_domain_takes_hosts_of_that_domain_alone() {
        let ecr = "123456789012.dkr.ecr.*.amazonaws.com/**";
        assert!(takes(ecr, "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a"));
        assert!(!takes(ecr, "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example/a"));
        assert!(takes("*.example.com:*/**", "a.example.com:5000/x") && !takes("*.example.com/**", "evilexample.com/x"));
        assert!(takes("ghcr.io:*/**", "ghcr.io:5000/x") && !takes("ghcr.io:*/**", "ghcr.io.evil.example:5000/x"));
        assert!(takes("*:5000/**", "mirror:5000/x"));
    }
}
