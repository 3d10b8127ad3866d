//! Where programs write: `/tmp`, what `writable-paths.json` knows of common images, and what the settings add.

use portreeve_sdk::SettingsError;
use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::quantity::Quantity;
use portreeve_sdk::view::{Container, Pod};
use serde::Deserialize;

use crate::selector::{Selector, any_image};

/// Paths that some containers write to.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rule {
    /// The containers.
    select: Selector,
    /// Absolute paths of folders.
    paths: Vec<String>,
    /// The size limit of each, such as `2Gi`.
    #[serde(default)]
    size_limit: Option<String>,
}

/// The same of images that everyone knows: an entry of `writable-paths.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Known {
    images: Vec<ImagePattern>,
    paths: Vec<String>,
    #[serde(default)]
    size_limit: Option<String>,
}

/// A folder that a program writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Writable<'a> {
    /// Absolute, without a slash at its end.
    pub(super) path: &'a str,
    /// A quantity.
    pub(super) size_limit: &'a str,
}

/// All that is known about writing.
pub(super) struct WritablePaths {
    rules: Vec<Rule>,
    known: Vec<Known>,
    size_limit: String,
}

impl WritablePaths {
    /// These rules, and what is known of common images.
    pub(super) fn new(rules: Vec<Rule>, size_limit: &str) -> Result<Self, SettingsError> {
        check_size(size_limit, || "/sizeLimit".into())?;
        for (index, rule) in rules.iter().enumerate() {
            rule.check(&format!("/writable/{index}"))?;
        }
        let known = serde_json::from_str(include_str!("writable-paths.json"))
            .map_err(|error| SettingsError::new("", format!("the policy's own writable-paths.json: {error}")))?;
        Ok(Self { rules, known, size_limit: size_limit.into() })
    }

    /// Where this container writes. The settings come first: their size limit holds for a path that is known as well.
    pub(super) fn of<'a>(&'a self, pod: &Pod, container: &Container) -> Vec<Writable<'a>> {
        let rules = self.rules.iter().filter(|rule| rule.select.takes(pod, container));
        let known = self.known.iter().filter(|known| any_image(&known.images, &container.image));
        let mut all: Vec<Writable<'a>> = Vec::new();
        let mut add = |paths: &'a [String], size_limit: &'a Option<String>| {
            let size_limit = size_limit.as_deref().unwrap_or(&self.size_limit);
            for path in paths {
                if !all.iter().any(|writable| writable.path == path) {
                    all.push(Writable { path, size_limit });
                }
            }
        };
        rules.for_each(|rule| add(&rule.paths, &rule.size_limit));
        known.for_each(|known| add(&known.paths, &known.size_limit));
        if !all.iter().any(|writable| writable.path == "/tmp") {
            all.push(Writable { path: "/tmp", size_limit: &self.size_limit });
        }
        // Outer folders first, so that what lies within one needs no mount of its own.
        all.sort_by_key(|writable| writable.path);
        all
    }
}

impl Rule {
    fn check(&self, at: &str) -> Result<(), SettingsError> {
        self.select.check(|| format!("{at}/select"))?;
        if let Some(size) = &self.size_limit {
            check_size(size, || format!("{at}/sizeLimit"))?;
        }
        let bad = |path: &&String| !is_folder(path);
        match self.paths.iter().position(|path| bad(&path)) {
            Some(index) => Err(SettingsError::new(
                format!("{at}/paths/{index}"),
                "not an absolute path such as \"/var/cache/app\", without \"..\", \":\" or a slash at its end",
            )),
            None => Ok(()),
        }
    }
}

/// Whether Kubernetes takes it as a mount path and no part of it is empty or leads up.
fn is_folder(path: &str) -> bool {
    path.strip_prefix('/')
        .is_some_and(|rest| !rest.contains(':') && rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

fn check_size(size: &str, at: impl FnOnce() -> String) -> Result<(), SettingsError> {
    match size.parse::<Quantity>() {
        Ok(quantity) if quantity > Quantity::units(0) => Ok(()),
        Ok(_) => Err(SettingsError::new(at(), "a size limit is more than 0")),
        Err(error) => Err(SettingsError::new(at(), format!("{size:?} is {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_absolute_and_of_a_size() {
        let known: Vec<Known> = serde_json::from_str(include_str!("writable-paths.json")).unwrap();
        for entry in &known {
            assert!(entry.paths.iter().all(|path| is_folder(path)), "{:?}", entry.paths);
            assert!(
                entry.size_limit.iter().all(|size| check_size(size, String::new).is_ok()),
                "{:?}",
                entry.size_limit
            );
            assert!(!entry.images.is_empty());
        }
    }

    #[test]
    fn a_path_that_leads_up_or_is_relative_is_refused() {
        for path in ["tmp", "/", "/a/../b", "/a/", "//a", "/a:b", ""] {
            assert!(!is_folder(path), "{path}");
        }
        assert!(is_folder("/var/cache/nginx"));
    }
}
