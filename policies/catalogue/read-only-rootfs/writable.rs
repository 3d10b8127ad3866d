//! Where programs write: `/tmp`, what `writable-paths.json` knows of common images and of what is built on them, and
//! what the settings add.

use portreeve_sdk::fact::Fact;
use portreeve_sdk::image::ImagePattern;
use portreeve_sdk::quantity::Quantity;
use portreeve_sdk::view::{Container, Pod};
use portreeve_sdk::{Case, SettingsError};
use serde::Deserialize;

use crate::selector::Selector;

/// Paths that some containers write to. It is for the containers that all of what is given describes.
#[derive(Debug, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rule {
    /// The containers.
    #[serde(default)]
    select: Selector,
    /// Images that theirs was built on, as its label `org.opencontainers.image.base.name` says. Needs the fact
    /// `image-config`.
    #[serde(default)]
    base_images: Vec<ImagePattern>,
    /// Absolute paths of folders.
    #[serde(default)]
    paths: Vec<String>,
    /// Folders that the program writes to and that hold files of the image which it needs: an empty one would not do.
    #[serde(default)]
    prefilled: Vec<String>,
    /// The size limit of each, such as `2Gi`.
    #[serde(default)]
    size_limit: Option<String>,
    /// What becomes of that which is known of the image.
    #[serde(default)]
    known: Knowledge,
}

/// What becomes of that which is known of an image.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema, serde::Serialize), schemars(inline))]
#[serde(rename_all = "lowercase")]
enum Knowledge {
    /// It holds too.
    #[default]
    Add,
    /// It does not hold for these containers.
    Ignore,
}

/// The same of images that everyone knows: an entry of `writable-paths.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Known {
    images: Vec<ImagePattern>,
    paths: Vec<String>,
    #[serde(default)]
    prefilled: Vec<String>,
    #[serde(default)]
    size_limit: Option<String>,
}

/// What an image says of the one that it was built on: a part of the fact about its configuration.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Origin {
    #[serde(default)]
    base_image: Option<String>,
}

impl Fact for Origin {
    const KIND: &'static str = "image-config";
}

/// A folder that a program writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Writable<'a> {
    /// Absolute, without a slash at its end.
    pub(super) path: &'a str,
    /// A quantity.
    pub(super) size_limit: &'a str,
    pub(super) source: Source,
}

/// Who says that a program writes to a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The administrator, or for `/tmp` everybody: it is needed whatever else is mounted.
    Asked,
    /// What is known of the image: where data usually lies, which its author may keep elsewhere.
    Known,
}

/// All that a container writes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs<'a> {
    /// Outer folders first. An empty folder does for each.
    pub(super) writable: Vec<Writable<'a>>,
    /// Folders for which an empty one does not do.
    pub(super) prefilled: Vec<&'a str>,
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

    /// What this container writes to. The settings come first: their size limit holds for a path that is known as well.
    pub(super) fn of<'a>(&'a self, case: &Case<'_>, pod: &Pod, container: &Container) -> Needs<'a> {
        let base = case.fact::<Origin>(&container.image).ok().and_then(|origin| origin.base_image);
        let rules: Vec<&Rule> = self.rules.iter().filter(|rule| rule.takes(pod, container, base.as_deref())).collect();
        let mut needs = Needs::default();
        for rule in &rules {
            needs.add(Source::Asked, &rule.paths, self.size(&rule.size_limit));
            needs.prefilled.extend(rule.prefilled.iter().map(String::as_str));
        }
        if rules.iter().all(|rule| rule.known == Knowledge::Add) {
            for known in self.known.iter().filter(|known| known.takes(container, base.as_deref())) {
                needs.add(Source::Known, &known.paths, self.size(&known.size_limit));
                needs.prefilled.extend(known.prefilled.iter().map(String::as_str));
            }
        }
        needs.push(Writable { path: "/tmp", size_limit: &self.size_limit, source: Source::Asked });
        // Outer folders first, so that what lies within one needs no mount of its own.
        needs.writable.sort_by_key(|writable| writable.path);
        needs
    }

    fn size<'a>(&'a self, own: &'a Option<String>) -> &'a str {
        own.as_deref().unwrap_or(&self.size_limit)
    }
}

impl<'a> Needs<'a> {
    fn add(&mut self, source: Source, paths: &'a [String], size_limit: &'a str) {
        for path in paths {
            self.push(Writable { path, size_limit, source });
        }
    }

    fn push(&mut self, wanted: Writable<'a>) {
        if !self.writable.iter().any(|writable| writable.path == wanted.path) {
            self.writable.push(wanted);
        }
    }
}

impl Known {
    fn takes(&self, container: &Container, base: Option<&str>) -> bool {
        ImagePattern::any(&self.images, &container.image)
            || base.is_some_and(|base| ImagePattern::any(&self.images, base))
    }
}

impl Rule {
    fn takes(&self, pod: &Pod, container: &Container, base: Option<&str>) -> bool {
        let by_base = || base.is_some_and(|base| ImagePattern::any(&self.base_images, base));
        self.select.takes(pod, container) && (self.base_images.is_empty() || by_base())
    }

    fn check(&self, at: &str) -> Result<(), SettingsError> {
        if self.base_images.is_empty() {
            self.select.check(|| format!("{at}/select"))?;
        }
        if let Some(size) = &self.size_limit {
            check_size(size, || format!("{at}/sizeLimit"))?;
        }
        check_folders(&self.paths, &format!("{at}/paths"))?;
        check_folders(&self.prefilled, &format!("{at}/prefilled"))
    }
}

fn check_folders(paths: &[String], at: &str) -> Result<(), SettingsError> {
    match paths.iter().position(|path| !is_folder(path)) {
        Some(index) => Err(SettingsError::new(
            format!("{at}/{index}"),
            "not an absolute path such as \"/var/cache/app\", without \"..\", \":\" or a slash at its end",
        )),
        None => Ok(()),
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
            assert!(entry.paths.iter().chain(&entry.prefilled).all(|path| is_folder(path)), "{:?}", entry.paths);
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
