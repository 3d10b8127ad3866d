//! Writing: takes records together, writes them with one call, syncs them once, tells those who wait; seals segments
//! that are full; has checkpoints signed now and then. Whatever fails here ends the book for this run. Who writes: see
//! `pen`.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::appended::DurablePromise;
use crate::disk;
use crate::failure::Failure;
use crate::layout::{EpochFolder, SegmentState};
use crate::leaf::LARGEST_LEAF;
use crate::line::{self, FRAMING};
use crate::merkle::{Frontier, TreeHash};
use crate::options::Durability;
use crate::queue::{Entry, Taken};
use crate::seal::Seal;
use crate::segment::Segment;
use crate::shared::Shared;
use crate::signer::{Beside, Due, Signer};

/// Everything that only whoever writes touches.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) folder: EpochFolder,
    pub(crate) segment: Segment,
    /// The tree over all records that are written.
    pub(crate) tree: Frontier,
    pub(crate) rules: WritingRules,
    pub(crate) progress: Progress,
    pub(crate) signer: Arc<Signer>,
    pub(crate) beside: Beside,
    /// Held until the last byte is written, by whomever.
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
    /// When the next checkpoint may be asked for.
    checkpoint_due: Instant,
    /// The lines of the group at hand; kept to be filled again.
    lines: Vec<u8>,
}

impl Progress {
    /// Nothing written yet in this run.
    pub(crate) fn begin(checkpoint_interval: Duration) -> Self {
        Self { checkpoint_due: Instant::now() + checkpoint_interval, lines: Vec::new() }
    }
}

impl Writer {
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

    /// Writes the next record, if it is still there. Who waits for it is told what came of it, and so is the book.
    pub(crate) fn write_one(&mut self) {
        if let Taken::Group(group) = self.shared.queue.take_one() {
            let _ = self.write(group);
        }
    }

    /// Whether the segment takes another record for certain.
    pub(crate) fn has_room(&self) -> bool {
        let largest = u64::try_from(LARGEST_LEAF + FRAMING).unwrap_or(u64::MAX);
        self.segment.bytes().saturating_add(largest) <= self.rules.segment_bytes
    }

