//! Mirrors: which repositories are taken from elsewhere, and under which name. Whether an image may be rewritten here
//! and now is the policy's to say.

use std::borrow::Cow;
use std::fmt;

use portreeve_sdk::SettingsError;
use portreeve_sdk::image::Reference;
use serde::Deserialize;

use crate::repository::{PatternError, Repository, RepositoryPattern, pattern_parts};

/// No name holds this character: where a pattern takes it, a star does, and takes anything.
const ANYTHING: &str = "\u{0}";

/// A rewrite. Of several that take an image, the one that names more of it counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Mirror {
    /// What is rewritten: `docker.io/**`, `docker.io/grafana/**`, or a single repository.
    from: Tree,
    /// What is written in its place, such as `registry.example/hub/**`. Left out: such images stay as they are.
    to: Option<Tree>,
}

/// A repository, or all that is below a place: `registry.example/hub/**`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Tree {
    text: String,
    registry: String,
    path: String,
    reach: Reach,
}

/// How much of a registry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// All below the path; of an empty one, all.
    Below,
    /// The path alone.
    Alone,
}

impl Mirror {
    /// Refuses mirrors that lead nowhere: to where nothing may be taken from, or on to another rewrite.
    pub(super) fn check(mirrors: &[Self], allowed: Option<&[RepositoryPattern]>) -> Result<(), SettingsError> {
        for (index, mirror) in mirrors.iter().enumerate() {
            let error = |field, reason: String| Err(SettingsError::new(format!("/mirrors/{index}/{field}"), reason));
            if mirrors.iter().take(index).any(|other| other.from.is_same(&mirror.from)) {
                return error("from", "another mirror is for the same: leave one of them out".into());
            }
            let Some(to) = &mirror.to else { continue };
            if mirror.from.reach != to.reach {
                return error(
                    "to",
                    format!("write /** at the end of both {} and this, or of neither", mirror.from.text),
                );
            }
            if let Some(on) = mirrors.iter().find(|other| other.to.is_some() && other.from.meets(to)) {
                return error("to", format!("what lies there is rewritten itself, from {}", on.from.text));
            }
            if allowed.is_some_and(|allowed| !allowed.iter().any(|pattern| to.is_within(pattern))) {
                return error("to", "no entry of allowed takes what lies there: add it".into());
            }
        }
        Ok(())
    }

    /// The name of the image at its mirror, with its tag and its digest; none if it has no mirror.
    pub(super) fn rewrite(mirrors: &[Self], image: &Reference<'_>) -> Option<String> {
        let repository = Repository::of(image);
        let found = mirrors.iter().filter_map(|mirror| Some((mirror, mirror.from.rest(&repository)?)));
        let (mirror, rest) = found.max_by_key(|(mirror, _)| (mirror.from.reach, mirror.from.path.len()))?;
        let mut name = mirror.to.as_ref()?.root();
        let parts = [("/", Some(rest).filter(|rest| !rest.is_empty())), (":", image.tag), ("@", image.digest)];
        for (sign, part) in parts.into_iter().filter_map(|(sign, part)| Some((sign, part?))) {
            name.push_str(sign);
            name.push_str(part);
        }
        Some(name)
    }
}

impl Tree {
    /// What stands behind the tree's path in the name of a repository; none if it is not in the tree.
    fn rest<'r>(&self, repository: &'r Repository<'_>) -> Option<&'r str> {
        if self.registry != repository.registry {
            return None;
        }
        match self.reach {
            Reach::Alone => (self.path == *repository.path).then_some(""),
            Reach::Below if self.path.is_empty() => Some(&repository.path),
            Reach::Below => repository.path.strip_prefix(&self.path)?.strip_prefix('/'),
        }
    }

