//! Files and folders with the permissions that keys need: written whole or not at all, refused when others can read
//! them. What is in them is not looked at here.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Whether a file holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// A key or token: mode 0600.
    Secret,
    /// A certificate: mode 0644.
    Public,
}

impl Secrecy {
    fn mode(self) -> u32 {
        match self {
            Self::Secret => 0o600,
            Self::Public => 0o644,
        }
    }
}

/// A file's bytes; a secret's only when nobody else can read it.
pub(crate) fn read(path: &Path, secrecy: Secrecy) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(|source| FileError::reading(path, source))?;
    let metadata = file.metadata().map_err(|source| FileError::reading(path, source))?;
    if secrecy == Secrecy::Secret {
        refuse_open(path, &metadata)?;
    }
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|source| FileError::reading(path, source))?;
    if bytes.len() > usize::try_from(LARGEST).unwrap_or(usize::MAX) {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

/// Like [`read`], but `None` where there is no such file.
pub(crate) fn read_if_there(path: &Path, secrecy: Secrecy) -> Result<Option<Vec<u8>>, FileError> {
    match read(path, secrecy) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(FileError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A bundle of every public CA is a quarter of this; anything larger is the wrong file.
const LARGEST: u64 = 1 << 20;

/// A key that this user owns must be readable by nobody else. A key that another user owns may be readable by the
/// group, for that is how a mounted Secret reaches a process that is not root (`fsGroup` makes 0400 into 0440).
fn refuse_open(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let forbidden = if ours { 0o077 } else { 0o037 };
    let mode = metadata.mode() & 0o777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(FileError::ReadableByOthers { path: path.to_owned(), mode })
}

/// Names that begin so are files on their way to their place.
const UNFINISHED: &str = ".new-";

/// Removes files that never came to their place, since the process that wrote them was killed. Some hold keys. Nobody
/// else may be writing: the caller holds the folder's [`lock`].
pub(crate) fn remove_unfinished(folder: &Path) -> Result<(), FileError> {
    let unreadable = |source| FileError::reading(folder, source);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Writes the file whole: a temporary file beside it, synced, renamed over it, and the folder synced, so that a reader
/// and a power cut see the old text or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8], secrecy: Secrecy) -> Result<(), FileError> {
    let failed = |source| FileError::writing(path, source);
    let folder = path.parent().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    // Made with 0600, so that a secret is never open, not even before it is complete.
    let mut temporary = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).map_err(failed)?;
    temporary.write_all(bytes).map_err(failed)?;
    temporary.as_file().set_permissions(Permissions::from_mode(secrecy.mode())).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(path).map_err(|error| failed(error.error))?;
    sync_folder(folder)
}

/// Renames within a folder, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(|source| FileError::writing(to, source))?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FileError::writing(path, source)),
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| FileError::writing(folder, source))
}

/// Makes the folder, and those above it, with mode 0700.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| FileError::writing(path, source))?;
    check_private_folder(path)
}

/// Refuses a folder that others can enter.
pub(crate) fn check_private_folder(path: &Path) -> Result<(), FileError> {
    let metadata = fs::metadata(path).map_err(|source| FileError::reading(path, source))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(FileError::OpenFolder { path: path.to_owned(), mode }) }
}

/// Holds off every other process that changes this folder, until dropped. It waits: a renewal takes milliseconds.
pub(crate) fn lock(path: &Path) -> Result<File, FileError> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|source| FileError::writing(path, source))?;
    file.lock().map_err(|source| FileError::writing(path, source))?;
    Ok(file)
}

/// A file or folder that can't be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No such file.
    #[error("{} is missing", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Over one mebibyte.
    #[error("{} is over 1 MiB: this is not a certificate, a key or a token", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A secret that others can read or change.
    #[error(
        "{} holds a secret, but its mode {mode:04o} lets others at it; run `chmod 600 {}` (on a mounted Secret: `defaultMode: 0400`) and, if others may have read it, replace it",
        path.display(), path.display()
    )]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A folder for keys that others can enter.
    #[error("{} is to hold keys, but its mode {mode:04o} lets others in; run `chmod 700 {}`", path.display(), path.display())]
    OpenFolder {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It can't be written.
    #[error("{} can't be written", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl FileError {
    fn reading(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Unreadable { path, source },
        }
    }

    fn writing(path: &Path, source: io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn writes_secrets_that_only_the_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, b"secret", Secrecy::Secret).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn leaves_no_temporary_file_behind() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("a"), b"1", Secrecy::Public).unwrap();
        write(&folder.path().join("a"), b"2", Secrecy::Public).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"2");
    }

    #[test]
    fn removes_what_never_came_to_its_place_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".new-Ab12", ".lock", "tls.key", "new-notes"] {
            fs::write(folder.path().join(name), "1").unwrap();
        }
        remove_unfinished(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.len() == 3 && !left.contains(&".new-Ab12".into()), "{left:?}");
    }

    #[test]
    fn refuses_a_secret_that_others_can_read_and_names_mode_and_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, b"secret").unwrap();
        for open in [0o644, 0o640, 0o620, 0o601] {
            fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
            let refused = read(&path, Secrecy::Secret).unwrap_err();
            assert!(matches!(refused, FileError::ReadableByOthers { mode, .. } if mode == open));
            assert!(refused.to_string().contains(&format!("chmod 600 {}", path.display())));
        }
    }

    #[test]
    fn takes_a_group_readable_secret_of_another_user_as_a_mount_has_it() {
        if !rustix::process::geteuid().is_root() {
            return; // Only root can give a file away.
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, b"secret").unwrap();
        std::os::unix::fs::chown(&path, Some(65532), None).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o440)).unwrap();
        assert_eq!(read(&path, Secrecy::Secret).unwrap(), b"secret");
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        assert!(read(&path, Secrecy::Secret).is_err());
    }

    #[test]
    fn makes_folders_that_only_the_owner_can_enter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        make_private_folder(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn refuses_a_folder_that_others_can_enter() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(make_private_folder(folder.path()), Err(FileError::OpenFolder { mode: 0o755, .. })));
    }

    #[test]
    fn tells_a_missing_file_from_an_unreadable_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(&folder.path().join("no"), Secrecy::Public), Err(FileError::Missing { .. })));
        assert!(matches!(read(folder.path(), Secrecy::Public), Err(FileError::Unreadable { .. })));
    }

    #[test]
    fn refuses_a_file_over_one_mebibyte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        fs::write(&path, vec![b'x'; (1 << 20) + 1]).unwrap();
        assert!(matches!(read(&path, Secrecy::Public), Err(FileError::TooLarge { .. })));
    }
}
