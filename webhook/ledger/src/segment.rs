//! The segment that is being written: appending to it, syncing it, cutting off what a failed write left. Which records
//! go there, and when, is the writer's business.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;

use crate::disk::{self, Doing, FileError};
use crate::examine::OpenSegment;
use crate::layout::SegmentFiles;

/// A segment open for appending.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
    files: SegmentFiles,
    /// The bytes of the whole lines in it.
    bytes: u64,
}

impl Segment {
    /// Begins an empty segment, its name on disk.
    pub(crate) fn begin(files: SegmentFiles) -> Result<Self, FileError> {
        let file = disk::create_file(&files.leaves)?;
        disk::sync_folder(disk::folder_of(&files.leaves))?;
        Ok(Self { file, files, bytes: 0 })
    }

    /// Goes on with a segment whose records are all known to be on disk; a line that was never finished is cut off.
    pub(crate) fn resume(open: &OpenSegment) -> Result<Self, FileError> {
        let path = &open.files.leaves;
        let file = OpenOptions::new().append(true).open(path).map_err(Doing::Open.to(path))?;
        let segment = Self { file, files: open.files.clone(), bytes: open.bytes };
        if open.torn.is_some() {
            segment.cut()?;
        }
        segment.file.sync_all().map_err(Doing::Sync.to(path))?;
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
        Ok(Self { file, files: open.files.clone(), bytes: open.bytes })
    }

    pub(crate) fn files(&self) -> &SegmentFiles {
        &self.files
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends whole lines, all or (as far as the disk lets that be) none.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<(), FileError> {
        let path = &self.files.leaves;
        let written = self.file.write_all(lines).map_err(Doing::Write.to(path)).and_then(|()| self.require_name());
        if written.is_err() {
            // If this fails too, the torn line is recognised and cut off at the next opening.
            let _ = self.cut();
        } else {
            self.bytes += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        }
        written
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

    fn cut(&self) -> Result<(), FileError> {
        self.file.set_len(self.bytes).map_err(Doing::Cut.to(&self.files.leaves))
    }
}

#[cfg(test)]
impl Segment {
    /// A segment on a file that the caller has opened, for tests of what a disk does wrong.
    pub(crate) fn on(file: File, files: SegmentFiles) -> Self {
        Self { file, files, bytes: 0 }
    }
}