    /// The name without what varies.
    fn root(&self) -> String {
        match self.path.is_empty() {
            true => self.registry.clone(),
            false => [&self.registry, "/", &self.path].concat(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.registry, &self.path, self.reach) == (&other.registry, &other.path, other.reach)
    }

    /// Whether some repository is in both.
    fn meets(&self, other: &Self) -> bool {
        let holds = |outer: &Self, inner: &Self| outer.rest(&inner.sample(ANYTHING)).is_some();
        holds(self, other) || holds(other, self)
    }

    /// Whether a pattern takes all of the tree.
    fn is_within(&self, pattern: &RepositoryPattern) -> bool {
        pattern.matches(&self.sample(ANYTHING))
    }

    /// A repository of the tree, whose name ends so if the tree leaves that open.
    fn sample(&self, end: &str) -> Repository<'_> {
        let path = match (self.reach, self.path.is_empty()) {
            (Reach::Alone, _) => Cow::Borrowed(self.path.as_str()),
            (Reach::Below, true) => Cow::Owned(end.into()),
            (Reach::Below, false) => Cow::Owned([&self.path, "/", end].concat()),
        };
        Repository { registry: &self.registry, path }
    }
}

impl TryFrom<String> for Tree {
    type Error = TreeError;

    fn try_from(text: String) -> Result<Self, TreeError> {
        let (registry, path) = pattern_parts(&text).map_err(TreeError::Pattern)?;
        let (path, reach) = match path.trim_end_matches('*') {
            "" => ("", Reach::Below),
            all if all.len() == path.len() => (all, Reach::Alone),
            below => (below.strip_suffix('/').ok_or(TreeError::Scattered)?, Reach::Below),
        };
        if registry.contains('*') || path.contains('*') {
            return Err(TreeError::Scattered);
        }
        Ok(Self { registry: registry.into(), path: path.into(), reach, text })
    }
}

/// Why a text is no tree of repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TreeError {
    /// It is not even a pattern.
    Pattern(PatternError),
    /// It holds a star elsewhere than at its end.
    Scattered,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(error) => error.fmt(f),
            Self::Scattered => f.write_str("a star may stand only at the end, as in \"docker.io/grafana/**\""),
        }
    }
}

impl std::error::Error for TreeError {}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for Tree {
    fn schema_name() -> Cow<'static, str> {
        "Tree".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "A repository, or with `/**` at the end all that is below a place, such as `docker.io/**`.",
        })
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl serde::Serialize for Tree {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rewritten(mirrors: Value, image: &str) -> Option<String> {
        let mirrors: Vec<Mirror> = serde_json::from_value(mirrors).unwrap();
        Mirror::rewrite(&mirrors, &Reference::read(image).unwrap())
    }

    #[test]
    fn tag_and_digest_are_kept_as_written() {
        let hub = || json!([{"from": "docker.io/**", "to": "registry.example/hub/**"}]);
        let name = |image: &str| rewritten(hub(), image).unwrap();
        assert_eq!(name("nginx"), "registry.example/hub/library/nginx");
        assert_eq!(name("grafana/grafana:11"), "registry.example/hub/grafana/grafana:11");
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(name(&format!("index.docker.io/a/b:1@{digest}")), format!("registry.example/hub/a/b:1@{digest}"));
        assert_eq!(rewritten(hub(), "ghcr.io/a/b"), None);
    }

    #[test]
    fn the_mirror_that_names_more_counts() {
        let mirrors = || {
            json!([
                {"from": "docker.io/library/nginx", "to": "registry.example/base/web"},
                {"from": "docker.io/**", "to": "registry.example/hub/**"},
                {"from": "docker.io/ours/**"},
            ])
        };
        assert_eq!(rewritten(mirrors(), "nginx:1").unwrap(), "registry.example/base/web:1");
        assert_eq!(rewritten(mirrors(), "redis:7").unwrap(), "registry.example/hub/library/redis:7");
        assert_eq!(rewritten(mirrors(), "ours/app:7"), None);
    }

    #[test]
    fn a_place_ends_at_a_slash() {
        let mirrors = json!([{"from": "quay.io/team/**", "to": "registry.example/**"}]);
        assert_eq!(rewritten(mirrors.clone(), "quay.io/teams/a"), None);
        assert_eq!(rewritten(mirrors.clone(), "quay.io/team"), None);
        assert_eq!(rewritten(mirrors, "quay.io/team/a/b").unwrap(), "registry.example/a/b");
    }

    #[test]
    fn a_star_stands_only_at_the_end() {
        for text in ["*.io/**", "quay.io/*/a", "quay.io/te*", "**"] {
            assert_eq!(Tree::try_from(text.to_owned()), Err(TreeError::Scattered), "{text}");
        }
    }
}
