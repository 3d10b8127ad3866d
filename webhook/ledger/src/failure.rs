//! Why a book can't be written any more. A book that failed once takes nothing more until it is opened again: what is
//! on disk then is the truth, and nobody has to guess what was left of the write that failed.

use std::io::ErrorKind;
use std::path::PathBuf;

use crate::disk::FileError;

/// Why a book can't be written any more. Records that were acknowledged before are not concerned.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The disk, a quota or the limit of a file's size is full.
    #[error("there is no room left for the book: free some, then open it again")]
    DiskFull(#[source] FileError),
    /// The segment, or the folder around it, was removed while it was written.
    #[error("{path} was removed while the book was open: put it back if you can, then open the book again", path = .0.display())]
    FolderGone(PathBuf),
    /// Anything else that the operating system said no to.
    #[error("the book can't be written: see to the cause, then open it again")]
    Refused(#[source] FileError),
    /// The thread that writes is no more, which is a bug.
    #[error("the book's writer ended unexpectedly: open the book again")]
    WriterLost,
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::DiskFull(error),
            ErrorKind::NotFound => Self::FolderGone(error.path().to_owned()),
            _ => Self::Refused(error),
        }
    }
}
