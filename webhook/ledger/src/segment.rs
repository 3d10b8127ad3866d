//! The segment that is being written: appending to it, syncing it, cutting off what a failed write left. Which records
//! go there, and when, is the writer's business.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
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
            // If this fails too, the torn line is recognised and cut off at the next opening.
            let _ = self.cut();
        } else {
            self.bytes += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        }
        written
    }

    fn cut(&self) -> Result<(), FileError> {
        let Leaves { file, files } = &*self.leaves;
        file.set_len(self.bytes).map_err(Doing::Cut.to(&files.leaves))
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
