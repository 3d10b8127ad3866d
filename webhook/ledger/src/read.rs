//! Reading the records of a book, for tools that report, replay and export. Whether the book is whole is for `verify`
//! to say: a line that can't be read is told and passed over, so that what is good in a damaged book stays of use.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::blobs::{Blobs, KeptError};
use crate::digest::Digest;
use crate::disk::{Doing, FileError};
use crate::layout::Layout;
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
}

/// The records of the book in `folder`, in the order of their ids, also of epochs that were set aside. No lock is needed;
/// a line that is being written at the moment is left out.
///
/// # Errors
/// When the folders can't be listed.
pub fn read(folder: &Path) -> Result<Records, FileError> {
    let mut segments = VecDeque::new();
    for epoch in Layout::of(folder).epochs_found()? {
        segments.extend(epoch.segments_found()?.into_iter().map(|segment| segment.leaves));
    }
    Ok(Records { segments, open: None })
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
    segments: VecDeque<PathBuf>,
    open: Option<(PathBuf, Lines<BufReader<File>>)>,
}

impl Iterator for Records {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (file, lines) = match &mut self.open {
                Some(open) => open,
                None => match open(self.segments.pop_front()?) {
                    Ok(opened) => self.open.insert(opened),
                    Err(error) => return Some(Err(error.into())),
                },
            };
            match lines.next().map_err(Doing::Read.to(file)) {
                Ok(Some(line)) if line.end != LineEnd::EndOfFile => return Some(record(file, &line)),
                Ok(_) => self.open = None,
                Err(error) => {
                    self.open = None;
                    return Some(Err(error.into()));
                }
            }
        }
    }
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
