//! The one thread that writes: takes a group from the queue, writes it with one call, syncs it once, tells those who
//! wait; seals segments that are full; signs a checkpoint now and then. Whatever fails here ends the book for this run.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::appended::DurablePromise;
use crate::checkpoint::Checkpoint;
use crate::disk::{self, FileError};
use crate::failure::Failure;
use crate::layout::{EpochFolder, SegmentState};
use crate::line;
use crate::merkle::{Frontier, TreeHash};
use crate::note::SigningKey;
use crate::options::Durability;
use crate::queue::{Entry, Queue, Taken};
use crate::seal::Seal;
use crate::segment::Segment;
use crate::stats::Stats;

/// What the writer and the callers' side of a book share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    stats: Mutex<Stats>,
}

impl Shared {
    pub(crate) fn of(queue: Queue, stats: Stats) -> Self {
        Self { queue, stats: Mutex::new(stats) }
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the book: nothing more is taken, everyone is told why.
    fn fail(&self, failure: &Failure) {
        self.stats().failure = Some(failure.clone());
        self.queue.fail(failure);
    }
}

/// Everything that only the writing thread touches.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) folder: EpochFolder,
    /// The name that the epoch's tree is signed under.
    pub(crate) log_name: String,
    pub(crate) key: SigningKey,
    pub(crate) segment: Segment,
    /// The tree over all records that are written.
    pub(crate) tree: Frontier,
    /// The newest checkpoint: never one of a smaller tree, nor of another tree of that size, is signed.
    pub(crate) checkpoint: Checkpoint,
    pub(crate) rules: WritingRules,
    pub(crate) progress: Progress,
    /// Held until the last byte is written.
    pub(crate) _lock: File,
}

/// What the options say about writing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WritingRules {
    pub(crate) durability: Durability,
    pub(crate) segment_bytes: u64,
    pub(crate) checkpoint_interval: Duration,
}

/// Where the writer stands between two groups.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The size of the tree whose records are all synced.
    synced: u64,
    /// When the next checkpoint may be signed.
    checkpoint_due: Instant,
    /// The lines of the group at hand; kept to be filled again.
    lines: Vec<u8>,
}

impl Progress {
    /// Nothing written yet in this run, all that was there synced.
    pub(crate) fn from(synced: u64, checkpoint_interval: Duration) -> Self {
        Self { synced, checkpoint_due: Instant::now() + checkpoint_interval, lines: Vec::new() }
    }
}

impl Writer {
    /// Writes until the queue is closed and empty, or something fails.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        let _fuse = Fuse { shared: Arc::clone(&self.shared) };
        let outcome = self.write_all_that_comes();
        if let Err(failure) = &outcome {
            self.shared.fail(failure);
        }
        outcome
    }

    /// Writes records together. Those who wait for them are told, whatever comes of it.
    pub(crate) fn write(&mut self, group: Vec<Entry>) -> Result<(), Failure> {
        let written = self.make_room(&group).and_then(|()| self.append(&group));
        let tree = match written {
            Ok(tree) => tree,
            Err(failure) => {
                self.shared.fail(&failure);
                group.into_iter().for_each(|entry| entry.promise.failed(&failure));
                return Err(failure);
            }
        };
        self.count(&group, &tree);
        self.tree = tree;
        let durable = group.into_iter().map(|entry| entry.promise.written()).collect();
        self.settle(durable)
    }

    fn write_all_that_comes(&mut self) -> Result<(), Failure> {
        loop {
            match self.shared.queue.take(self.next_checkpoint()) {
                Taken::Group(group) => self.write(group)?,
                Taken::Idle => {}
                Taken::Closed => return Ok(self.sign()?),
            }
            if self.next_checkpoint().is_some_and(|due| due <= Instant::now()) {
                self.try_to_sign()?;
            }
        }
    }

    /// When a checkpoint is to be signed, if there is something new to cover.
    fn next_checkpoint(&self) -> Option<Instant> {
        (self.tree.size() > self.checkpoint.size).then_some(self.progress.checkpoint_due)
    }

    /// Begins a new segment if the group would not fit into this one.
    fn make_room(&mut self, group: &[Entry]) -> Result<(), Failure> {
        self.progress.lines.clear();
        group.iter().for_each(|entry| line::frame(&entry.leaf, &mut self.progress.lines));
        let more = u64::try_from(self.progress.lines.len()).unwrap_or(u64::MAX);
        let full = self.segment.bytes().saturating_add(more) > self.rules.segment_bytes;
        if full && self.segment.bytes() > 0 { Ok(self.seal()?) } else { Ok(()) }
    }

    /// Writes the lines of a group; the tree that they make.
    fn append(&mut self, group: &[Entry]) -> Result<Frontier, Failure> {
        let mut tree = self.tree.clone();
        group.iter().for_each(|entry| tree.push(TreeHash::leaf(entry.leaf.as_bytes())));
        self.segment.append(&self.progress.lines)?;
        Ok(tree)
    }

    fn settle(&mut self, promises: Vec<DurablePromise>) -> Result<(), Failure> {
        let outcome = match self.rules.durability {
            Durability::Durable => self.sync().map_err(Failure::from),
            Durability::WriteOnly => Ok(()),
        };
        if let Err(failure) = &outcome {
            self.shared.fail(failure);
        }
        promises.into_iter().for_each(|promise| promise.settle(outcome.clone()));
        outcome
    }

    fn sync(&mut self) -> Result<(), FileError> {
        if self.progress.synced == self.tree.size() {
            return Ok(());
        }
        let begun = Instant::now();
        self.segment.sync()?;
        self.progress.synced = self.tree.size();
        let mut stats = self.shared.stats();
        stats.syncs += 1;
        stats.synced = self.progress.synced;
        stats.last_sync = Some(begun.elapsed());
        Ok(())
    }

    /// Signs the tree if a checkpoint can be written. If only that fails, no record is in danger: it is tried again.
    fn try_to_sign(&mut self) -> Result<(), Failure> {
        self.sync()?;
        let outcome = self.sign();
        self.shared.stats().checkpoint_failure = outcome.err();
        Ok(())
    }

    /// Signs the tree over all records, after they are synced, if it grew.
    fn sign(&mut self) -> Result<(), FileError> {
        self.sync()?;
        self.progress.checkpoint_due = Instant::now() + self.rules.checkpoint_interval;
        if self.tree.size() <= self.checkpoint.size {
            return Ok(());
        }
        let checkpoint = Checkpoint::sign(&self.log_name, &self.tree, &self.key);
        disk::replace(&self.folder.checkpoint(), checkpoint.note.as_bytes())?;
        self.shared.stats().covered = checkpoint.size;
        self.checkpoint = checkpoint;
        Ok(())
    }

    /// Ends the segment and begins the next. The checkpoint comes first, so that it never lags behind a seal.
    fn seal(&mut self) -> Result<(), FileError> {
        self.sign()?;
        let (bytes, tree) = (self.segment.bytes(), self.tree.clone());
        let seal = Seal { bytes, tree, checkpoint: self.checkpoint.clone() };
        disk::replace(&self.segment.files().seal, seal.text().as_bytes())?;
        self.segment = Segment::begin(self.folder.segment(self.tree.size(), SegmentState::Open))?;
        self.shared.stats().sealed += 1;
        Ok(())
    }

    fn count(&self, group: &[Entry], tree: &Frontier) {
        let mut stats = self.shared.stats();
        stats.groups += 1;
        stats.records += u64::try_from(group.len()).unwrap_or(u64::MAX);
        stats.bytes += u64::try_from(self.progress.lines.len()).unwrap_or(u64::MAX);
        stats.tree_size = tree.size();
    }
}

