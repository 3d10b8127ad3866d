//! Opening a book for writing: the lock, the keys, the newest epoch examined, and what follows from that. Either the
//! epoch goes on where it ended, or it is set aside whole and a new one begins by saying why.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::blobs::Blobs;
use crate::body::BodyError;
use crate::checkpoint::{Checkpoint, log_name};
use crate::disk::{self, Doing, FileError};
use crate::examine::{Depth, Examined, examine};
use crate::failure::Failure;
use crate::fault::{Fault, Place};
use crate::identity::{Epoch, Origin};
use crate::keys::{self, EpochKeys, KeyError};
use crate::layout::{EpochFolder, Layout, SegmentState, Standing};
use crate::merkle::Frontier;
use crate::note::SigningKey;
use crate::queue::AppendError;
use crate::segment::{Segment, Unwritten};
use crate::succession::{self, Reason};

/// How often the lock is tried: a verifier that looks whether somebody writes holds it for an instant.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A book that can't be opened for writing. Nothing in it was changed but what a crash had left unfinished.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system refused.
    #[error("the book in {folder} can't be opened", folder = folder.display())]
    File {
        /// The book's folder.
        folder: PathBuf,
        /// What was refused.
        source: FileError,
    },
    /// Somebody else writes this book.
    #[error("the book in {folder} is being written by another process: give each replica a folder of its own", folder = folder.display())]
    InUse {
        /// The book's folder.
        folder: PathBuf,
    },
    /// The folder holds the book of somebody else.
    #[error("the book in {folder} is that of {found}, not of {expected}: name the right folder or the right origin", folder = folder.display())]
    OtherOrigin {
        /// The book's folder.
        folder: PathBuf,
        /// The origin in the options.
        expected: Origin,
        /// The origin in the book.
        found: Origin,
    },
    /// The private key can't be used.
    #[error("the book in {folder} has no key to sign with", folder = folder.display())]
    Key {
        /// The book's folder.
        folder: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// The list of public keys is damaged, so it can't be said which epochs there were.
    #[error("the book in {folder} has a damaged list of keys: restore it from a copy", folder = folder.display())]
    VerifierKeys {
        /// The book's folder.
        folder: PathBuf,
        /// Where and how.
        source: Box<Fault>,
    },
    /// The thread that writes can't be started.
    #[error("the book in {folder} can't be written: no thread could be started for it", folder = folder.display())]
    Thread {
        /// The book's folder.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The folder does not hold the book that was written there until it failed.
    #[error(
        "the book that was written in {folder} is not there any more: put it back, or restart to begin another",
        folder = folder.display()
    )]
    Gone {
        /// The book's folder.
        folder: PathBuf,
    },
    /// The folder holds an older copy of the book. To go on from there would make two books of one name.
    #[error(
        "the book in {folder} has {held} records, and {acknowledged} were acknowledged: put the newest copy back",
        folder = folder.display()
    )]
    Shorter {
        /// The book's folder.
        folder: PathBuf,
        /// How many records of the epoch are there.
        held: u64,
        /// How many counted when it failed.
        acknowledged: u64,
    },
    /// The book that was written there until it failed does not pass its check. To set it aside would lose records that
    /// were acknowledged, and only a start may do so.
    #[error(
        "the book in {folder} is not as it was written: put the newest copy back, or restart to begin another epoch",
        folder = folder.display()
    )]
    Damaged {
        /// The book's folder.
        folder: PathBuf,
        /// Where and how.
        source: Box<Fault>,
    },
    /// The record that begins the epoch can't be written.
    #[error("the book in {folder} can't be begun anew", folder = folder.display())]
    Begin {
        /// The book's folder.
        folder: PathBuf,
        /// Why not.
        source: BeginError,
    },
}

/// Why the record that begins an epoch can't be written.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// What is left of the epoch before can't be put into words.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The record was not taken.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The record was not written.
    #[error(transparent)]
    Write(#[from] Failure),
}

/// What was found when a book was opened; worth a line in a log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Opening {
    /// The epoch that is written.
    pub epoch: Epoch,
    /// The records that it held.
    pub records: u64,
    /// The line that was never finished nor acknowledged, and has been cut off.
    pub cut_off: Option<Place>,
    /// Why the epoch before was set aside, if that happened now.
    pub set_aside: Option<Reason>,
}