    /// Signs over all that is written: nothing more will come.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        self.signer.alone()?.cover(&self.tree, self.segment.leaves())?;
        Ok(())
    }

    /// Has a checkpoint signed if it is due; when the next one is, if there is something new to cover.
    pub(crate) fn next_checkpoint(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if self.progress.checkpoint_due <= now && self.is_ahead() {
            self.progress.checkpoint_due = now + self.rules.checkpoint_interval;
            self.beside.ask(Due { tree: self.tree.clone(), leaves: Arc::clone(self.segment.leaves()) });
        }
        self.is_ahead().then_some(self.progress.checkpoint_due)
    }

    fn is_ahead(&self) -> bool {
        self.tree.size() > self.shared.stats().covered
    }

    /// Begins a new segment if the group would not fit into this one.
    fn make_room(&mut self, group: &[Entry]) -> Result<(), Failure> {
        self.progress.lines.clear();
        group.iter().for_each(|entry| line::frame(&entry.leaf, &mut self.progress.lines));
        let more = u64::try_from(self.progress.lines.len()).unwrap_or(u64::MAX);
        let full = self.segment.bytes().saturating_add(more) > self.rules.segment_bytes;
        if full && self.segment.bytes() > 0 { self.seal() } else { Ok(()) }
    }

    /// Writes the lines of a group; the tree that they make.
    fn append(&mut self, group: &[Entry]) -> Result<Frontier, Failure> {
        let mut tree = self.tree.clone();
        group.iter().for_each(|entry| tree.push(TreeHash::leaf(entry.leaf.as_bytes())));
        if let Err(error) = self.segment.append(&self.progress.lines) {
            self.shared.note_unwritten(self.segment.unwritten(std::mem::take(&mut self.progress.lines)));
            return Err(error.into());
        }
        Ok(tree)
    }

    fn settle(&mut self, promises: Vec<DurablePromise>) -> Result<(), Failure> {
        let outcome = match self.rules.durability {
            Durability::Durable => self.shared.sync(self.segment.leaves(), self.tree.size()).map_err(Failure::from),
            Durability::WriteOnly => Ok(()),
        };
        if let Err(failure) = &outcome {
            self.shared.fail(failure);
        }
        promises.into_iter().for_each(|promise| promise.settle(outcome.clone()));
        outcome
    }

    /// Ends the segment and begins the next. The checkpoint comes first, so that it never lags behind a seal.
    fn seal(&mut self) -> Result<(), Failure> {
        let mut signing = self.signer.alone()?;
        let checkpoint = signing.cover(&self.tree, self.segment.leaves())?.clone();
        let seal = Seal { bytes: self.segment.bytes(), tree: self.tree.clone(), checkpoint };
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::path::Path;

    use crate::appended::Appended;
    use crate::body::{Body, RecordKind};
    use crate::checkpoint::Checkpoint;
    use crate::identity::Epoch;
    use crate::layout::Layout;
    use crate::note::SigningKey;
    use crate::pen::Pen;
    use crate::queue::{AppendError, Bounds, Queue};
    use crate::stats::Stats;

    const SELDOM: Duration = Duration::from_secs(3600);

    /// A writer whose segment is a device, which takes everything in its own way.
    fn writer_on(device: &str, folder: &Path, durability: Durability, checkpoint_interval: Duration) -> Writer {
        let folder = Layout::of(folder).epoch(Epoch::FIRST);
        let (key, _) = SigningKey::generate().unwrap();
        let bounds =
            Bounds { queue_bytes: 10_000, group_bytes: 10_000, group_interval: Duration::ZERO, makers_write: false };
        let queue = Queue::of("a/b".parse().unwrap(), Epoch::FIRST, 0, bounds);
        let device = OpenOptions::new().write(true).open(device).unwrap();
        let tree = Frontier::default();
        let shared = Arc::new(Shared::of(queue, Stats::default()));
        let signer = Arc::new(Signer {
            shared: Arc::clone(&shared),
            folder: folder.clone(),
            log_name: "a/b/1".to_owned(),
            newest: Checkpoint::sign("a/b/1", &tree, &key).into(),
            key,
        });
        Writer {
            shared,
            segment: Segment::on(device.try_clone().unwrap(), folder.segment(0, SegmentState::Open)),
            rules: WritingRules { durability, segment_bytes: 10_000, checkpoint_interval },
            progress: Progress::begin(checkpoint_interval),
            beside: Beside::start(Arc::clone(&signer)).unwrap(),
            signer,
            _lock: device,
            folder,
            tree,
        }
    }

    fn append(shared: &Shared) -> Result<Appended, AppendError> {
        shared
            .queue
            .append(&RecordKind::DECISION, &Body::of(&"x").unwrap(), || jiff::Timestamp::UNIX_EPOCH)
            .map(|(appended, _)| appended)
    }

    #[tokio::test]
    async fn a_sync_that_fails_is_never_told_as_durable_and_ends_the_book() {
        // The null device takes every byte and refuses to sync.
        let folder = tempfile::tempdir().unwrap();
        let writer = writer_on("/dev/null", folder.path(), Durability::Durable, SELDOM);
        let shared = Arc::clone(&writer.shared);
        let mut appended = append(&shared).unwrap();
        assert!(matches!(Pen::of(writer).write_all_that_comes(), Err(Failure::Refused(_))));
        assert!(appended.written().await.is_ok());
        assert!(matches!(appended.durable().await, Err(Failure::Refused(_))));
        assert!(matches!(append(&shared), Err(AppendError::Failed(Failure::Refused(_)))));
        let stats = shared.stats().clone();
        assert_eq!((stats.syncs, stats.covered), (0, 0));
    }

    #[tokio::test]
    async fn a_sync_that_fails_beside_the_writer_ends_the_book_too() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer_on("/dev/null", folder.path(), Durability::WriteOnly, Duration::ZERO);
        let shared = Arc::clone(&writer.shared);
        let mut appended = append(&shared).unwrap();
        // Nobody closes it: the writer, which waits for the next record, is told.
        assert!(matches!(Pen::of(writer).write_all_that_comes(), Err(Failure::Refused(_))));
        assert!(appended.durable().await.is_ok(), "a record that is only written waits for no sync");
        assert!(matches!(append(&shared), Err(AppendError::Failed(Failure::Refused(_)))));
        let stats = shared.stats().clone();
        assert_eq!((stats.syncs, stats.synced, stats.covered), (0, 0, 0));
    }

    #[tokio::test]
    async fn no_record_waits_for_a_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer_on("/dev/null", folder.path(), Durability::WriteOnly, Duration::ZERO);
        let (shared, signer) = (Arc::clone(&writer.shared), Arc::clone(&writer.signer));
        writer.rules.checkpoint_interval = Duration::from_millis(1);
        // As long as this is held, a checkpoint is being signed.
        let signing = signer.alone().unwrap();
        let running = std::thread::spawn(move || Pen::of(writer).write_all_that_comes());
        for _ in 0..20 {
            append(&shared).unwrap().durable().await.unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        drop(signing);
        assert!(matches!(running.join().unwrap(), Err(Failure::Refused(_))), "then its sync was tried");
    }

    #[tokio::test]
    async fn a_write_that_fails_reaches_everybody_who_waits() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer_on("/dev/full", folder.path(), Durability::Durable, SELDOM);
        let shared = Arc::clone(&writer.shared);
        let mut waiting: Vec<_> = (0..3).map(|_| append(&shared).unwrap()).collect();
        assert!(matches!(Pen::of(writer).write_all_that_comes(), Err(Failure::DiskFull(_))));
        for appended in &mut waiting {
            assert!(matches!(appended.written().await, Err(Failure::DiskFull(_))));
            assert!(matches!(appended.durable().await, Err(Failure::DiskFull(_))));
        }
        assert_eq!(shared.stats().tree_size, 0);
    }
}
