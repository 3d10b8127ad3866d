//! Where records get their place and wait for the writer. Bounded: what does not fit is refused, since a caller with a
//! deadline would rather say so in time than wait.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::appended::{Appended, Promise};
use crate::body::{Body, RecordKind};
use crate::failure::Failure;
use crate::identity::{Epoch, Origin, RecordId};
use crate::leaf::{self, LARGEST_LEAF};

/// Why a record was not taken. It has no place in the book, and its id was not used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The record is too large: keep what is long by its digest, and name that.
    #[error(
        "the record would be a leaf of {size} bytes, the limit is {limit}: shorten it, or keep part of it by its digest"
    )]
    TooLarge {
        /// The bytes of the leaf.
        size: usize,
        /// The most that a leaf can have.
        limit: usize,
    },
    /// The disk does not keep up.
    #[error("{waiting} bytes of records wait to be written, which is the limit: the disk does not keep up")]
    Full {
        /// The bytes that wait.
        waiting: usize,
    },
    /// The book was closed.
    #[error("the book is closed")]
    Closed,
    /// The book failed earlier.
    #[error("the book takes no more records")]
    Failed(#[source] Failure),
}

/// A record that waits for the writer.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) leaf: String,
    pub(crate) promise: Promise,
}

/// What is found in the queue.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Records to write together, in order; never none.
    Group(Vec<Entry>),
    /// Nothing is there.
    Nothing,
    /// Nothing is left and nothing will come.
    Closed,
}

/// Who is to write a record that has its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    /// The writing thread, which has been told if it waits for it.
    Writer,
    /// Whoever made it; that thread rests.
    Maker,
}

/// Bounds of the queue and its groups.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) queue_bytes: usize,
    pub(crate) group_bytes: usize,
    pub(crate) group_interval: Duration,
    /// Whether a record that comes while the writing thread rests is left to its maker.
    pub(crate) makers_write: bool,
}

#[derive(Debug)]
pub(crate) struct Queue {
    origin: Origin,
    epoch: Epoch,
    bounds: Bounds,
    line: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug)]
struct Waiting {
    /// The sequence of the next record.
    next: u64,
    entries: Vec<Entry>,
    bytes: usize,
    gate: Gate,
    writer: Awaits,
    /// Whether the writing thread looks after a while for itself, as it does until a checkpoint covers all that is
    /// written.
    looks_again: bool,
    /// When the last group was taken.
    taken: Option<Instant>,
}

/// What the writing thread waits for. To wake it for anything else would cost more than to write a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// Nothing: it writes.
    Nothing,
    /// Any record.
    ARecord,
    /// A full group.
    AGroup,
}

#[derive(Debug)]
enum Gate {
    Open,
    Closed,
    Failed(Failure),
}

impl Queue {
    /// An empty queue whose first record will have the sequence `next`.
    pub(crate) fn of(origin: Origin, epoch: Epoch, next: u64, bounds: Bounds) -> Self {
        let line = Mutex::new(Waiting {
            next,
            entries: Vec::new(),
            bytes: 0,
            gate: Gate::Open,
            writer: Awaits::Nothing,
            looks_again: false,
            taken: None,
        });
        Self { origin, epoch, bounds, line, changed: Condvar::new() }
    }

    /// Gives a record its place and time, and says who is to write it.
    pub(crate) fn append(
        &self,
        kind: &RecordKind,
        body: &Body,
        clock: impl FnOnce() -> Timestamp,
    ) -> Result<(Appended, Hand), AppendError> {
        let mut line = self.line();
        let id = line.admit(&self.origin, self.epoch)?;
        let leaf = leaf::compose(&id, kind, clock(), body);
        if leaf.len() > LARGEST_LEAF {
            return Err(AppendError::TooLarge { size: leaf.len(), limit: LARGEST_LEAF });
        }
        if line.bytes + leaf.len() > self.bounds.queue_bytes {
            return Err(AppendError::Full { waiting: line.bytes });
        }
        let (appended, promise) = Promise::of(id);
        line.push(Entry { leaf, promise });
        if self.bounds.makers_write && line.is_left_to_its_maker() {
            return Ok((appended, Hand::Maker));
        }
        let awaited = line.has(line.writer, self.bounds.group_bytes);
        drop(line);
        if awaited {
            self.wake_writer();
        }
        Ok((appended, Hand::Writer))
    }

