//! Reading the records of a book, for tools that report, replay and export. Whether the book is whole is for `verify`
//! to say: a line that can't be read is told and passed over, so that what is good in a damaged book stays of use.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::blobs::{Blobs, KeptError};
use crate::digest::Digest;
use crate::disk::{self, Doing, FileError};
use crate::examine::checkpoint_as_written;
use crate::layout::{Layout, SegmentFiles};
use crate::leaf::{self, Record};
use crate::line::{self, Line, LineEnd, Lines};

/// A record that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line is not what was written.
    #[error("{file}, line {line} (byte {offset}): this is no record as it was written; verify the book", file = file.display())]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The bytes before it.
        offset: u64,
    },
    /// Records that a later segment or the checkpoint counts are not there.
    #[error("{folder}: records {from} to {to} are not there; verify the book", to = end.saturating_sub(1), folder = folder.display())]
    Missing {
        /// The folder of the segments.
        folder: PathBuf,
        /// The sequence of the first.
        from: u64,
        /// The sequence after the last.
        end: u64,
    },
}

/// The records of the book in `folder`, in the order of their ids, also of epochs that were set aside. No lock is
/// needed; a line that is being written at the moment is left out.
///
/// # Errors
/// When the folders can't be listed.
pub fn read(folder: &Path) -> Result<Records, FileError> {
    let mut parts = VecDeque::new();
    for epoch in Layout::of(folder).epochs_found()? {
        // Whoever writes on meanwhile has written all that this checkpoint covers.
        let covered = checkpoint_as_written(&epoch).and_then(|note| size_as_written(&note)).unwrap_or_default();
        parts.extend(epoch.segments_found()?.into_iter().map(Part::Segment));
        parts.push_back(Part::End { folder: epoch.segments(), covered });
    }
    Ok(Records { parts, next: 0, open: None })
}

/// The content that the book in `folder` keeps under `digest`, checked against it.
///
/// # Errors
/// When there is none, or it was damaged.
pub fn kept(folder: &Path, digest: &Digest) -> Result<Vec<u8>, KeptError> {
    Blobs::in_folder(Layout::of(folder).blobs()).kept(digest)
}

/// The records of a book, one after another; made by [`read`].
#[derive(Debug)]
pub struct Records {
    parts: VecDeque<Part>,
    /// The sequence of the next record of the epoch.
    next: u64,
    open: Option<(PathBuf, Lines<BufReader<File>>)>,
}

/// What is come to next.
#[derive(Debug)]
enum Part {
    Segment(SegmentFiles),
    /// The end of an epoch whose checkpoint covers so many records.
    End {
        folder: PathBuf,
        covered: u64,
    },
}

impl Iterator for Records {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (file, lines) = match &mut self.open {
                Some(open) => open,
                None => match self.begin() {
                    Some(Ok(())) => continue,
                    Some(Err(error)) => return Some(Err(error)),
                    None => return None,
                },
            };
            match lines.next().map_err(Doing::Read.to(file)) {
                Ok(Some(line)) if line.end != LineEnd::EndOfFile => {
                    self.next = self.next.saturating_add(1);
                    return Some(record(file, &line));
                }
                Ok(_) => self.open = None,
                Err(error) => {
                    self.open = None;
                    return Some(Err(error.into()));
                }
            }
        }
    }
}

impl Records {
    /// Begins the next segment or ends the epoch, and tells of records that are missing before it.
    fn begin(&mut self) -> Option<Result<(), ReadError>> {
        let (folder, from) = match self.parts.front()? {
            Part::Segment(segment) => (disk::folder_of(&segment.leaves).to_owned(), segment.first),
            Part::End { folder, covered } => (folder.clone(), *covered),
        };
        let missing = self.next..from;
        if !missing.is_empty() {
            self.next = from;
            return Some(Err(ReadError::Missing { folder, from: missing.start, end: missing.end }));
        }
        match self.parts.pop_front()? {
            Part::Segment(segment) => match open(segment.leaves) {
                Ok(opened) => self.open = Some(opened),
                Err(error) => return Some(Err(error.into())),
            },
            Part::End { .. } => self.next = 0,
        }
        Some(Ok(()))
    }
}

/// The size that a checkpoint names, trusted or not.
fn size_as_written(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}

fn open(path: PathBuf) -> Result<(PathBuf, Lines<BufReader<File>>), FileError> {
    let file = File::open(&path).map_err(Doing::Open.to(&path))?;
    Ok((path, Lines::of(BufReader::new(file))))
}

fn record(file: &Path, line: &Line<'_>) -> Result<Record, ReadError> {
    let leaf = line::unframe(line.bytes).ok();
    let record = leaf.and_then(|leaf| leaf::read(leaf, &leaf::id_within(leaf)?).ok());
    record.ok_or_else(|| ReadError::Damaged { file: file.to_owned(), line: line.number, offset: line.offset })
}
