//! The segment that is being written: appending to it, syncing it, cutting off what a failed write left, at once or
//! when the book is opened again. Which records go there, and when, is the writer's business.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{self, Doing, FileError};
use crate::examine::OpenSegment;
use crate::layout::SegmentFiles;

/// A segment open for appending.
#[derive(Debug)]
pub(crate) struct Segment {
    leaves: Arc<Leaves>,
    /// The bytes of the whole lines in it.
    bytes: u64,
}

/// Lines that a write which failed was to put at the end of a segment. The disk may have taken some of them, and
/// refused to cut them off.
#[derive(Debug)]
pub(crate) struct Unwritten {
    leaves: PathBuf,
    /// Where they were to begin.
    begin: u64,
    lines: Vec<u8>,
}

/// The file of a segment's lines, which may be synced while it is written.
#[derive(Debug)]
pub(crate) struct Leaves {
    file: File,
    files: SegmentFiles,
}

impl Segment {
    /// Begins an empty segment, its name on disk.
    pub(crate) fn begin(files: SegmentFiles) -> Result<Self, FileError> {
        let file = disk::create_file(&files.leaves)?;
        disk::sync_folder(disk::folder_of(&files.leaves))?;
        Ok(Self::of(file, files, 0))
    }

    fn of(file: File, files: SegmentFiles, bytes: u64) -> Self {
        Self { leaves: Arc::new(Leaves { file, files }), bytes }
    }

    /// Goes on with a segment whose records are all known to be on disk; a line that was never finished is cut off.
    pub(crate) fn resume(open: &OpenSegment) -> Result<Self, FileError> {
        let path = &open.files.leaves;
        let file = OpenOptions::new().append(true).open(path).map_err(Doing::Open.to(path))?;
        let segment = Self::of(file, open.files.clone(), open.bytes);
        if open.torn.is_some() {
            segment.cut()?;
        }
        segment.leaves.file.sync_all().map_err(Doing::Sync.to(path))?;
        Ok(segment)
    }

    /// Goes on with a segment of which nobody knows how much is on disk: it is put there once more. After a sync that
    /// failed its pages count as clean, so that another sync of them would promise what never happened.
    pub(crate) fn resume_anew(open: &OpenSegment) -> Result<Self, FileError> {
        let path = &open.files.leaves;
        let mut bytes = fs::read(path).map_err(Doing::Read.to(path))?;
        bytes.truncate(usize::try_from(open.bytes).unwrap_or(usize::MAX));
        disk::replace(path, &bytes)?;
        let file = OpenOptions::new().append(true).open(path).map_err(Doing::Open.to(path))?;
        Ok(Self::of(file, open.files.clone(), open.bytes))
    }

    pub(crate) fn files(&self) -> &SegmentFiles {
        &self.leaves.files
    }

    /// The file that its lines are in.
    pub(crate) fn leaves(&self) -> &Arc<Leaves> {
        &self.leaves
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends whole lines, all or (as far as the disk lets that be) none.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<(), FileError> {
        let written = self.leaves.append(lines);
        if written.is_err() {
            // If this fails too, whoever opens the book again in this process cuts them off; see `unwritten`.
            let _ = self.cut();
        } else {
            self.bytes += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        }
        written
    }

    /// These lines, which could not be appended.
    pub(crate) fn unwritten(&self, lines: Vec<u8>) -> Unwritten {
        Unwritten { leaves: self.files().leaves.clone(), begin: self.bytes, lines }
    }

    fn cut(&self) -> Result<(), FileError> {
        let Leaves { file, files } = &*self.leaves;
        file.set_len(self.bytes).map_err(Doing::Cut.to(&files.leaves))
    }
}

impl Unwritten {
    /// Cuts off what stands of the lines where they were to be. Anything else was put there by somebody, and stays.
    pub(crate) fn cut_off(&self) -> Result<(), FileError> {
        let mut file = match OpenOptions::new().read(true).write(true).open(&self.leaves) {
            // The examination says what that means.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(Doing::Open.to(&self.leaves))?,
        };
        let mut standing = Vec::new();
        file.seek(SeekFrom::Start(self.begin)).map_err(Doing::Read.to(&self.leaves))?;
        file.read_to_end(&mut standing).map_err(Doing::Read.to(&self.leaves))?;
        if standing.is_empty() || !self.lines.starts_with(&standing) {
            return Ok(());
        }
        file.set_len(self.begin).map_err(Doing::Cut.to(&self.leaves))?;
        file.sync_all().map_err(Doing::Sync.to(&self.leaves))
    }
}

impl Leaves {
    fn append(&self, lines: &[u8]) -> Result<(), FileError> {
        let path = &self.files.leaves;
        (&self.file).write_all(lines).map_err(Doing::Write.to(path))?;
        self.require_name()
    }

    /// Makes what was appended durable.
    pub(crate) fn sync(&self) -> Result<(), FileError> {
        self.file.sync_data().map_err(Doing::Sync.to(&self.files.leaves))
    }

    /// A file that was removed can still be written and synced, and all of it is lost when it is closed.
    fn require_name(&self) -> Result<(), FileError> {
        let path = &self.files.leaves;
        match self.file.metadata().map_err(Doing::Write.to(path))?.nlink() {
            0 => Err(Doing::Write.to(path)(io::ErrorKind::NotFound.into())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
impl Segment {
    /// A segment on a file that the caller has opened, for tests of what a disk does wrong.
    pub(crate) fn on(file: File, files: SegmentFiles) -> Self {
        Self::of(file, files, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a segment `one\n` and what stands after it, where `two\nthree\n` could not be written.
    fn left_of(standing: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let leaves = folder.path().join("leaves");
        fs::write(&leaves, format!("one\n{standing}")).unwrap();
        Unwritten { leaves: leaves.clone(), begin: 4, lines: b"two\nthree\n".to_vec() }.cut_off().unwrap();
        fs::read_to_string(leaves).unwrap()
    }

    #[test]
    fn what_a_failed_write_left_is_cut_off_when_the_disk_allows_it_again() {
        for standing in ["", "tw", "two\n", "two\nthr", "two\nthree\n"] {
            assert_eq!(left_of(standing), "one\n", "{standing:?}");
        }
    }

    #[test]
    fn what_somebody_else_has_written_there_stays() {
        for standing in ["six\n", "two\nthree\nfour\n"] {
            assert_eq!(left_of(standing), format!("one\n{standing}"));
        }
    }

    #[test]
    fn a_segment_that_is_gone_is_left_to_the_examination() {
        let leaves = PathBuf::from("/nowhere/leaves");
        assert!(Unwritten { leaves, begin: 4, lines: Vec::new() }.cut_off().is_ok());
    }
}