/// A book that is ready to be written.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) layout: Layout,
    pub(crate) folder: EpochFolder,
    pub(crate) key: SigningKey,
    pub(crate) tree: Frontier,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) segment: Segment,
    pub(crate) lock: File,
    pub(crate) opening: Opening,
}

/// Opens the book of `origin` in `folder`; makes it if there is none.
pub(crate) fn open(folder: &Path, origin: &Origin) -> Result<Opened, OpenError> {
    Desk::at(folder, origin)?.open().map_err(|source| OpenError::File { folder: folder.to_owned(), source })
}

/// Opens the book of `origin` once more, of whose `epoch` so many records counted when it failed, `unwritten` not among
/// them. Nothing is made where it is not, and no other epoch is gone on with or begun.
pub(crate) fn open_again(
    folder: &Path,
    origin: &Origin,
    epoch: Epoch,
    acknowledged: u64,
    unwritten: Option<&Unwritten>,
) -> Result<Opened, OpenError> {
    let layout = Layout::of(folder);
    let is_known = epoch_keys(&layout, origin)?.of_epoch(epoch).is_some();
    if !is_known || !layout.signing_key().exists() {
        return Err(OpenError::Gone { folder: folder.to_owned() });
    }
    let desk = Desk::at(folder, origin)?;
    let cut = unwritten.map_or(Ok(()), Unwritten::cut_off);
    cut.map_err(|source| OpenError::File { folder: folder.to_owned(), source })?;
    desk.open_again(folder, epoch, acknowledged)
}

fn create_folders(layout: &Layout) -> Result<(), FileError> {
    let (blobs, new) = (layout.blobs(), !layout.root().exists());
    disk::create_folder(&layout.epochs())?;
    disk::create_folder(&blobs)?;
    disk::sync_folder(disk::folder_of(&blobs))?;
    disk::sync_folder(layout.root())?;
    if new { disk::sync_folder(disk::folder_of(layout.root())) } else { Ok(()) }
}

fn take_lock(layout: &Layout) -> Result<File, OpenError> {
    let folder = || layout.root().to_owned();
    let refused = |source| OpenError::File { folder: folder(), source };
    let path = layout.lock();
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(Doing::Open.to(&path)).map_err(refused)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(refused(Doing::Lock.to(&path)(error))),
        }
    }
    Err(OpenError::InUse { folder: folder() })
}

fn epoch_keys(layout: &Layout, origin: &Origin) -> Result<EpochKeys, OpenError> {
    let folder = || layout.root().to_owned();
    let damaged = |fault| match fault {
        Fault::File(source) => OpenError::File { folder: folder(), source },
        fault => OpenError::VerifierKeys { folder: folder(), source: Box::new(fault) },
    };
    let keys = EpochKeys::read(layout).map_err(damaged)?.unwrap_or_else(|| EpochKeys::begun_by(origin));
    if keys.origin == *origin {
        return Ok(keys);
    }
    Err(OpenError::OtherOrigin { folder: folder(), expected: origin.clone(), found: keys.origin })
}

/// All that is needed to open the newest epoch or begin another.
struct Desk {
    layout: Layout,
    key: SigningKey,
    keys: EpochKeys,
    lock: File,
}

impl Desk {
    /// Takes the book of `origin` in `folder`; makes its folders if there are none.
    fn at(folder: &Path, origin: &Origin) -> Result<Self, OpenError> {
        let refused = |source| OpenError::File { folder: folder.to_owned(), source };
        let layout = Layout::of(folder);
        create_folders(&layout).map_err(refused)?;
        let lock = take_lock(&layout)?;
        let leftovers = [layout.root().to_owned(), layout.epochs()];
        leftovers.iter().try_for_each(|folder| disk::remove_unfinished(folder)).map_err(refused)?;
        Blobs::in_folder(layout.blobs()).remove_unfinished().map_err(refused)?;
        let key = keys::signing_key(&layout).map_err(|source| OpenError::Key { folder: folder.to_owned(), source })?;
        let keys = epoch_keys(&layout, origin)?;
        Ok(Self { layout, key, keys, lock })
    }

