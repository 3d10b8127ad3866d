//! The book as its callers hold it: append, keep, close. The threads are in `pen` and `signer`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::appended::Appended;
use crate::blobs::{Blobs, KeepError, KeptError};
use crate::body::{Body, RecordKind};
use crate::checkpoint::log_name;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::identity::{Epoch, Origin};
use crate::layout::Layout;
use crate::open::{self, BeginError, OpenError, Opened, Opening};
use crate::options::{Clock, Durability, Options};
use crate::pen::Pen;
use crate::queue::{AppendError, Bounds, Hand, Queue, Taken};
use crate::shared::Shared;
use crate::signer::{Beside, Signer};
use crate::stats::Stats;
use crate::succession;
use crate::writer::{Progress, Writer, WritingRules};

/// A book, open for writing. One process at a time holds one.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use portreeve_ledger::{Body, Ledger, Options, RecordKind};
/// # let folder = tempfile::tempdir()?;
/// let ledger = Ledger::open(folder.path(), Options::new("prod-eu/portreeve-0".parse()?))?;
/// let body = Body::of(&serde_json::json!({"allowed": false, "policy": "non-root"}))?;
/// let mut appended = ledger.append(&RecordKind::DECISION, &body)?;
/// appended.durable().await?; // only now may the answer leave
/// assert_eq!(appended.id().to_string(), "prod-eu/portreeve-0/1/0");
/// ledger.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Ledger {
    shared: Arc<Shared>,
    blobs: Blobs,
    folder: PathBuf,
    options: Options,
    opening: Opening,
    pub(crate) pen: Arc<Pen>,
    thread: Mutex<Option<JoinHandle<Result<(), Failure>>>>,
}

impl Ledger {
    /// Opens the book in `folder` for writing, and makes it if there is none (0700, the key in it 0600).
    ///
    /// The newest epoch is examined first. A line that a crash left unfinished is cut off; an epoch that fails its
    /// check is set aside whole and a new one begins, whose first record says why: [`Self::opening`] tells. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// When the folder can't be used, somebody else writes it, or it is the book of another origin.
    pub fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        Self::on(open::open(folder, &options.origin)?, folder, options)
    }

    /// Opens a book that failed once more, when the cause may be mended; this one takes nothing either way. Every
    /// record that was acknowledged is there, and nothing is begun where the book is not. Blocks on the disk.
    ///
    /// # Errors
    /// When the cause is not mended, or the folder holds another or an older book.
    pub fn reopen(&self) -> Result<Self, OpenError> {
        // It failed, as its caller knows; what counts is that its writer has let go of the folder.
        let _ = self.close();
        let (acknowledged, unwritten) = (self.acknowledged(), self.shared.unwritten());
        let opened = open::open_again(&self.folder, self.origin(), self.opening.epoch, acknowledged, unwritten)?;
        Self::on(opened, &self.folder, self.options.clone())
    }

    /// How many records of the epoch count by the durability that was chosen, so that somebody may go by them.
    fn acknowledged(&self) -> u64 {
        let Stats { synced, tree_size, .. } = self.stats();
        match self.options.durability {
            Durability::Durable => synced,
            Durability::WriteOnly => tree_size,
        }
    }

    fn on(opened: Opened, folder: &Path, options: Options) -> Result<Self, OpenError> {
        let (layout, opening) = (opened.layout.clone(), opened.opening.clone());
        let shared = Arc::new(shared_by(&opened, &options));
        let no_thread = |source| OpenError::Thread { folder: folder.to_owned(), source };
        let mut writer = writer_of(opened, &options, Arc::clone(&shared)).map_err(no_thread)?;
        begin(&layout, &opening, &mut writer, &options.clock)
            .map_err(|source| OpenError::Begin { folder: folder.to_owned(), source })?;
        let pen = Arc::new(Pen::of(writer));
        let write = Arc::clone(&pen);
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || write.write_all_that_comes());
        let thread = thread.map_err(no_thread)?;
        let blobs = Blobs::in_folder(layout.blobs());
        Ok(Self { shared, blobs, folder: folder.to_owned(), options, opening, pen, thread: Some(thread).into() })
    }

    /// Gives a record its place in the book. Its id is fixed when this returns; what is written when is told by
    /// [`Appended`]. Blocks for a `write` at most, and not at all if a record has to be synced to count.
    ///
    /// # Errors
    /// When the record is too large, too many wait already, or the book is closed or has failed. No id was used then.
    pub fn append(&self, kind: &RecordKind, body: &Body) -> Result<Appended, AppendError> {
        let (appended, hand) = self.shared.queue.append(kind, body, || (self.options.clock)())?;
        if hand == Hand::Maker {
            self.pen.write_own();
        }
        Ok(appended)
    }

    /// Keeps content beside the log, under its digest. It is on disk when this returns, so a record that names it may
    /// follow. Content that this book has seen before costs no more than its digest; new content blocks on the disk.
    ///
    /// # Errors
    /// When the operating system refuses, or the book has failed. Nothing is made where the book is gone.
    pub fn keep(&self, bytes: &[u8]) -> Result<Digest, KeepError> {
        self.shared.holds().map_err(KeepError::Failed)?;
        Ok(self.blobs.keep(bytes)?)
    }

    /// The content that is kept under `digest`, checked against it. Blocks on the disk.
    ///
    /// # Errors
    /// When there is none, or it was damaged.
    pub fn kept(&self, digest: &Digest) -> Result<Vec<u8>, KeptError> {
        self.blobs.kept(digest)
    }

    /// Who writes this book.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.options.origin
    }

    /// What was found when the book was opened.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// How the book does.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let waiting_bytes = self.shared.queue.waiting();
        Stats { waiting_bytes, ..self.shared.stats().clone() }
    }

    /// Takes no more records, writes and syncs those that wait, signs a checkpoint over all, and lets go of the folder.
    /// Blocks until that is done; a second call finds it done. Dropping a ledger does the same, and tells nobody.
    ///
    /// # Errors
    /// When the book failed, now or earlier.
    pub fn close(&self) -> Result<(), Failure> {
        self.shared.queue.close();
        // Held until the thread has ended, so that a second call at the same time waits as well.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match thread.take().map(JoinHandle::join) {
            Some(outcome) => outcome.unwrap_or(Err(Failure::WriterLost)),
            None => self.shared.holds(),
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Whoever wants to know calls close().
        let _ = self.close();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("origin", self.origin()).field("opening", &self.opening).finish_non_exhaustive()
    }
}

