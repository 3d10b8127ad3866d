//! Image references as users write them, and patterns over them. Which texts are references at all is told in
//! `grammar`. Nothing here asks a registry.

mod grammar;

use std::borrow::Cow;

use serde::Deserialize;

pub use grammar::Unreadable;

/// The registry of names that name none.
pub const DOCKER_HUB: &str = "docker.io";
/// Another name of the same.
pub const OLD_DOCKER_HUB: &str = "index.docker.io";
/// Where Docker Hub keeps what it vouches for itself.
const OFFICIAL: &str = "library/";

/// A reference such as `nginx`, `ghcr.io/org/app:1.2` or `localhost:5000/app@sha256:…`, taken apart. The API server
/// takes any text for one; what a container runtime would not read is none.
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
    ///
    /// # Errors
    /// If no container runtime reads it: a container that names such an image never starts.
    pub fn read(text: &'a str) -> Result<Self, Unreadable> {
        let reference = Self::split(text);
        grammar::check(text, &reference).map(|()| reference)
    }

    /// The parts of any text, of a pattern too.
    fn split(text: &'a str) -> Self {
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

    /// The registry, with a port if one is named: `docker.io` for `nginx`.
    #[must_use]
    pub fn registry(&self) -> &'a str {
        split_registry(self.name).0.unwrap_or(DOCKER_HUB)
    }

    /// The path of the repository within its registry: `library/nginx` for `nginx`.
    #[must_use]
    pub fn path(&self) -> Cow<'a, str> {
        let (registry, path) = split_registry(self.name);
        official(registry.unwrap_or(DOCKER_HUB), path)
    }

    /// Registry and repository in the shortest form: `nginx` for `docker.io/library/nginx`.
    #[must_use]
    pub fn familiar_name(&self) -> &'a str {
        let (registry, path) = split_registry(self.name);
        if registry.is_some_and(|registry| registry != DOCKER_HUB) {
            return self.name;
        }
        match path.strip_prefix(OFFICIAL).filter(|name| !name.contains('/')) {
            Some(name) => name,
            // Without its registry this would be the name of something else.
            None if split_registry(path).0.is_some() => self.name,
            None => path,
        }
    }

    /// Registry and repository in full: `docker.io/library/nginx` for `nginx`.
    #[must_use]
    pub fn full_name(&self) -> Cow<'a, str> {
        let path = self.path();
        let full = [self.registry(), "/", &path].concat();
        if full == self.name { Cow::Borrowed(self.name) } else { Cow::Owned(full) }
    }
}

/// What stands before the tag and the digest, in a reference or a pattern over them.
#[must_use]
pub fn untagged(text: &str) -> &str {
    Reference::split(text).name
}

/// The registry that a name names, and the rest of it: as `splitDockerDomain` of github.com/distribution/reference,
/// which the runtimes use. An allow-list that read names in another way could be talked round.
#[must_use]
pub fn split_registry(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((OLD_DOCKER_HUB, rest)) => (Some(DOCKER_HUB), rest),
        Some((first, rest)) if is_registry(first) => (Some(first), rest),
        _ => (None, name),
    }
}

/// Whether the part before the first slash names a registry: no name on Docker Hub holds any of these.
#[must_use]
pub fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.contains(|c: char| c.is_ascii_uppercase())
}

/// The path with what nobody writes: what Docker Hub itself vouches for lies in `library`.
#[must_use]
pub fn official<'a>(registry: &str, path: &'a str) -> Cow<'a, str> {
    if registry == DOCKER_HUB && !path.contains('/') {
        Cow::Owned([OFFICIAL, path].concat())
    } else {
        Cow::Borrowed(path)
    }
}

