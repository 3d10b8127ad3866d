//! Image references as users write them, and patterns over them. Nothing here asks a registry.

use std::borrow::Cow;

use serde::Deserialize;

/// A reference such as `nginx`, `ghcr.io/org/app:1.2` or `localhost:5000/app@sha256:…`, taken apart. Any text has
/// parts: what is no valid reference is refused by the API server or by the kubelet, not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Registry and repository, as written.
    pub name: &'a str,
    /// The tag; none if none was written.
    pub tag: Option<&'a str>,
    /// The digest, such as `sha256:…`.
    pub digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Takes a reference apart.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let (tagged, digest) = match text.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to a port.
        match tagged.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((name, tag)) => Self { name, tag: Some(tag), digest },
            None => Self { name: tagged, tag: None, digest },
        }
    }

    /// The tag that is meant: `latest` if neither a tag nor a digest was written.
    #[must_use]
    pub fn effective_tag(&self) -> Option<&'a str> {
        self.tag.or(if self.digest.is_none() { Some("latest") } else { None })
    }

    /// Registry and repository in the shortest form: `nginx` for `docker.io/library/nginx`.
    #[must_use]
    pub fn familiar_name(&self) -> &'a str {
        let hub = ["docker.io/", "index.docker.io/"].iter().find_map(|hub| self.name.strip_prefix(hub));
        let name = hub.unwrap_or(self.name);
        // `library/nginx` is short for the same; `library` is no registry, since it has no dot.
        name.strip_prefix("library/").unwrap_or(name)
    }

    /// Registry and repository in full: `docker.io/library/nginx` for `nginx`.
    #[must_use]
    pub fn full_name(&self) -> Cow<'a, str> {
        let short = self.familiar_name();
        match short.split_once('/') {
            Some((registry, _)) if registry.contains(['.', ':']) || registry == "localhost" => Cow::Borrowed(short),
            Some(_) => Cow::Owned(["docker.io/", short].concat()),
            None => Cow::Owned(["docker.io/library/", short].concat()),
        }
    }
}

/// A pattern over images, such as `nginx`, `quay.io/prometheus/*`, `*:latest`.
///
/// `*` stands for any characters, slashes too. It is matched against the short form of the name (`nginx`) and the
/// full one (`docker.io/library/nginx`). A pattern with a tag sees the tag too; one without takes every tag. Digests
/// are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct ImagePattern {
    text: String,
    name: NamePattern,
    tag: Option<String>,
}

/// Most patterns name one repository: those are compared without being put together anew.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NamePattern {
    /// A name in the short form.
    Exact(String),
    /// A name that holds a `*`.
    Glob(String),
}

impl From<String> for ImagePattern {
    fn from(text: String) -> Self {
        let parts = Reference::parse(&text);
        let name = match parts.name.contains('*') {
            true => NamePattern::Glob(parts.name.into()),
            false => NamePattern::Exact(parts.familiar_name().into()),
        };
        Self { name, tag: parts.tag.map(str::to_owned), text }
    }
}

impl From<&str> for ImagePattern {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl ImagePattern {
    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the image is one of those meant.
    #[must_use]
    pub fn matches(&self, image: &Reference<'_>) -> bool {
        self.takes_tag(image.effective_tag()) && self.takes_name(image)
    }

    fn takes_tag(&self, tag: Option<&str>) -> bool {
        self.tag.as_ref().is_none_or(|pattern| tag.is_some_and(|tag| glob(pattern, tag)))
    }

    fn takes_name(&self, image: &Reference<'_>) -> bool {
        let short = image.familiar_name();
        match &self.name {
            NamePattern::Exact(name) => name == short,
            NamePattern::Glob(pattern) => glob(pattern, short) || glob(pattern, &image.full_name()),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for ImagePattern {
    fn schema_name() -> Cow<'static, str> {
        "ImagePattern".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "An image, with or without a tag; `*` stands for any characters.",
        })
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl serde::Serialize for ImagePattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Whether the pattern, in which `*` stands for any characters, describes the whole text.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    // Taking each piece at its first place leaves the most for those that follow.
    let after = pieces.try_fold(rest, |rest, piece| rest.split_once(piece).map(|(_, after)| after));
    after.is_some_and(|rest| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_a_tag() {
        let reference = Reference::parse("localhost:5000/team/app");
        assert_eq!((reference.name, reference.tag), ("localhost:5000/team/app", None));
    }

    #[test]
    fn a_tag_and_a_digest_stand_side_by_side() {
        let reference = Reference::parse("ghcr.io/org/app:1.2@sha256:aa");
        assert_eq!(reference, Reference { name: "ghcr.io/org/app", tag: Some("1.2"), digest: Some("sha256:aa") });
    }

    #[test]
    fn latest_is_meant_where_nothing_is_written() {
        assert_eq!(Reference::parse("nginx").effective_tag(), Some("latest"));
        assert_eq!(Reference::parse("nginx@sha256:aa").effective_tag(), None);
    }

    #[test]
    fn short_and_full_names_of_docker_hub_are_the_same_image() {
        for text in ["nginx", "library/nginx", "docker.io/nginx", "docker.io/library/nginx"] {
            let reference = Reference::parse(text);
            assert_eq!(reference.familiar_name(), "nginx", "{text}");
            assert_eq!(reference.full_name(), "docker.io/library/nginx", "{text}");
        }
        assert_eq!(Reference::parse("grafana/grafana:11").full_name(), "docker.io/grafana/grafana");
        assert_eq!(Reference::parse("quay.io/a/b").full_name(), "quay.io/a/b");
        assert_eq!(Reference::parse("localhost/a").full_name(), "localhost/a");
    }

    #[test]
    fn a_pattern_takes_every_tag_unless_it_names_one() {
        let matches = |pattern: &str, image| ImagePattern::from(pattern).matches(&Reference::parse(image));
        assert!(matches("nginx", "docker.io/library/nginx:1.27@sha256:aa"));
        assert!(matches("docker.io/library/nginx", "nginx"));
        assert!(matches("*:latest", "ghcr.io/org/app"));
        assert!(!matches("*:latest", "ghcr.io/org/app:1"));
        assert!(matches("nginx:1.27*", "nginx:1.27.3-alpine"));
        assert!(matches("localhost:5000/*", "localhost:5000/team/app:2"));
        assert!(!matches("nginx", "nginxinc/nginx-unprivileged"));
        assert!(!matches("*:1.2", "ghcr.io/org/app@sha256:aa"));
    }

    #[test]
    fn stars_take_any_characters() {
        assert!(glob("*", ""));
        assert!(glob("a*b*c", "a/x/b/y/c"));
        assert!(!glob("a*b*c", "acb"));
        assert!(glob("*ab", "aab"));
        assert!(!glob("a*a", "a"));
        assert!(glob("exact", "exact") && !glob("exact", "exactly"));
    }
}
