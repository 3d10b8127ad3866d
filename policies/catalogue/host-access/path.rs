//! Paths on the node, compared part by part: `/var/logs` lies not within `/var/log`. Nothing here knows the node: a
//! link that leads elsewhere is not seen.

use serde::Deserialize;

/// A path without detours: absolute, and without `..`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct HostPath {
    written: String,
    parts: Vec<String>,
}

/// Text that is no such path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BadPath {
    /// It begins nowhere.
    Relative,
    /// It climbs, to where can't be told without the node.
    Climbing,
}

impl HostPath {
    /// Takes a path apart. Both slashes part it: what Linux would take for a name leads elsewhere on Windows, and
    /// whether a pod is bound for Windows is not always written.
    ///
    /// # Errors
    /// If it is relative or climbs.
    pub(super) fn parse(text: &str) -> Result<Self, BadPath> {
        let parts: Vec<String> =
            text.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
        if !text.starts_with('/') && !parts.first().is_some_and(|part| is_drive(part)) {
            return Err(BadPath::Relative);
        }
        if parts.iter().any(|part| part == "..") {
            return Err(BadPath::Climbing);
        }
        Ok(Self { written: text.to_owned(), parts })
    }

    /// As written.
    pub(super) fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether the other path is this one or lies below it.
    pub(super) fn holds(&self, other: &Self) -> bool {
        let on_windows = other.parts.first().is_some_and(|part| is_drive(part));
        let same = |(a, b): (&String, &String)| if on_windows { a.eq_ignore_ascii_case(b) } else { a == b };
        self.parts.len() <= other.parts.len() && self.parts.iter().zip(&other.parts).all(same)
    }
}

/// Such as `C:`.
fn is_drive(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
}

impl std::fmt::Display for BadPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Relative => "is no absolute path",
            Self::Climbing => "climbs by \"..\"",
        })
    }
}

impl TryFrom<String> for HostPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.contains('*') {
            return Err(format!("{text:?} holds a *, which is no pattern here: a folder holds all that lies below it"));
        }
        Self::parse(&text).map_err(|bad| format!("{text:?} {bad}: write the whole path, such as \"/var/log\""))
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl serde::Serialize for HostPath {
    fn serialize<S: serde::Serializer>(&self, text: S) -> Result<S::Ok, S::Error> {
        text.serialize_str(&self.written)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl schemars::JsonSchema for HostPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HostPath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "minLength": 1})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(folder: &str, path: &str) -> bool {
        HostPath::parse(folder).unwrap().holds(&HostPath::parse(path).unwrap())
    }

    #[test]
    fn a_folder_holds_itself_and_what_is_below() {
        assert!(holds("/var/log", "/var/log") && holds("/var/log", "/var/log/pods/a"));
        assert!(!holds("/var/log", "/var") && !holds("/var/log", "/etc/var/log"));
    }

    #[test]
    fn a_name_that_merely_begins_alike_is_another() {
        assert!(!holds("/var/log", "/var/logs") && !holds("/var/log", "/var/log-old/a"));
    }

    #[test]
    fn slashes_at_the_end_and_doubled_ones_do_not_matter() {
        assert!(holds("/var/log/", "/var/log") && holds("/var/log", "//var//log/./a/"));
    }

    #[test]
    fn the_root_holds_everything() {
        assert!(holds("/", "/") && holds("/", "/etc/kubernetes") && !holds("/etc", "/"));
    }

    #[test]
    fn a_path_that_climbs_or_begins_nowhere_is_none() {
        for climbing in ["/var/log/../../etc", "/..", "/var/log/..", r"C:\logs\..\windows", r"/var/log/a\..\..\etc"] {
            assert_eq!(HostPath::parse(climbing), Err(BadPath::Climbing), "{climbing}");
        }
        for relative in ["", "var/log", "./var", "..", r"\\server\share"] {
            assert_eq!(HostPath::parse(relative), Err(BadPath::Relative), "{relative}");
        }
        assert!(HostPath::parse("/var/..log/a..b").is_ok());
    }

    #[test]
    fn on_windows_both_slashes_part_and_case_does_not_matter() {
        assert!(holds(r"C:\logs", "c:/Logs/app"));
        assert!(!holds(r"C:\logs", r"D:\logs\app") && !holds("/Var", "/var/log"));
    }

    proptest! {
        #[test]
        fn what_a_folder_holds_begins_with_its_parts(parts in proptest::collection::vec("[a-z.]{1,3}", 0..5), depth in 0_usize..5) {
            let path = format!("/{}", parts.join("/"));
            let folder = format!("/{}/", parts.iter().take(depth).cloned().collect::<Vec<_>>().join("/"));
            if let Ok(parsed) = HostPath::parse(&path) {
                prop_assert!(HostPath::parse(&folder).unwrap().holds(&parsed));
            }
        }
    }
}
