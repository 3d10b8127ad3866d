//! Folders of a container by their parts, so that two spellings of one folder are one.

/// An absolute folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder<'p>(Vec<&'p str>);

impl<'p> Folder<'p> {
    /// The folder that a runtime finds under this path: relative ones begin at the root, `..` leads up, and `/var/run`
    /// is a link to `/run` in nearly every image, as `/var/lock` is one to `/run/lock`.
    pub(super) fn new(path: &'p str) -> Self {
        let mut parts = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                _ => parts.push(part),
            }
        }
        if matches!(parts.as_slice(), ["var", "run" | "lock", ..]) {
            let is_run = parts.get(1) == Some(&"run");
            parts.splice(..if is_run { 2 } else { 1 }, ["run"]);
        }
        Self(parts)
    }

    /// Whether the other is this folder or lies within it.
    pub(super) fn holds(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(outer: &str, inner: &str) -> bool {
        Folder::new(outer).holds(&Folder::new(inner))
    }

    #[test]
    fn a_folder_holds_itself_and_what_lies_within() {
        assert!(holds("/var", "/var"));
        assert!(holds("/var/", "/var/cache"));
        assert!(!holds("/var/cache", "/var"));
        assert!(!holds("/var/ca", "/var/cache"));
    }

    #[test]
    fn spellings_of_one_folder_are_one() {
        for spelling in ["tmp", "/tmp/", "//tmp", "/./tmp", "/var/../tmp", "/../tmp"] {
            assert_eq!(Folder::new(spelling), Folder::new("/tmp"), "{spelling}");
        }
    }

    #[test]
    fn links_that_nearly_every_image_has_are_followed() {
        assert_eq!(Folder::new("/var/run/postgresql"), Folder::new("/run/postgresql"));
        assert_eq!(Folder::new("/var/lock"), Folder::new("/run/lock"));
        assert!(holds("/run", "/var/run/nginx"));
        assert_ne!(Folder::new("/var/running"), Folder::new("/running"));
    }
}