    /// Waits until it is time for the next group: as soon as there is a record, and no sooner after the last group than
    /// the bounds say. No longer than `until`, or the end of the queue.
    pub(crate) fn wait_for_group(&self, until: Option<Instant>) {
        let line = self.wait(self.line(), Awaits::ARecord, until);
        if line.entries.is_empty() {
            return;
        }
        if let Some(due) = line.taken.map(|taken| taken + self.bounds.group_interval) {
            drop(self.wait(line, Awaits::AGroup, Some(due)));
        }
    }

    /// The next group, as far as it is there.
    pub(crate) fn take_group(&self) -> Taken {
        self.take(self.bounds.group_bytes)
    }

    /// The next record alone.
    pub(crate) fn take_one(&self) -> Taken {
        self.take(0)
    }

    /// Has the writing thread look whether what it waits for is there.
    pub(crate) fn wake_writer(&self) {
        self.changed.notify_one();
    }

    /// The bytes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.line().bytes
    }

    /// Takes no more records. Those that wait are still written.
    pub(crate) fn close(&self) {
        let mut line = self.line();
        if line.is_open() {
            line.gate = Gate::Closed;
        }
        drop(line);
        self.wake_writer();
    }

    /// Takes no more records, and tells those that wait.
    pub(crate) fn fail(&self, failure: &Failure) {
        let mut line = self.line();
        if !matches!(line.gate, Gate::Failed(_)) {
            line.gate = Gate::Failed(failure.clone());
        }
        let waiting = line.take(usize::MAX);
        drop(line);
        self.wake_writer();
        waiting.into_iter().for_each(|entry| entry.promise.failed(failure));
    }

    fn take(&self, bytes: usize) -> Taken {
        let mut line = self.line();
        if line.entries.is_empty() {
            return if line.is_open() { Taken::Nothing } else { Taken::Closed };
        }
        line.taken = Some(Instant::now());
        Taken::Group(line.take(bytes))
    }

    fn line(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics between two changes that belong together.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for what the writer awaits, until a time or for ever. Does not wait for anything once the gate is shut.
    fn wait<'q>(
        &'q self,
        mut line: MutexGuard<'q, Waiting>,
        awaited: Awaits,
        until: Option<Instant>,
    ) -> MutexGuard<'q, Waiting> {
        line.writer = awaited;
        line.looks_again = until.is_some();
        let waits = |line: &mut Waiting| line.is_open() && !line.has(awaited, self.bounds.group_bytes);
        line = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None => self.changed.wait_while(line, waits).unwrap_or_else(PoisonError::into_inner),
            Some(time) => self.changed.wait_timeout_while(line, time, waits).unwrap_or_else(PoisonError::into_inner).0,
        };
        line.writer = Awaits::Nothing;
        line
    }
}

impl Waiting {
    fn is_open(&self) -> bool {
        matches!(self.gate, Gate::Open)
    }

    /// Whether what the writer awaits is there.
    fn has(&self, awaited: Awaits, group_bytes: usize) -> bool {
        match awaited {
            Awaits::Nothing => false,
            Awaits::ARecord => !self.entries.is_empty(),
            Awaits::AGroup => self.bytes >= group_bytes,
        }
    }

    /// Whether the only record there is one that the writing thread, resting, need not be woken for.
    fn is_left_to_its_maker(&self) -> bool {
        self.writer == Awaits::ARecord && self.looks_again && self.entries.len() == 1
    }