/// A pattern over images, such as `nginx`, `quay.io/prometheus/*`, `*:latest`.
///
/// `*` stands for any characters, slashes too, but a star of the registry (`*.azurecr.io/team/*`) never reaches past
/// it. What names no registry is on Docker Hub, as in images: `nginx*` takes `nginx-unprivileged` and not
/// `nginx.example/a`. What begins with `*` and names no registry may be anywhere: `*/backend`. A pattern with a tag
/// sees the tag too; one without takes every tag. Digests are passed over.
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
    /// A path on Docker Hub that holds a `*`; what is official there may be named in short.
    OnDockerHub(String),
    /// A registry and a path, of which one at least holds a `*`.
    InRegistry { registry: String, path: String },
    /// The full name, that begins with a `*`.
    Anywhere(String),
}

impl From<String> for ImagePattern {
    fn from(text: String) -> Self {
        let parts = Reference::split(&text);
        Self { name: NamePattern::of(&parts), tag: parts.tag.map(str::to_owned), text }
    }
}

impl NamePattern {
    fn of(pattern: &Reference<'_>) -> Self {
        if !pattern.name.contains('*') {
            return Self::Exact(pattern.familiar_name().into());
        }
        match split_registry(pattern.name) {
            (Some(DOCKER_HUB), path) => Self::OnDockerHub(path.into()),
            (Some(registry), path) => Self::InRegistry { registry: registry.into(), path: path.into() },
            (None, registry) if is_registry(registry) => {
                Self::InRegistry { registry: registry.into(), path: "*".into() }
            }
            (None, name) if name.starts_with('*') => Self::Anywhere(name.into()),
            (None, path) => Self::OnDockerHub(path.into()),
        }
    }

