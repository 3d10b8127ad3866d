//! Files, folders and the standard input to manifests. Every file that can't be read is told of, not only the first.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::{DirEntry, WalkDir};

use super::foreign::Foreign;
use super::stream::{Contents, read_found};
use super::{Manifest, ManifestError, read_stream};

/// The path that means the standard input.
const STDIN: &str = "-";

/// A text that holds manifests, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The path as it was given or found, or `stdin`.
    pub name: Arc<str>,
    /// All of it.
    pub text: String,
}

/// A file or stream that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The bytes are no text.
    #[error("{}:{line}: this is not UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line of the first byte that is wrong, counted from 1.
        line: usize,
    },
    /// Nothing is in it: cut off while it was written, most likely.
    #[error("{}: the file is empty; delete it, or leave a comment in it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The text is no manifests.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Everything that could not be read, in the order of the paths; there is at least one.
#[derive(Debug)]
pub struct ReadErrors(Vec<ReadError>);

impl ReadErrors {
    /// One for each file.
    #[must_use]
    pub fn errors(&self) -> &[ReadError] {
        &self.0
    }
}

/// What was read for people, who keep other files beside their manifests.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The texts with their manifests, for those that print them again.
    pub texts: Vec<(Text, Vec<Manifest>)>,
    /// Files met in folders that hold no Kubernetes objects, by name.
    pub passed_over: Vec<Arc<str>>,
    /// Files met in folders that a tool reads and no API server, by name.
    pub foreign: Vec<(Arc<str>, Foreign)>,
}

/// Reads the manifests of all paths: files whatever their name, folders recursively (`*.yaml`, `*.yml` and `*.json`, in
/// the order of their names; what begins with a dot is skipped, and so are pipes and sockets; links are followed, but
/// not in circles), and `-` for `stdin`, which is read where it is first named.
///
/// # Errors
/// Everything that is wrong, one entry for each file. An empty file in a folder is wrong too: what stood in it would be
/// missed by nobody.
pub fn read_paths(paths: &[PathBuf], stdin: &mut dyn Read) -> Result<Vec<Manifest>, ReadErrors> {
    let (sources, mut errors) = gather(paths, stdin);
    let mut manifests = Vec::new();
    for Source { text: Text { name, text }, sought } in sources {
        match read_stream(&name, &text) {
            Ok(_) if matches!(sought, Sought::InFolder) && text.trim().is_empty() => {
                errors.push(ReadError::Empty { path: PathBuf::from(&*name) });
            }
            Ok(read) => manifests.extend(read),
            Err(error) => errors.push(error.into()),
        }
    }
    if errors.is_empty() { Ok(manifests) } else { Err(ReadErrors(errors)) }
}

/// Reads what [`read_paths`] reads, but that a file met in a folder may be something else altogether: if none of its
/// documents has an `apiVersion` or a `kind`, or none is for an API server, it is passed over. A file that is named
/// must hold objects.
///
/// # Errors
/// Everything that can't be read; half an object is an error wherever it stands.
pub fn find_manifests(paths: &[PathBuf], stdin: &mut dyn Read) -> Result<Found, ReadErrors> {
    let (sources, mut errors) = gather(paths, stdin);
    let mut found = Found::default();
    for Source { text, sought } in sources {
        let read = match sought {
            Sought::ByName => read_stream(&text.name, &text.text).map(Contents::Objects),
            Sought::InFolder => read_found(&text.name, &text.text),
        };
        match read {
            Ok(Contents::Objects(manifests)) => found.texts.push((text, manifests)),
            Ok(Contents::Foreign(foreign)) => found.foreign.push((text.name, foreign)),
            Ok(Contents::NoObjects) => found.passed_over.push(text.name),
            Err(error) => errors.push(error.into()),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(ReadErrors(errors)) }
}

impl Found {
    /// All manifests, in the order of the texts.
    #[must_use]
    pub fn manifests(&self) -> Vec<Manifest> {
        self.texts.iter().flat_map(|(_, manifests)| manifests).cloned().collect()
    }
}

/// The files of this name in the folders among the paths and below, in the order in which they would be read. What
/// can't be opened is left out: reading the manifests tells of it.
#[must_use]
pub fn files_named(name: &str, paths: &[PathBuf]) -> Vec<PathBuf> {
    let folders = paths.iter().filter(|path| path.is_dir());
    let entries = folders.flat_map(|path| walk(path)).filter_map(Result::ok);
    entries.filter(|entry| entry.file_type().is_file() && entry.file_name() == name).map(DirEntry::into_path).collect()
}

/// A text, and how it was come by.
struct Source {
    text: Text,
    sought: Sought,
}

#[derive(Debug, Clone, Copy)]
enum Sought {
    ByName,
    InFolder,
}

fn gather(paths: &[PathBuf], stdin: &mut dyn Read) -> (Vec<Source>, Vec<ReadError>) {
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        let read = if path.as_os_str() == STDIN {
            vec![read_text("stdin".into(), stdin)]
        } else {
            files(path).map(|file| file.and_then(|file| open(&file))).collect()
        };
        let sought = if path.is_dir() { Sought::InFolder } else { Sought::ByName };
        for text in read {
            match text {
                Ok(text) => sources.push(Source { text, sought }),
                Err(error) => errors.push(error),
            }
        }
    }
    (sources, errors)
}

/// The file, or the manifests in and under the folder.
fn files(path: &Path) -> impl Iterator<Item = Result<PathBuf, ReadError>> {
    walk(path).filter_map(|entry| match entry {
        Ok(entry) => is_manifest(&entry).then(|| Ok(entry.into_path())),
        Err(error) if error.loop_ancestor().is_some() => None,
        Err(error) => {
            let path = error.path().unwrap_or(Path::new("")).to_owned();
            Some(Err(ReadError::Io { path, error: error.into_io_error().unwrap_or(io::ErrorKind::Other.into()) }))
        }
    })
}

fn walk(path: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    let walk = WalkDir::new(path).follow_links(true).sort_by_file_name();
    walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry))
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

fn is_manifest(entry: &DirEntry) -> bool {
    let named = || {
        let extension = entry.path().extension().unwrap_or_default();
        ["yaml", "yml", "json"].iter().any(|known| extension == *known)
    };
    match entry.depth() {
        // Whoever names a pipe waits for whoever writes into it.
        0 => !entry.file_type().is_dir(),
        _ => entry.file_type().is_file() && named(),
    }
}

fn open(path: &Path) -> Result<Text, ReadError> {
    let mut file = std::fs::File::open(path).map_err(|error| ReadError::Io { path: path.to_owned(), error })?;
    read_text(path.to_owned(), &mut file)
}

fn read_text(path: PathBuf, from: &mut dyn Read) -> Result<Text, ReadError> {
    let mut bytes = Vec::new();
    if let Err(error) = from.read_to_end(&mut bytes) {
        return Err(ReadError::Io { path, error });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Text { name: path.display().to_string().into(), text }),
        Err(error) => {
            let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let breaks = good.iter().filter(|byte| **byte == b'\n').count();
            Err(ReadError::NotUtf8 { path, line: breaks.saturating_add(1) })
        }
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