    /// The id of the next record, if one may come.
    fn admit(&self, origin: &Origin, epoch: Epoch) -> Result<RecordId, AppendError> {
        match &self.gate {
            Gate::Open => Ok(RecordId { origin: origin.clone(), epoch, sequence: self.next }),
            Gate::Closed => Err(AppendError::Closed),
            Gate::Failed(failure) => Err(AppendError::Failed(failure.clone())),
        }
    }

    fn push(&mut self, entry: Entry) {
        self.next += 1;
        self.bytes += entry.leaf.len();
        self.entries.push(entry);
    }

    /// The first records, at least one and otherwise no more than `bytes`.
    fn take(&mut self, bytes: usize) -> Vec<Entry> {
        if self.bytes <= bytes {
            self.bytes = 0;
            return std::mem::take(&mut self.entries);
        }
        let mut taken = 0;
        let fitting = self.entries.iter().take_while(|entry| {
            taken += entry.leaf.len();
            taken <= bytes
        });
        let count = fitting.count().max(1);
        let rest = self.entries.split_off(count);
        let group = std::mem::replace(&mut self.entries, rest);
        self.bytes -= group.iter().map(|entry| entry.leaf.len()).sum::<usize>();
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(queue_bytes: usize, group_bytes: usize) -> Queue {
        let bounds = Bounds { queue_bytes, group_bytes, group_interval: Duration::ZERO, makers_write: false };
        Queue::of("a/b".parse().unwrap(), Epoch::FIRST, 5, bounds)
    }

    fn append(queue: &Queue, text: &str) -> Result<Appended, AppendError> {
        queue
            .append(&RecordKind::DECISION, &Body::of(&text).unwrap(), || Timestamp::UNIX_EPOCH)
            .map(|(appended, _)| appended)
    }

    #[test]
    fn ids_follow_each_other_from_where_the_log_ends() {
        let queue = queue(10_000, 10_000);
        let ids: Vec<_> = (0..3).map(|_| append(&queue, "x").unwrap().id().sequence).collect();
        assert_eq!(ids, [5, 6, 7]);
    }

    #[test]
    fn a_record_that_is_refused_uses_no_id() {
        let queue = queue(1_000_000, 10_000);
        let too_large = append(&queue, &"x".repeat(70_000)).unwrap_err();
        assert!(matches!(too_large, AppendError::TooLarge { size: 70_106, limit: 65_534 }), "{too_large}");
        assert_eq!(append(&queue, "x").unwrap().id().sequence, 5);
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_when_it_was_emptied() {
        let queue = queue(300, 10_000);
        (0..2).for_each(|_| drop(append(&queue, "x").unwrap()));
        assert!(matches!(append(&queue, "x"), Err(AppendError::Full { waiting: 214 })), "{}", queue.waiting());
        assert!(matches!(queue.take_group(), Taken::Group(group) if group.len() == 2));
        assert!(append(&queue, "x").is_ok());
    }

    #[test]
    fn a_group_stays_within_its_bytes_and_is_never_empty() {
        let queue = queue(10_000, 250);
        (0..3).for_each(|_| drop(append(&queue, "x").unwrap()));
        drop(append(&queue, &"x".repeat(500)).unwrap());
        queue.close();
        let mut sizes = Vec::new();
        while let Taken::Group(group) = queue.take_group() {
            sizes.push(group.len());
        }
        assert_eq!(sizes, [2, 1, 1]);
    }

    #[test]
    fn an_idle_queue_lets_the_writer_go_in_time() {
        let queue = queue(10, 10);
        queue.wait_for_group(Some(Instant::now()));
        assert!(matches!(queue.take_group(), Taken::Nothing));
    }

    #[tokio::test]
    async fn a_failure_reaches_those_who_wait_and_those_who_come() {
        let queue = queue(10_000, 10_000);
        let mut waiting = append(&queue, "x").unwrap();
        queue.fail(&Failure::WriterLost);
        assert!(matches!(waiting.written().await, Err(Failure::WriterLost)));
        assert!(matches!(append(&queue, "x"), Err(AppendError::Failed(Failure::WriterLost))));
    }
}
