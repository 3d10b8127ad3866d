//! Names of images in CEL: in full as container runtimes read them, and patterns over them as the settings of policies
//! write them. An image is always an expression here, patterns are texts.

use super::cel::{glob, list, one_of, text};
use super::left_out::Why;

/// Registry and repository as written, without tag and digest.
const UNTAGGED: &str = "'^([^/@]*/)*[^/:@]*'";

/// Names that container runtimes read, with tag and digest: the grammar of github.com/distribution/reference.
const READABLE: &str = "^(([a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*\
    |([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*|[[][0-9A-Fa-f:]+])(:[0-9]+)?)/)?\
    [a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*\
    (:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?$";

/// Registry and repository as written, without tag and digest.
pub(super) fn untagged(image: &str) -> String {
    format!("{image}.find({UNTAGGED})")
}

/// Whether a container runtime reads it.
pub(super) fn is_readable(image: &str) -> String {
    format!("({image}.matches({}) && !{image}.matches('^[0-9a-f]{{64}}$'))", text(READABLE))
}

/// A list with registry and repository in full: `docker.io/library/nginx` for `nginx`. A list, since that is how CEL
/// gives a value a name.
fn in_full(image: &str) -> String {
    format!(
        "[{}].map(n, n.matches('^(localhost|[^/]*[.:A-Z][^/]*)/') ? n : 'docker.io/' + n)\
         .map(n, n.startsWith('index.docker.io/') ? n.substring(6) : n)\
         .map(n, n.matches('^docker[.]io/[^/]+$') ? 'docker.io/library/' + n.substring(10) : n)",
        untagged(image)
    )
}

/// Patterns over images, such as `nginx` or `quay.io/prometheus/*`. What is official on Docker Hub may be named in
/// short.
#[derive(Debug, Clone)]
pub(super) struct ImagePatterns {
    names: String,
}

impl ImagePatterns {
    /// The patterns at this place of the settings; none if there are none.
    ///
    /// # Errors
    /// If one goes by tags.
    pub(super) fn read(at: &'static str, patterns: &[String]) -> Result<Option<Self>, Why> {
        if let Some(tagged) = patterns.iter().find(|pattern| untagged_pattern(pattern) != pattern.as_str()) {
            return Err(Why::setting(at, format!("{tagged:?} goes by a tag, and the backstop reads names alone")));
        }
        let names = patterns.iter().map(|pattern| name(pattern));
        Ok((!patterns.is_empty()).then(|| Self { names: one_of(names) }))
    }

    /// Whether one of them takes the image: its full name, or what is official in short, after a slash.
    pub(super) fn take(&self, image: &str) -> String {
        format!(
            "{}.exists(n, [n, n.matches('^docker[.]io/library/[^/]+$') ? n.substring(17) : n]\
             .exists(m, m.matches({})))",
            in_full(image),
            text(&self.names)
        )
    }
}

/// Repositories, such as `registry.example/team/**`, by registry and path; a star of the registry never reaches past
/// it.
#[derive(Debug, Clone)]
pub(super) struct Repositories {
    names: String,
}

impl Repositories {
    /// All that these patterns take.
    pub(super) fn of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        Self { names: one_of(patterns.into_iter().map(repository)) }
    }

    /// Whether they take the image.
    pub(super) fn take(&self, image: &str) -> String {
        format!("{}.exists(n, n.matches({}))", in_full(image), text(&self.names))
    }
}

/// Whether the image, as written but for tag and digest, is one of these; a `*` at the end stands for any rest.
pub(super) fn is_written(images: &[String], image: &str) -> String {
    let (begun, whole): (Vec<&String>, Vec<&String>) = images.iter().partition(|image| image.ends_with('*'));
    let whole = whole.into_iter().map(String::as_str);
    let named = format!("{} in {}", untagged(image), list(whole));
    let begins = |pattern: &String| {
        let prefix = pattern.strip_suffix('*').unwrap_or(pattern);
        format!("{}.startsWith({})", untagged(image), text(prefix))
    };
    super::cel::any(std::iter::once(named).chain(begun.into_iter().map(begins)))
}