    fn takes(&self, image: &Reference<'_>) -> bool {
        match self {
            Self::Exact(name) => name == image.familiar_name(),
            Self::OnDockerHub(path) => {
                image.registry() == DOCKER_HUB && (glob(path, image.familiar_name()) || glob(path, &image.path()))
            }
            Self::InRegistry { registry, path } => glob(registry, image.registry()) && glob(path, &image.path()),
            Self::Anywhere(name) => glob(name, &image.full_name()),
        }
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

    /// Whether one of the patterns takes the image. What no runtime reads as an image is taken by none, whatever its
    /// letters fit.
    #[must_use]
    pub fn any(patterns: &[Self], image: &str) -> bool {
        let parts = Reference::split(image);
        // Most images are taken by no pattern, so that the whole text is looked at last.
        patterns.iter().any(|pattern| pattern.takes(&parts)) && Reference::read(image).is_ok()
    }

    fn takes(&self, image: &Reference<'_>) -> bool {
        self.takes_tag(image.effective_tag()) && self.name.takes(image)
    }

    fn takes_tag(&self, tag: Option<&str>) -> bool {
        self.tag.as_ref().is_none_or(|pattern| tag.is_some_and(|tag| glob(pattern, tag)))
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
            "description": "An image, with or without a tag; `*` stands for any characters. What names no registry \
                            is on Docker Hub, unless it begins with `*`.",
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

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn read(text: &str) -> Reference<'_> {
        Reference::read(text).unwrap()
    }

    fn takes(pattern: &str, image: &str) -> bool {
        ImagePattern::any(&[ImagePattern::from(pattern)], image)
    }

    #[test]
    fn a_port_is_not_a_tag() {
        let reference = read("localhost:5000/team/app");
        assert_eq!((reference.name, reference.tag), ("localhost:5000/team/app", None));
    }

    #[test]
    fn a_tag_and_a_digest_stand_side_by_side() {
        let text = format!("ghcr.io/org/app:1.2@{DIGEST}");
        assert_eq!(read(&text), Reference { name: "ghcr.io/org/app", tag: Some("1.2"), digest: Some(DIGEST) });
    }

    #[test]
    fn latest_is_meant_where_nothing_is_written() {
        assert_eq!(read("nginx").effective_tag(), Some("latest"));
        assert_eq!(read(&format!("nginx@{DIGEST}")).effective_tag(), None);
    }

    #[test]
    fn short_and_full_names_of_docker_hub_are_the_same_image() {
        for text in ["nginx", "library/nginx", "docker.io/nginx", "docker.io/library/nginx"] {
            let reference = read(text);
            assert_eq!(reference.familiar_name(), "nginx", "{text}");
            assert_eq!(reference.full_name(), "docker.io/library/nginx", "{text}");
        }
        assert_eq!(read("grafana/grafana:11").full_name(), "docker.io/grafana/grafana");
        assert_eq!(read("quay.io/a/b").full_name(), "quay.io/a/b");
        assert_eq!(read("localhost/a").full_name(), "localhost/a");
    }

    #[test]
    fn a_capital_makes_a_registry() {
        let reference = read("EVIL/nginx");
        assert_eq!((reference.familiar_name(), &*reference.full_name()), ("EVIL/nginx", "EVIL/nginx"));
        assert!(!takes("docker.io/*", "EVIL/nginx"));
    }

    #[test]
    fn a_registry_is_never_hidden_in_the_path() {
        for text in ["docker.io/ghcr.io/a", "index.docker.io/ghcr.io/a", "library/ghcr.io/a"] {
            let reference = read(text);
            assert_eq!(reference.registry(), "docker.io", "{text}");
            assert!(reference.full_name().starts_with("docker.io/"), "{text}");
            assert!(!takes("ghcr.io/*", text) && !takes("ghcr.io/a", text), "{text}");
        }
    }

    #[test]
    fn a_pattern_takes_every_tag_unless_it_names_one() {
        assert!(takes("nginx", &format!("docker.io/library/nginx:1.27@{DIGEST}")));
        assert!(takes("docker.io/library/nginx", "nginx"));
        assert!(takes("*:latest", "ghcr.io/org/app"));
        assert!(!takes("*:latest", "ghcr.io/org/app:1"));
        assert!(takes("nginx:1.27*", "nginx:1.27.3-alpine"));
        assert!(takes("localhost:5000/*", "localhost:5000/team/app:2"));
        assert!(!takes("nginx", "nginxinc/nginx-unprivileged"));
        assert!(!takes("*:1.2", &format!("ghcr.io/org/app@{DIGEST}")));
    }

    #[test]
    fn a_pattern_without_a_registry_is_on_docker_hub() {
        assert!(takes("nginx*", "nginx-unprivileged") && takes("nginx*", "docker.io/library/nginx:1"));
        assert!(takes("library/*", "nginx") && takes("docker.io/nginx*", "nginx"));
        assert!(takes("grafana/*", "docker.io/grafana/grafana:11"));
        for elsewhere in ["nginx.evil.example/x", "nginx:5000/x", "ghcr.io/nginx"] {
            assert!(!takes("nginx*", elsewhere), "{elsewhere}");
        }
        assert!(!takes("bitnami*/redis", "bitnami.evil.example/redis"));
    }

    #[test]
    fn a_star_of_the_registry_never_reaches_past_it() {
        assert!(takes("*.azurecr.io/team/*", "ours.azurecr.io/team/a/b:1"));
        assert!(!takes("*.azurecr.io/team/*", "evil.example/x.azurecr.io/team/a"));
        assert!(!takes("ghcr.io/*", "ghcr.io.evil.example/a"));
        assert!(takes("*.azurecr.io", "ours.azurecr.io/team/a") && takes("ghcr.io*", "ghcr.io/a"));
    }

    #[test]
    fn a_pattern_that_begins_with_a_star_may_be_anywhere() {
        for image in ["backend", "team/backend", "ghcr.io/org/team/backend:2"] {
            assert!(takes("*/backend", image), "{image}");
        }
        assert!(takes("*", "nginx") && takes("*", "ghcr.io/a"));
    }

    #[test]
    fn what_no_runtime_reads_is_taken_by_no_pattern() {
        for image in ["ghcr.io/team/../app", "ghcr.io/team/App", "ghcr.io/team/app@sha256:aa"] {
            assert!(!takes("ghcr.io/team/*", image) && !takes("*", image), "{image}");
        }
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
