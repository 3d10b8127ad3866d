//! Files that outlast a crash: private folders, files replaced whole, folders synced. What stands in them is not known
//! here. Every error names the file.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names that begin so are files on their way to their place; what a crash left of them is taken away at opening.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// The operating system refused something: what, on which file, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("can't {doing} {path}: {why}", path = path.display())]
pub struct FileError {
    doing: Doing,
    path: PathBuf,
    why: Arc<io::Error>,
}

/// What was tried on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Create,
    Open,
    Read,
    List,
    Write,
    Sync,
    Cut,
    Rename,
    Remove,
    Lock,
}

impl FileError {
    /// The file or folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What sort of refusal it was.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.why.kind()
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Cut => "cut the torn end off",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Lock => "lock",
        })
    }
}

impl Doing {
    /// For `map_err`: the error of doing this to `path`.
    pub(crate) fn to(self, path: &Path) -> impl FnOnce(io::Error) -> FileError + '_ {
        move |why| FileError { doing: self, path: path.to_owned(), why: Arc::new(why) }
    }
}

/// Creates a folder, and those above it, for this user alone (0700). One that is there stays as it is.
pub(crate) fn create_folder(path: &Path) -> Result<(), FileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Doing::Create.to(path))
}

/// Creates a folder in one that is there, for this user alone (0700). One that is there stays as it is.
pub(crate) fn create_folder_below(path: &Path) -> Result<(), FileError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created.map_err(Doing::Create.to(path)),
    }
}

/// Creates a file for this user alone (0600); it must not be there.
pub(crate) fn create_file(path: &Path) -> Result<File, FileError> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path).map_err(Doing::Create.to(path))
}

/// Puts `bytes` at `path`, whole or not at all, on disk when this returns. Readers see the old file or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let unfinished = unfinished_name(path);
    remove(&unfinished)?;
    let written = write_synced(&unfinished, bytes).and_then(|()| rename(&unfinished, path));
    if written.is_err() {
        // What is left of it is in nobody's way, and the first error is the one to tell.
        let _ = remove(&unfinished);
    }
    written
}

/// Renames a file or folder and syncs the folder that it lands in.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(Doing::Rename.to(from))?;
    sync_folder(folder_of(to))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), FileError> {
    File::open(path).map_err(Doing::Open.to(path))?.sync_all().map_err(Doing::Sync.to(path))
}

/// The text of a file.
pub(crate) fn read_text(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(Doing::Read.to(path))
}

/// Removes a file, or a folder with all in it; one that is not there is fine.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Doing::Remove.to(path)(error)),
        _ => Ok(()),
    }
}

/// The names in a folder that are UTF-8, sorted. None of ours is anything else.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, FileError> {
    let entries = fs::read_dir(path).map_err(Doing::List.to(path))?;
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(Doing::List.to(path))?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes what a crash left unfinished in a folder.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<(), FileError> {
    names(folder)?.iter().filter(|name| name.starts_with(UNFINISHED)).try_for_each(|name| remove(&folder.join(name)))
}

/// The folder that a path lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Creates a file with these bytes, on disk when this returns; its name is not, until its folder is synced.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = create_file(path)?;
    file.write_all(bytes).map_err(Doing::Write.to(path))?;
    file.sync_all().map_err(Doing::Sync.to(path))
}

/// The name under which the file at `path` is made.
fn unfinished_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder_of(path).join(format!("{UNFINISHED}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_replaced_whole_and_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()).unwrap(), ["f"]);
    }

    #[test]
    fn what_a_crash_left_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".unfinished-f"), "half").unwrap();
        replace(&folder.path().join("f"), b"whole").unwrap();
        assert_eq!(fs::read(folder.path().join("f")).unwrap(), b"whole");
    }

    #[test]
    fn an_error_names_the_file_and_what_was_tried() {
        let error = read_text(Path::new("/nowhere/at-all")).unwrap_err();
        assert_eq!(error.to_string(), "can't read /nowhere/at-all: No such file or directory (os error 2)");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
