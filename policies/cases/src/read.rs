//! Files of cases: finding them, reading them, and what is wrong with them, all of it at once.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use walkdir::WalkDir;

use crate::file::WrittenCase;

/// The folder in which a policy keeps its cases.
const FOLDER: &str = "cases";

/// A file of cases.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// What it is called.
    pub name: String,
    /// The policy that its cases are about, if the file says it.
    pub policy: Option<String>,
    /// If it stands in a folder `cases`, the name of the folder around that, which is that of the policy as a rule.
    pub folder: Option<String>,
    /// Its cases, in order.
    pub cases: Vec<WrittenCase>,
}

/// What a file of cases may hold: a list of cases, or the name of a policy with the list.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "CaseFile")]
pub enum CaseFileShape {
    /// Cases of the policy that is named elsewhere.
    Cases(
        /// The cases.
        Vec<WrittenCase>,
    ),
    /// Cases of this policy.
    OfPolicy(CasesOfPolicy),
}

/// The policy and its cases.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CasesOfPolicy {
    /// Name of the policy.
    pub policy: String,
    /// The cases.
    pub cases: Vec<WrittenCase>,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// It is no file of cases.
    #[error("{name}: {error}")]
    NotCases {
        /// The file.
        name: String,
        /// Where and what.
        #[source]
        error: Box<serde_saphyr::Error>,
    },
    /// A case makes no sense.
    #[error("{name}:{line}: the case {case:?}: {reason}")]
    Senseless {
        /// The file.
        name: String,
        /// The line on which the case begins.
        line: usize,
        /// Its name.
        case: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Everything that is wrong, in the order of the files; at least one thing.
#[derive(Debug)]
pub struct ReadErrors(Vec<ReadError>);

/// Reads files of cases: those that are named, and in folders every `*.yaml` and `*.yml`, or only those in folders
/// named `cases`, if there are such below.
///
/// # Errors
/// Everything that is wrong, with file and line.
pub fn read_paths(paths: &[PathBuf]) -> Result<Vec<CaseFile>, ReadErrors> {
    let (mut read, mut errors) = (Vec::new(), Vec::new());
    for file in paths.iter().flat_map(|path| files(path)) {
        match file.and_then(|file| open(&file)) {
            Ok(file) => read.push(file),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(ReadErrors(errors)) }
}

/// Reads a text that is called so.
///
/// # Errors
/// The first thing that is wrong.
pub fn read_text(name: &str, text: &str) -> Result<CaseFile, ReadError> {
    let text: Text = serde_saphyr::from_str(text)
        .map_err(|error| ReadError::NotCases { name: name.to_owned(), error: Box::new(error) })?;
    let placed = |case: Spanned<WrittenCase>| {
        let line = usize::try_from(case.referenced.line()).unwrap_or_default();
        WrittenCase { line, ..case.value }
    };
    let cases: Vec<WrittenCase> = text.cases.into_iter().map(placed).collect();
    if let Some((case, reason)) = cases.iter().find_map(|case| Some((case, case.fault()?))) {
        let (line, case) = (case.line, case.name.clone());
        return Err(ReadError::Senseless { name: name.to_owned(), line, case, reason });
    }
    Ok(CaseFile { name: name.to_owned(), policy: text.policy, folder: by_folder(Path::new(name)), cases })
}

fn open(path: &Path) -> Result<CaseFile, ReadError> {
    let text = std::fs::read_to_string(path).map_err(|error| ReadError::Io { path: path.to_owned(), error })?;
    read_text(&path.display().to_string(), &text)
}

/// `non-root` for `…/non-root/cases/users.yaml`.
fn by_folder(file: &Path) -> Option<String> {
    let cases = file.parent().filter(|folder| is_for_cases(folder))?;
    Some(cases.parent()?.file_name()?.to_str()?.to_owned())
}

fn is_for_cases(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == FOLDER)
}

/// The file, or those of the folder that hold cases, in the order of their names.
fn files(path: &Path) -> Vec<Result<PathBuf, ReadError>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_file() && (entry.depth() == 0 || is_yaml(entry.path())) => {
                found.push(Ok(entry.into_path()));
            }
            Ok(_) => {}
            Err(error) if error.loop_ancestor().is_some() => {}
            Err(error) => {
                let path = error.path().unwrap_or(path).to_owned();
                let error = error.into_io_error().unwrap_or(std::io::ErrorKind::Other.into());
                found.push(Err(ReadError::Io { path, error }));
            }
        }
    }
    let in_cases = |file: &Result<PathBuf, ReadError>| match file {
        Ok(file) => file.parent().is_some_and(is_for_cases),
        Err(_) => true,
    };
    if found.iter().any(|file| file.is_ok() && in_cases(file)) {
        found.retain(in_cases);
    }
    found
}

