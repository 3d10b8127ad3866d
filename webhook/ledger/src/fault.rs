//! What can be wrong with a book, each with the place and with what was expected there. Who looks for it is in
//! `examine` (one epoch) and `verify` (all of a book).

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::checkpoint::CheckpointError;
use crate::digest::Digest;
use crate::disk::FileError;
use crate::identity::{Epoch, RecordId};
use crate::leaf::LeafError;
use crate::merkle::TreeHash;
use crate::note::VerifierKeyError;

/// A place in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The segment's file.
    pub file: PathBuf,
    /// Its line, counted from 1.
    pub line: u64,
    /// The bytes before that line in the file.
    pub offset: u64,
    /// The sequence of the record that belongs there.
    pub sequence: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, offset, sequence } = self;
        write!(f, "{}, line {line} (byte {offset}), record {sequence}", file.display())
    }
}

/// One thing that keeps a book from being whole.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A line was not finished, and nobody is at work on it.
    #[error(
        "{place}: the last line breaks off after {bytes} bytes; opening the book for writing cuts off what was never acknowledged"
    )]
    Torn {
        /// Where the line begins.
        place: Place,
        /// What there is of it.
        bytes: u64,
    },
    /// A line breaks off though a later record, a seal or a checkpoint says that it was whole.
    #[error("{place}: the line breaks off after {bytes} bytes, but it was once whole and on disk")]
    Cut {
        /// Where the line begins.
        place: Place,
        /// What there is of it.
        bytes: u64,
    },
    /// A line is no check and a text.
    #[error("{place}: expected 8 hex digits, a space and a record, found something else")]
    Line {
        /// Where it stands.
        place: Place,
    },
    /// A line is not the one that was written.
    #[error("{place}: the line was changed: its text gives the check {expected:?}, it begins with {found:?}")]
    Check {
        /// Where it stands.
        place: Place,
        /// The check of the text that is there.
        expected: String,
        /// The check that is written before it.
        found: String,
    },
    /// A line holds something that is not the record which belongs there.
    #[error("{place}: the leaf is not the record that belongs there: {why}")]
    Leaf {
        /// Where it stands.
        place: Place,
        /// What is wrong with it.
        why: LeafError,
    },
    /// Records between two segments, or all of them, are missing.
    #[error("{folder}: no segment begins with record {expected}; {}", found_segment(*found), folder = folder.display())]
    SegmentMissing {
        /// The folder of the segments.
        folder: PathBuf,
        /// The sequence that the next segment has to begin with.
        expected: u64,
        /// The sequence that the next segment there is begins with.
        found: Option<u64>,
    },
    /// A segment that is followed by another one was never sealed, or its seal was removed.
    #[error("{file}: the seal is missing, though another segment follows", file = file.display())]
    SealMissing {
        /// The seal's file.
        file: PathBuf,
    },
    /// A seal is not the one of its segment.
    #[error("{file}: the seal does not belong to its segment: {why}", file = file.display())]
    Seal {
        /// The seal's file.
        file: PathBuf,
        /// What does not fit.
        why: SealFault,
    },
    /// The checkpoint can't be trusted.
    #[error("{file}: the checkpoint can't be trusted: {why}", file = file.display())]
    Checkpoint {
        /// Its file.
        file: PathBuf,
        /// Why.
        why: CheckpointError,
    },
    /// The checkpoint covers more records than there are.
    #[error("{file}: the checkpoint covers {covered} records, the segments hold {held}", file = file.display())]
    CheckpointAhead {
        /// Its file.
        file: PathBuf,
        /// The size of the tree that was signed.
        covered: u64,
        /// The records there are.
        held: u64,
    },
    /// The checkpoint is older than one that the same log has signed later.
    #[error("{file}: the checkpoint covers {covered} records, but a later one covers {sealed}", file = file.display())]
    CheckpointBehind {
        /// Its file.
        file: PathBuf,
        /// The size of the tree that it names.
        covered: u64,
        /// The size of the tree that a seal names.
        sealed: u64,
    },
    /// The records are not those that were signed.
    #[error(
        "records {from} to {to}: they are not those that {file} has signed: it names the root {expected}, they give {found}",
        to = size.saturating_sub(1), file = file.display()
    )]
    RootDiffers {
        /// The checkpoint or seal.
        file: PathBuf,
        /// The first sequence that no earlier signature covers.
        from: u64,
        /// The size of the tree that was signed.
        size: u64,
        /// The root that was signed.
        expected: TreeHash,
        /// The root that the records give.
        found: TreeHash,
    },
    /// The list of the epochs' public keys can't be read.
    #[error("{file}, line {line}: {why}", file = file.display())]
    VerifierKeys {
        /// The list.
        file: PathBuf,
        /// Its line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: VerifierKeysError,
    },
    /// The epoch's public key is not the one that the caller trusts.
    #[error("epoch {epoch} is signed with {found}, which is not the trusted key {expected}")]
    Untrusted {
        /// The epoch.
        epoch: Epoch,
        /// The key that the caller trusts.
        expected: String,
        /// The key that is written down for the epoch.
        found: String,
    },
    /// There is an epoch without a key.
    #[error("epoch {epoch} has a folder in the book, and no key in its list")]
    KeyMissing {
        /// The epoch.
        epoch: Epoch,
    },
    /// An epoch is known by its key, and its folder is not there.
    #[error("epoch {epoch} has a key in the book, and no folder {folder}", folder = folder.display())]
    EpochMissing {
        /// The epoch.
        epoch: Epoch,
        /// Where it should be.
        folder: PathBuf,
    },
    /// An epoch after the first does not begin by naming the one before.
    #[error("epoch {epoch} does not begin with a record that names the end of epoch {}: {why}", epoch.number().saturating_sub(1))]
    Succession {
        /// The epoch.
        epoch: Epoch,
        /// What there is instead.
        why: String,
    },
    /// Kept content is not what its name says.
    #[error("{file}: the content has the digest {found}", file = file.display())]
    Blob {
        /// Its file, named after the digest that it should have.
        file: PathBuf,
        /// The digest that it has.
        found: Digest,
    },
    /// Content that a record names is not kept.
    #[error("{file}: this content is not there, and record {record} names it", file = file.display())]
    BlobMissing {
        /// Its file.
        file: PathBuf,
        /// A record that names it.
        record: RecordId,
    },
    /// A file among the kept content is named after no digest.
    #[error("{file}: the name is no digest", file = file.display())]
    BlobName {
        /// The file.
        file: PathBuf,
    },
    /// The operating system refused to let a file be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What does not fit between a seal and its segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// It is no seal.
    #[error("it is not the canonical JSON of a seal")]
    Form,
    /// Its checkpoint can't be trusted.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The edge of the tree that it holds does not give the root that it signs.
    #[error("its edge of the tree does not give the root that it has signed")]
    Edge,
    /// The segment has another length.
    #[error("it was put on {expected} bytes, the segment has {found}")]
    Length {
        /// The bytes when it was sealed.
        expected: u64,
        /// The bytes that there are.
        found: u64,
    },
    /// The segment has another number of records.
    #[error("it was put on the records up to {expected}, the segment ends before record {found}")]
    Size {
        /// The size of the tree when it was sealed.
        expected: u64,
        /// The size of the tree after the records there are.
        found: u64,
    },
}