    fn open(self) -> Result<Opened, FileError> {
        let newest = self.layout.epochs_found()?.pop();
        let known = self.keys.epochs().next_back();
        match newest {
            Some(folder) if Some(folder.epoch) >= known && folder.standing == Standing::Current => self.resume(folder),
            Some(folder) => {
                let last = known.map_or(folder.epoch, |known| known.max(folder.epoch));
                self.begin(last.next(), None)
            }
            None => self.begin(known.map_or(Epoch::FIRST, Epoch::next), None),
        }
    }

    /// Goes on with this epoch, if it holds so many records, and with no other.
    fn open_again(self, folder: &Path, epoch: Epoch, acknowledged: u64) -> Result<Opened, OpenError> {
        let named = || folder.to_owned();
        let refused = |source| OpenError::File { folder: named(), source };
        let newest = self.layout.epochs_found().map_err(refused)?.pop();
        let wanted = newest.filter(|found| found.epoch == epoch && found.standing == Standing::Current);
        let Some(found) = wanted else { return Err(OpenError::Gone { folder: named() }) };
        let examined = self.examined(&found).map_err(|fault| match fault {
            Fault::File(source) if !is_damage(source.kind()) => refused(source),
            fault => OpenError::Damaged { folder: named(), source: Box::new(fault) },
        })?;
        let held = examined.tree.size();
        if held < acknowledged {
            return Err(OpenError::Shorter { folder: named(), held, acknowledged });
        }
        self.go_on(found, examined, None).map_err(refused)
    }

    /// Goes on with an epoch if it passes its check.
    fn resume(self, folder: EpochFolder) -> Result<Opened, FileError> {
        match self.examined(&folder) {
            Ok(examined) => self.go_on(folder, examined, None),
            Err(Fault::File(error)) if !is_damage(error.kind()) => Err(error),
            Err(fault) => {
                let reason = succession::set_aside(&folder, &fault)?;
                self.begin(folder.epoch.next(), Some(reason))
            }
        }
    }

    fn examined(&self, folder: &EpochFolder) -> Result<Examined, Fault> {
        let verifier = self.key.verifier(log_name(&self.keys.origin, folder.epoch));
        examine(folder, &self.keys.origin, &verifier, Depth::ToGoOn, &mut |_| ())
    }

    /// Begins an epoch. It appears whole, with an empty tree signed, so that a missing checkpoint is always a fault.
    fn begin(self, epoch: Epoch, set_aside: Option<Reason>) -> Result<Opened, FileError> {
        let folder = self.layout.epoch(epoch);
        let unfinished = self.layout.epochs().join(format!("{}{epoch}", disk::UNFINISHED));
        let unfinished = EpochFolder { path: unfinished, ..folder };
        let (tree, name) = (Frontier::default(), log_name(&self.keys.origin, epoch));
        let checkpoint = Checkpoint::sign(&name, &tree, &self.key);
        disk::create_folder(&unfinished.segments())?;
        drop(Segment::begin(unfinished.segment(0, SegmentState::Open))?);
        disk::replace(&unfinished.checkpoint(), checkpoint.note.as_bytes())?;
        let folder = self.layout.epoch(epoch);
        disk::rename(&unfinished.path, &folder.path)?;
        let files = folder.segment(0, SegmentState::Open);
        self.go_on(folder, Examined::empty(checkpoint, files), set_aside)
    }

    fn go_on(
        mut self,
        folder: EpochFolder,
        examined: Examined,
        set_aside: Option<Reason>,
    ) -> Result<Opened, FileError> {
        let Examined { tree, checkpoint, open, .. } = examined;
        if self.keys.of_epoch(folder.epoch).is_none() {
            let verifier = self.key.verifier(log_name(&self.keys.origin, folder.epoch));
            self.keys.add(folder.epoch, verifier, &self.layout)?;
        }
        let segment = match &open {
            // What a checkpoint covers was synced before it was signed.
            Some(open) if checkpoint.size == tree.size() => Segment::resume(open)?,
            Some(open) => Segment::resume_anew(open)?,
            None => Segment::begin(folder.segment(tree.size(), SegmentState::Open))?,
        };
        let cut_off = open.and_then(|open| open.torn).map(|torn| torn.place);
        let opening = Opening { epoch: folder.epoch, records: tree.size(), cut_off, set_aside };
        let Self { layout, key, lock, .. } = self;
        Ok(Opened { layout, folder, key, tree, checkpoint, segment, lock, opening })
    }
}

/// Whether a refusal means that the book is not as it was left, rather than that it can't be read just now.
fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::InvalidData | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}