fn is_yaml(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    extension == "yaml" || extension == "yml"
}

/// A file as it is parsed. Not an untagged enum, whose errors would say neither where nor what.
struct Text {
    policy: Option<String>,
    cases: Vec<Spanned<WrittenCase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextOfPolicy {
    policy: String,
    cases: Vec<Spanned<WrittenCase>>,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of cases, or a mapping of `policy` and `cases`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Text, A::Error> {
        Ok(Text { policy: None, cases: Deserialize::deserialize(SeqAccessDeserializer::new(seq))? })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
        let TextOfPolicy { policy, cases } = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Text { policy: Some(policy), cases })
    }
}

impl ReadErrors {
    /// One for each file.
    #[must_use]
    pub fn errors(&self) -> &[ReadError] {
        &self.0
    }
}

impl fmt::Display for ReadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ReadErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "- name: allows\n  object: {kind: Pod}\n  expect: {}\n";

    #[test]
    fn a_file_may_be_a_list() {
        let file = read_text("a.yaml", &format!("# first\n{CASE}\n{CASE}")).unwrap();
        assert_eq!(file.policy, None);
        assert_eq!(file.cases.iter().map(|case| case.line).collect::<Vec<_>>(), [2, 6]);
    }

    #[test]
    fn a_file_may_name_its_policy() {
        let file = read_text("a.yaml", &format!("policy: non-root\ncases:\n{CASE}")).unwrap();
        assert_eq!((file.policy.as_deref(), file.cases[0].line), (Some("non-root"), 3));
    }

    #[test]
    fn the_folder_around_cases_is_told() {
        let folder = |name| read_text(name, CASE).unwrap().folder;
        assert_eq!(folder("a/seccomp/cases/x.yaml").as_deref(), Some("seccomp"));
        assert_eq!(folder("a/seccomp/x.yaml"), None);
    }

    #[test]
    fn an_unknown_field_is_named_with_its_line() {
        let error = read_text("a.yaml", &CASE.replace("expect: {}", "expect: {violation: []}")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("a.yaml") && text.contains("violation") && text.contains('3'), "{text}");
    }

    #[test]
    fn an_update_needs_the_object_before() {
        let error = read_text("a.yaml", &CASE.replace("expect", "operation: UPDATE\n  expect")).unwrap_err();
        assert_eq!(error.to_string(), "a.yaml:1: the case \"allows\": operation: UPDATE needs an oldObject");
    }

    #[test]
    fn a_fact_is_known_or_missing_and_not_both() {
        let facts = "facts: [{kind: image-digest, key: a, value: 1, missing: gone}]\n  expect";
        let error = read_text("a.yaml", &CASE.replace("expect", facts)).unwrap_err();
        assert!(error.to_string().contains("either a value or a reason"), "{error}");
    }

    #[test]
    fn folders_give_their_cases_and_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("mine/cases")).unwrap();
        std::fs::write(folder.path().join("mine/policy.yaml"), "name: mine").unwrap();
        std::fs::write(folder.path().join("mine/cases/a.yaml"), CASE).unwrap();
        let read = read_paths(&[folder.path().to_owned()]).unwrap();
        assert_eq!(read.iter().map(|file| file.folder.as_deref()).collect::<Vec<_>>(), [Some("mine")]);
    }

    #[test]
    fn every_bad_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), "1").unwrap();
        std::fs::write(folder.path().join("b.yaml"), "- {}").unwrap();
        let paths = [folder.path().to_owned(), folder.path().join("gone")];
        assert_eq!(read_paths(&paths).unwrap_err().errors().len(), 3);
    }
}
