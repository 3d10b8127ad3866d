//! Who signs checkpoints: a thread beside the writer now and then, so that no record waits for it, and the writer
//! itself where a segment or the book ends. One at a time, and only over records that are synced.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::checkpoint::Checkpoint;
use crate::disk::{self, FileError};
use crate::failure::Failure;
use crate::layout::EpochFolder;
use crate::merkle::Frontier;
use crate::note::SigningKey;
use crate::segment::Leaves;
use crate::shared::{Fuse, Shared};

/// Signs the tree of one epoch.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) folder: EpochFolder,
    /// The name that the epoch's tree is signed under.
    pub(crate) log_name: String,
    pub(crate) key: SigningKey,
    /// Never one of a smaller tree, nor of another tree of that size, is signed.
    pub(crate) newest: Mutex<Checkpoint>,
}

/// The signer while nobody else signs.
pub(crate) struct Signing<'s> {
    signer: &'s Signer,
    newest: MutexGuard<'s, Checkpoint>,
}

/// A tree, and the segment that holds those of its records that may not be synced yet.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) tree: Frontier,
    pub(crate) leaves: Arc<Leaves>,
}

impl Signer {
    /// Waits until nobody else signs.
    ///
    /// # Errors
    /// If the book has failed: the operating system tells once that a sync failed, and the next one would promise what
    /// never happened.
    pub(crate) fn alone(&self) -> Result<Signing<'_>, Failure> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.holds()?;
        Ok(Signing { signer: self, newest })
    }

    /// Covers a tree, as far as that can be done. What can't be synced ends the book; if only the checkpoint can't be
    /// written, no record is in danger, and it is tried again.
    fn try_to_cover(&self, due: &Due) {
        let Ok(mut signing) = self.alone() else { return };
        match self.shared.sync(&due.leaves, due.tree.size()) {
            Err(error) => self.shared.fail(&error.into()),
            Ok(()) => self.shared.stats().checkpoint_failure = signing.sign(&due.tree).err(),
        }
    }
}

impl Signing<'_> {
    /// Syncs what is not synced yet, and signs the tree if it grew.
    pub(crate) fn cover(&mut self, tree: &Frontier, leaves: &Leaves) -> Result<&Checkpoint, FileError> {
        self.signer.shared.sync(leaves, tree.size())?;
        self.sign(tree)?;
        Ok(&self.newest)
    }

    fn sign(&mut self, tree: &Frontier) -> Result<(), FileError> {
        if tree.size() <= self.newest.size {
            return Ok(());
        }
        let Signer { shared, folder, log_name, key, .. } = self.signer;
        let checkpoint = Checkpoint::sign(log_name, tree, key);
        disk::replace(&folder.checkpoint(), checkpoint.note.as_bytes())?;
        shared.stats().covered = checkpoint.size;
        *self.newest = checkpoint;
        Ok(())
    }
}

/// The thread that signs beside the writer. Dropping it waits until it has done what it was asked for.
#[derive(Debug)]
pub(crate) struct Beside {
    asked: Option<SyncSender<Due>>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    /// Starts it.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(crate) fn start(signer: Arc<Signer>) -> io::Result<Self> {
        let (asked, dues) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("checkpoints".to_owned()).spawn(move || sign_all(&signer, &dues))?;
        Ok(Self { asked: Some(asked), thread: Some(thread) })
    }

    /// Has a tree covered, unless another waits already: a later one will cover it too.
    pub(crate) fn ask(&self, due: Due) {
        let _ = self.asked.as_ref().map(|asked| asked.try_send(due));
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.asked.take());
        // If it has panicked, its fuse has told so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn sign_all(signer: &Signer, dues: &Receiver<Due>) {
    let _fuse = Fuse::of(&signer.shared);
    dues.iter().for_each(|due| signer.try_to_cover(&due));
}