/// Ends the book if the writing thread panics, so that nobody waits for ever.
struct Fuse {
    shared: Arc<Shared>,
}

impl Drop for Fuse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.fail(&Failure::WriterLost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    use crate::appended::Appended;
    use crate::body::{Body, RecordKind};
    use crate::identity::Epoch;
    use crate::layout::Layout;
    use crate::queue::{AppendError, Bounds};

    /// A writer whose segment is a device, which takes everything in its own way.
    fn writer_on(device: &str, folder: &std::path::Path) -> Writer {
        let folder = Layout::of(folder).epoch(Epoch::FIRST);
        let (key, _) = SigningKey::generate().unwrap();
        let bounds = Bounds { queue_bytes: 10_000, group_bytes: 10_000, group_interval: Duration::ZERO };
        let queue = Queue::of("a/b".parse().unwrap(), Epoch::FIRST, 0, bounds);
        let device = OpenOptions::new().write(true).open(device).unwrap();
        let tree = Frontier::default();
        Writer {
            shared: Arc::new(Shared::of(queue, Stats::default())),
            segment: Segment::on(device.try_clone().unwrap(), folder.segment(0, SegmentState::Open)),
            checkpoint: Checkpoint::sign("a/b/1", &tree, &key),
            rules: WritingRules {
                durability: Durability::Durable,
                segment_bytes: 10_000,
                checkpoint_interval: Duration::from_secs(3600),
            },
            progress: Progress::from(0, Duration::from_secs(3600)),
            log_name: "a/b/1".to_owned(),
            _lock: device,
            folder,
            key,
            tree,
        }
    }

    fn append(shared: &Shared) -> Result<Appended, AppendError> {
        shared.queue.append(&RecordKind::DECISION, &Body::of(&"x").unwrap(), || jiff::Timestamp::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn a_sync_that_fails_is_never_told_as_durable_and_ends_the_book() {
        // The null device takes every byte and refuses to sync.
        let folder = tempfile::tempdir().unwrap();
        let writer = writer_on("/dev/null", folder.path());
        let shared = Arc::clone(&writer.shared);
        let mut appended = append(&shared).unwrap();
        assert!(matches!(writer.run(), Err(Failure::Refused(_))));
        assert!(appended.written().await.is_ok());
        assert!(matches!(appended.durable().await, Err(Failure::Refused(_))));
        assert!(matches!(append(&shared), Err(AppendError::Failed(Failure::Refused(_)))));
        let stats = shared.stats().clone();
        assert_eq!((stats.syncs, stats.covered), (0, 0));
    }

    #[tokio::test]
    async fn a_write_that_fails_reaches_everybody_who_waits() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer_on("/dev/full", folder.path());
        let shared = Arc::clone(&writer.shared);
        let mut waiting: Vec<_> = (0..3).map(|_| append(&shared).unwrap()).collect();
        assert!(matches!(writer.run(), Err(Failure::DiskFull(_))));
        for appended in &mut waiting {
            assert!(matches!(appended.written().await, Err(Failure::DiskFull(_))));
            assert!(matches!(appended.durable().await, Err(Failure::DiskFull(_))));
        }
        assert_eq!(shared.stats().tree_size, 0);
    }
}
