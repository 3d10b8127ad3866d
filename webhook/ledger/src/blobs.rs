//! Content kept by its digest, beside the log: what records only name. Each content is one file, there once.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Digest;
use crate::disk::{self, Doing, FileError};
use crate::failure::Failure;
use crate::fault::Fault;

/// How many digests are remembered as kept. Past that the memory starts anew, and a look at the disk is needed once.
const REMEMBERED: usize = 8192;

/// Content that can't be kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeepError {
    /// The book has failed: no record could name the content.
    #[error("the book takes no more records")]
    Failed(#[source] Failure),
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Content that can't be given back.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Nothing is kept under this digest.
    #[error("nothing is kept under {0}")]
    Unknown(Digest),
    /// What is kept there is something else by now.
    #[error("{path}: the content has the digest {found}", path = path.display())]
    Damaged {
        /// Its file.
        path: PathBuf,
        /// The digest of what is there.
        found: Digest,
    },
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What is kept, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct BlobsReport {
    /// Contents.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The folder of the contents.
#[derive(Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    remembered: Mutex<HashSet<Digest>>,
    /// One at a time puts content there: they are few, and two with the same content must not meet.
    keeping: Mutex<()>,
}

impl Blobs {
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder, remembered: Mutex::default(), keeping: Mutex::default() }
    }

    /// Keeps `bytes`; on disk, name and all, when this returns.
    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<Digest, FileError> {
        let digest = Digest::of(bytes);
        if self.remembered().contains(&digest) {
            return Ok(digest);
        }
        let _one = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(&self.path(&digest), &digest, bytes)?;
        let mut remembered = self.remembered();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(digest);
        Ok(digest)
    }

    /// The content with this digest.
    pub(crate) fn kept(&self, digest: &Digest) -> Result<Vec<u8>, KeptError> {
        let path = self.path(digest);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(KeptError::Unknown(*digest)),
            read => read.map_err(Doing::Read.to(&path))?,
        };
        match Digest::of(&bytes) {
            found if found == *digest => Ok(bytes),
            found => Err(KeptError::Damaged { path, found }),
        }
    }

    /// Whether anything is kept under this digest.
    pub(crate) fn holds(&self, digest: &Digest) -> bool {
        self.path(digest).exists()
    }

    /// Reads everything that is kept.
    pub(crate) fn verify(&self) -> (BlobsReport, Vec<Fault>) {
        let mut report = BlobsReport::default();
        let mut faults = Vec::new();
        for path in self.files().unwrap_or_else(|error| {
            faults.push(error.into());
            Vec::new()
        }) {
            match verify_file(path) {
                Ok(bytes) => report = BlobsReport { count: report.count + 1, bytes: report.bytes + bytes },
                Err(fault) => faults.push(fault),
            }
        }
        (report, faults)
    }

    /// Removes what a crash left unfinished. Elsewhere the next file of that name takes its place; here the same
    /// content may never come again.
    pub(crate) fn remove_unfinished(&self) -> Result<(), FileError> {
        let shelves = disk::names(&self.folder)?.into_iter().map(|shelf| self.folder.join(shelf));
        shelves.filter(|shelf| shelf.is_dir()).try_for_each(|shelf| disk::remove_unfinished(&shelf))
    }

    /// Content that is there is read once more rather than trusted: a crash or a disk may have spoilt it, and here are
    /// the bytes that mend it. Where the book is gone nothing is made in its place: it is to be put back there.
    fn put(&self, path: &Path, digest: &Digest, bytes: &[u8]) -> Result<(), FileError> {
        let folder = disk::folder_of(path);
        if self.kept(digest).is_ok() {
            return disk::sync_folder(folder);
        }
        disk::create_folder_below(folder)?;
        disk::sync_folder(&self.folder)?;
        disk::replace(path, bytes)
    }

    /// The file of the content with this digest.
    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.join(hex.get(..2).unwrap_or_default()).join(hex)
    }

    fn files(&self) -> Result<Vec<PathBuf>, FileError> {
        let mut files = Vec::new();
        for shelf in disk::names(&self.folder)? {
            let shelf = self.folder.join(shelf);
            let names = disk::names(&shelf)?;
            files.extend(names.iter().filter(|name| !name.starts_with(disk::UNFINISHED)).map(|name| shelf.join(name)));
        }
        Ok(files)
    }

    fn remembered(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one file and holds it against its name; its size in bytes.
fn verify_file(file: PathBuf) -> Result<u64, Fault> {
    let name = file.file_name().and_then(|name| name.to_str()).and_then(Digest::from_hex);
    let Some(expected) = name else {
        return Err(Fault::BlobName { file });
    };
    let bytes = fs::read(&file).map_err(Doing::Read.to(&file))?;
    match Digest::of(&bytes) {
        found if found == expected => Ok(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
        found => Err(Fault::Blob { file, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(folder.path().to_owned());
        (folder, blobs)
    }

    #[test]
    fn content_is_given_back_by_its_digest() {
        let (_folder, blobs) = blobs();
        let digest = blobs.keep(b"settings").unwrap();
        assert_eq!(digest, Digest::of(b"settings"));
        assert_eq!(blobs.kept(&digest).unwrap(), b"settings");
        assert!(matches!(blobs.kept(&Digest::of(b"other")), Err(KeptError::Unknown(_))));
    }

    #[test]
    fn keeping_twice_keeps_once_and_the_second_time_without_the_disk() {
        let (folder, blobs) = blobs();
        let digest = blobs.keep(b"settings").unwrap();
        fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(blobs.keep(b"settings").unwrap(), digest);
    }

    #[test]
    fn where_the_folder_is_gone_none_is_made() {
        let (folder, blobs) = blobs();
        fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(blobs.keep(b"settings").unwrap_err().kind(), std::io::ErrorKind::NotFound);
        assert!(!folder.path().exists());
    }

    #[test]
    fn damaged_content_is_never_given_back_and_is_found_and_mended() {
        let (folder, blobs) = blobs();
        let digest = blobs.keep(b"settings").unwrap();
        fs::write(blobs.path(&digest), "settinks").unwrap();
        assert!(matches!(blobs.kept(&digest), Err(KeptError::Damaged { .. })));
        let (report, faults) = blobs.verify();
        assert_eq!(report.count, 0);
        assert!(matches!(&faults[..], [Fault::Blob { file, .. }] if *file == blobs.path(&digest)));

        let anew = Blobs::in_folder(folder.path().to_owned());
        anew.keep(b"settings").unwrap();
        assert_eq!(anew.kept(&digest).unwrap(), b"settings");
    }

    #[test]
    fn threads_that_keep_the_same_content_do_not_meet() {
        let (_folder, blobs) = blobs();
        std::thread::scope(|scope| {
            (0..8).for_each(|_| drop(scope.spawn(|| blobs.keep(b"settings").unwrap())));
        });
        assert_eq!(blobs.verify().0, BlobsReport { count: 1, bytes: 8 });
    }
}
