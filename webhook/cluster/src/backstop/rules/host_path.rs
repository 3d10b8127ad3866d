//! Folders of the node in CEL: a path taken apart as host-access does, so that a detour is seen, and the folders that
//! hold it.

use serde::Deserialize;

use crate::backstop::cel::{any, text};
use crate::backstop::left_out::Why;

/// A folder of the node that may be mounted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AllowedPath {
    path: String,
    #[serde(default)]
    access: Access,
}

/// What may be done there.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Access {
    #[default]
    ReadOnly,
    ReadWrite,
}

/// Folders with what may be done there.
#[derive(Debug, Clone, Default)]
pub(super) struct Folders(Vec<(String, Access)>);

impl Folders {
    /// The folders at this place of the settings.
    ///
    /// # Errors
    /// If one is on Windows, where letters are compared otherwise.
    pub(super) fn read(at: &'static str, paths: &[AllowedPath]) -> Result<Self, Why> {
        let root = |allowed: &AllowedPath| match allowed.path.starts_with('/') && !allowed.path.contains('\\') {
            true => Ok((plain(&allowed.path), allowed.access)),
            false => Err(Why::setting(at, format!("{:?} is a path of Windows, which can't be said", allowed.path))),
        };
        paths.iter().map(root).collect::<Result<_, Why>>().map(Self)
    }

    /// Whether the folder of a volume `v` lies within one of these.
    pub(super) fn hold(&self) -> String {
        self.within(|_| true)
    }

    /// Whether it lies within one that may be written to.
    pub(super) fn hold_for_writing(&self) -> String {
        self.within(|access| access == Access::ReadWrite)
    }

    fn within(&self, wanted: impl Fn(Access) -> bool) -> String {
        let roots = self.0.iter().filter(|(_, access)| wanted(*access));
        let held = any(roots.map(|(root, _)| format!("p.startsWith({})", text(root))));
        // The list is how CEL gives the value a name.
        format!("(v.hostPath.path.startsWith('/') && [{PARTS}].exists(p, !p.contains('/../') && {held}))")
    }
}

/// The path of a volume with a slash before, between and behind its parts.
const PARTS: &str = "('/' + v.hostPath.path.replace('\\\\', '/').split('/').filter(s, s != '' && s != '.').join('/') + '/')\
                     .replace('//', '/')";

/// The same of a path that is known.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    match parts.as_slice() {
        [] => "/".to_owned(),
        parts => format!("/{}/", parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_compared_part_by_part() {
        assert_eq!(plain("//var/./log"), "/var/log/");
        assert_eq!(plain("/"), "/");
    }

    #[test]
    fn folders_of_windows_are_not_guessed_at() {
        let folder = AllowedPath { path: r"C:\logs".to_owned(), access: Access::ReadOnly };
        assert!(Folders::read("paths", &[folder]).is_err());
    }
}
