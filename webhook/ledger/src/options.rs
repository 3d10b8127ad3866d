//! How a book is kept: what callers may choose, with the defaults that suit a server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::identity::Origin;

/// When a record counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When `fdatasync` has returned: it survives a loss of power.
    #[default]
    Durable,
    /// When `write` has returned: it survives the end of the process, not that of the machine. Whoever appends a record
    /// while nobody writes does it then and there. Checkpoints are synced all the same, and cover synced records only.
    WriteOnly,
}

/// The clock that records get their time from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a book is kept.
///
/// ```
/// use portreeve_ledger::{Durability, Options};
/// let options = Options::new("prod-eu/portreeve-0".parse()?).durability(Durability::WriteOnly);
/// # Ok::<(), portreeve_ledger::OriginError>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) origin: Origin,
    pub(crate) durability: Durability,
    pub(crate) segment_bytes: u64,
    pub(crate) group_bytes: usize,
    pub(crate) group_interval: Duration,
    pub(crate) queue_bytes: usize,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) clock: Clock,
}

impl Options {
    /// The defaults, for the log of `origin`.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            durability: Durability::default(),
            segment_bytes: 64 << 20,
            group_bytes: 4 << 20,
            group_interval: Duration::from_micros(500),
            queue_bytes: 16 << 20,
            checkpoint_interval: Duration::from_secs(1),
            clock: Arc::new(Timestamp::now),
        }
    }

    /// When a record counts as durable; [`Durability::Durable`] by default.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// A segment is sealed before it grows past this many bytes; 64 MiB by default. A single group may be larger.
    #[must_use]
    pub fn segment_bytes(self, segment_bytes: u64) -> Self {
        Self { segment_bytes, ..self }
    }

    /// The most bytes that are written and synced together; 4 MiB by default.
    #[must_use]
    pub fn group_bytes(self, group_bytes: usize) -> Self {
        Self { group_bytes, ..self }
    }

    /// The least time between the beginnings of two groups; half a millisecond by default. A record that comes alone is
    /// written at once; where many come, it costs less to wake and write for several.
    #[must_use]
    pub fn group_interval(self, group_interval: Duration) -> Self {
        Self { group_interval, ..self }
    }

    /// The most bytes of leaves that wait for the writer; 16 MiB by default. More are refused.
    #[must_use]
    pub fn queue_bytes(self, queue_bytes: usize) -> Self {
        Self { queue_bytes, ..self }
    }

    /// The least time between two checkpoints; a second by default. The end of a segment and of the book get one
    /// regardless.
    #[must_use]
    pub fn checkpoint_interval(self, checkpoint_interval: Duration) -> Self {
        Self { checkpoint_interval, ..self }
    }

    /// The clock that records get their time from; the system's by default. It is asked while other callers wait for
    /// their place, so it must answer at once.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Options");
        shown.field("origin", &self.origin).field("durability", &self.durability);
        shown.field("segment_bytes", &self.segment_bytes).field("group_bytes", &self.group_bytes);
        shown.field("group_interval", &self.group_interval).field("queue_bytes", &self.queue_bytes);
        shown.field("checkpoint_interval", &self.checkpoint_interval).finish_non_exhaustive()
    }
}