/// A pattern over repositories as a regular expression of the full name.
fn repository(pattern: &str) -> String {
    let is_any = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte == b'*');
    let full = |registry: &str, path: &str| format!("{}/{}", glob(registry, "[^/]*"), glob(path, ".*"));
    let in_hub = |path: &str| match path.contains('/') || is_any(path) {
        true => full(DOCKER_HUB, path),
        false => full(DOCKER_HUB, &["library/", path].concat()),
    };
    match pattern.split_once('/') {
        None if is_any(pattern) => full("*", "*"),
        None if pattern == OLD_DOCKER_HUB || pattern == DOCKER_HUB => full(DOCKER_HUB, "*"),
        None if is_registry(pattern) => full(pattern, "*"),
        None => in_hub(pattern),
        Some((first, rest)) if is_any(first) => full("*", rest),
        Some((OLD_DOCKER_HUB | DOCKER_HUB, rest)) => in_hub(rest),
        Some((first, rest)) if is_registry(first) => full(first, rest),
        Some(_) => in_hub(pattern),
    }
}

/// The registry of names that name none, and another name of the same.
const DOCKER_HUB: &str = "docker.io";
const OLD_DOCKER_HUB: &str = "index.docker.io";
const DOCKER_HUB_AS_EXPRESSION: &str = "docker[.]io";

fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.contains(|letter: char| letter.is_ascii_uppercase())
}

/// A pattern over images as a regular expression of the full name, and on Docker Hub of the short one after a slash.
fn name(pattern: &str) -> String {
    let on_hub = |path: &str| format!("({DOCKER_HUB_AS_EXPRESSION})?/{}", glob(path, ".*"));
    match pattern.split_once('/') {
        Some((OLD_DOCKER_HUB | DOCKER_HUB, path)) => on_hub(path),
        Some((registry, path)) if is_registry(registry) => format!("{}/{}", glob(registry, "[^/]*"), glob(path, ".*")),
        None if pattern.contains('*') && is_registry(pattern) => format!("{}/.*", glob(pattern, "[^/]*")),
        _ if pattern.starts_with('*') => glob(pattern, ".*"),
        _ => on_hub(pattern),
    }
}

/// A pattern without its tag and digest.
fn untagged_pattern(pattern: &str) -> &str {
    let name = pattern.split_once('@').map_or(pattern, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_over_repositories_names_them_in_full() {
        assert_eq!(repository("nginx"), "docker[.]io/library/nginx");
        assert_eq!(repository("grafana/*"), "docker[.]io/grafana/.*");
        assert_eq!(repository("docker.io/**"), "docker[.]io/.*");
        assert_eq!(repository("index.docker.io"), "docker[.]io/.*");
        assert_eq!(repository("*.azurecr.io/**"), "[^/]*[.]azurecr[.]io/.*");
        assert_eq!(repository("mirror:5000/team/a"), "mirror:5000/team/a");
        assert_eq!(repository("**"), "[^/]*/.*");
    }

    #[test]
    fn a_pattern_that_goes_by_a_tag_is_not_guessed_at() {
        let refused = ImagePatterns::read("exemptImages", &["nginx:1.27*".to_owned()]).unwrap_err();
        assert!(refused.to_string().contains("goes by a tag"), "{refused}");
        assert!(ImagePatterns::read("exemptImages", &["mirror:5000/a".to_owned()]).unwrap().is_some());
    }

    #[test]
    fn a_pattern_over_images_without_a_registry_is_on_docker_hub() {
        for pattern in ["nginx*", "docker.io/nginx*", "index.docker.io/nginx*"] {
            assert_eq!(name(pattern), "(docker[.]io)?/nginx.*", "{pattern}");
        }
        assert_eq!(name("*.azurecr.io/a/*"), "[^/]*[.]azurecr[.]io/a/.*");
        assert_eq!(name("*/backend"), ".*/backend");
    }
}