fn shared_by(opened: &Opened, options: &Options) -> Shared {
    let bounds = Bounds {
        queue_bytes: options.queue_bytes,
        group_bytes: options.group_bytes,
        group_interval: options.group_interval,
        makers_write: options.durability == Durability::WriteOnly,
    };
    let size = opened.tree.size();
    let stats = Stats { tree_size: size, synced: size, covered: opened.checkpoint.size, ..Stats::default() };
    Shared::of(Queue::of(options.origin.clone(), opened.folder.epoch, size, bounds), stats)
}

fn writer_of(opened: Opened, options: &Options, shared: Arc<Shared>) -> io::Result<Writer> {
    let Opened { folder, key, tree, checkpoint, segment, lock, .. } = opened;
    let rules = WritingRules {
        durability: options.durability,
        segment_bytes: options.segment_bytes,
        checkpoint_interval: options.checkpoint_interval,
    };
    let signer = Arc::new(Signer {
        shared: Arc::clone(&shared),
        log_name: log_name(&options.origin, folder.epoch),
        folder: folder.clone(),
        key,
        newest: checkpoint.into(),
    });
    let beside = Beside::start(Arc::clone(&signer))?;
    let progress = Progress::begin(rules.checkpoint_interval);
    Ok(Writer { shared, folder, segment, tree, rules, progress, signer, beside, _lock: lock })
}

/// Writes the first record of an epoch that follows another, if it is not there. Before anybody else can append.
fn begin(layout: &Layout, opening: &Opening, writer: &mut Writer, clock: &Clock) -> Result<(), BeginError> {
    if opening.epoch == Epoch::FIRST || opening.records > 0 {
        return Ok(());
    }
    let body = succession::body(layout, opening.epoch)?;
    let queue = Arc::clone(&writer.shared);
    drop(queue.queue.append(&RecordKind::OPENED, &body, || clock())?);
    match queue.queue.take_group() {
        Taken::Group(group) => Ok(writer.write(group)?),
        Taken::Nothing | Taken::Closed => Err(AppendError::Closed.into()),
    }
}