/// What is wrong with the list of the epochs' keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeysError {
    /// A line is no key.
    #[error(transparent)]
    Key(#[from] VerifierKeyError),
    /// The key's name is no epoch of an origin.
    #[error("{0:?} is not the name of an epoch: expected <cluster>/<replica>/<epoch>")]
    Name(String),
    /// The epochs are not of one origin, or don't follow each other.
    #[error("{0:?} does not follow the line before")]
    Order(String),
    /// The file has no line, or its last one has no newline.
    #[error("the list of keys breaks off")]
    BreaksOff,
}

impl Fault {
    /// A stable word for what it is: for reasons in the book, metrics and machine-readable reports.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Torn { .. } => "torn",
            Self::Cut { .. } => "cut",
            Self::Line { .. } => "line",
            Self::Check { .. } => "check",
            Self::Leaf { .. } => "leaf",
            Self::SegmentMissing { .. } => "segment-missing",
            Self::SealMissing { .. } => "seal-missing",
            Self::Seal { .. } => "seal",
            Self::Checkpoint { .. } => "checkpoint",
            Self::CheckpointAhead { .. } => "checkpoint-ahead",
            Self::CheckpointBehind { .. } => "checkpoint-behind",
            Self::RootDiffers { .. } => "root-differs",
            Self::VerifierKeys { .. } => "verifier-keys",
            Self::Untrusted { .. } => "untrusted",
            Self::KeyMissing { .. } => "key-missing",
            Self::EpochMissing { .. } => "epoch-missing",
            Self::Succession { .. } => "succession",
            Self::Blob { .. } => "blob",
            Self::BlobMissing { .. } => "blob-missing",
            Self::BlobName { .. } => "blob-name",
            Self::File(_) => "file",
        }
    }

    /// The place in a segment, where it has one.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Torn { place, .. }
            | Self::Cut { place, .. }
            | Self::Line { place }
            | Self::Check { place, .. }
            | Self::Leaf { place, .. } => Some(place),
            _ => None,
        }
    }
}

/// As `{"code", "text"}`, with the file, line, byte and sequence where the fault has a place.
impl Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", self.code())?;
        map.serialize_entry("text", &self.to_string())?;
        if let Some(place) = self.place() {
            map.serialize_entry("file", &place.file)?;
            map.serialize_entry("line", &place.line)?;
            map.serialize_entry("offset", &place.offset)?;
            map.serialize_entry("sequence", &place.sequence)?;
        }
        map.end()
    }
}

fn found_segment(first: Option<u64>) -> String {
    first.map_or_else(|| "there is no other".to_owned(), |first| format!("the next begins with {first}"))
}
