//! Figures of an open book, for metrics and health checks.

use std::time::Duration;

use crate::disk::FileError;
use crate::failure::Failure;

/// Figures of an open book. Counts are since it was opened unless said otherwise.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Records that were written.
    pub records: u64,
    /// Bytes that were written to segments.
    pub bytes: u64,
    /// Groups that were written, each with one `write`.
    pub groups: u64,
    /// Calls of `fdatasync` on segments.
    pub syncs: u64,
    /// How long the last of them took.
    pub last_sync: Option<Duration>,
    /// Segments that were sealed.
    pub sealed: u64,
    /// The size of this epoch's tree: all of its records, whenever they were written.
    pub tree_size: u64,
    /// How many of them are on disk.
    pub synced: u64,
    /// How many of them the newest checkpoint covers.
    pub covered: u64,
    /// Bytes of leaves that wait for the writer.
    pub waiting_bytes: usize,
    /// Why the last checkpoint could not be written; it is tried again. None once one was.
    pub checkpoint_failure: Option<FileError>,
    /// Why the book takes no more records, if so.
    pub failure: Option<Failure>,
}
