//! Verification of a whole book: every epoch, also those that were set aside, and everything that is kept beside them.
//! It needs no lock and changes nothing.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::blobs::{Blobs, BlobsReport};
use crate::disk::Doing;
use crate::examine::{Depth, Examined, Torn, examine};
use crate::fault::Fault;
use crate::identity::{Epoch, Origin};
use crate::keys::EpochKeys;
use crate::layout::{EpochFolder, Layout, Standing};
use crate::leaf::Record;
use crate::merkle::TreeHash;
use crate::named::{AllNamed, Names};
use crate::note::VerifierKey;
use crate::succession;

/// What was proved of a book.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Who wrote it.
    pub origin: Origin,
    /// Its epochs, in order; one that has a fault is not among them.
    pub epochs: Vec<EpochReport>,
    /// What is kept beside the log.
    pub blobs: BlobsReport,
}

/// What was proved of one epoch: every leaf is well-formed, canonical and at its place; every seal fits its segment;
/// the tree over the covered records has the root that was signed.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct EpochReport {
    /// Which one.
    pub epoch: Epoch,
    /// Whether it was set aside.
    pub standing: Standing,
    /// The key that it is signed with, as the book has it or as the caller trusts it.
    pub key: VerifierKey,
    /// Its records.
    pub records: u64,
    /// How many of them the checkpoint covers.
    pub covered: u64,
    /// How many came after it: whole and in order, but not signed yet.
    pub uncovered: u64,
    /// The root of the tree over the covered records.
    pub root: TreeHash,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
    /// Its segments.
    pub segments: usize,
    /// How many of them are sealed.
    pub sealed: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// A book that could not be proved whole.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no book.
    #[error("there is no book in {folder}: it has no list of keys", folder = folder.display())]
    NoBook {
        /// The folder.
        folder: PathBuf,
    },
    /// There are epochs and no list of keys, so nothing can be proved.
    #[error(
        "the book in {folder} can't be checked: its list of keys, verifier-keys, is gone; put it back from a copy",
        folder = folder.display()
    )]
    KeysGone {
        /// The folder.
        folder: PathBuf,
    },
    /// The list of keys can't be used, so nothing can be proved.
    #[error("the book in {folder} can't be checked", folder = folder.display())]
    Keys {
        /// The folder.
        folder: PathBuf,
        /// Where and how.
        source: Box<Fault>,
    },
    /// It is not whole. The message names the first place; `faults` has them all, one for each epoch and blob at most.
    #[error("the book in {folder} is not whole: {}", first(faults), folder = folder.display())]
    NotWhole {
        /// The folder.
        folder: PathBuf,
        /// What is wrong, and where.
        faults: Vec<Fault>,
        /// What could be proved all the same.
        report: Box<Report>,
    },
}

/// Proves the book in `folder` whole, by the public keys that lie in it. That shows damage, and any change by somebody
/// without the private key; against somebody who replaced the keys too, use [`verify_naming`]. That the whole folder
/// was put back to an earlier state can't be seen from within: for that, a checkpoint has to be kept elsewhere.
///
/// Of what is kept beside the records it proves that what is there was not changed; that all is there which records
/// name is proved by [`verify_naming`].
///
/// It works beside a server that writes the book: a line that is being written at the moment is passed over.
///
/// # Errors
/// When there is no book, or it is not whole: then with every fault that was found.
pub fn verify(folder: &Path) -> Result<Report, VerifyError> {
    Inspection::of(folder, None)?.run(|_| Vec::new())
}

/// As [`verify`], and everything that records name by `names` has to be kept. Every epoch has to be signed with the
/// public key of `trusted`, if there is one, under whatever epoch it was noted.
///
/// # Errors
/// As [`verify`].
pub fn verify_naming(folder: &Path, trusted: Option<&VerifierKey>, names: Names) -> Result<Report, VerifyError> {
    Inspection::of(folder, trusted)?.run(names)
}

impl Report {
    /// The records of all epochs.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.epochs.iter().map(|epoch| epoch.records).sum()
    }
}

struct Inspection<'a> {
    layout: Layout,
    keys: EpochKeys,
    trusted: Option<&'a VerifierKey>,
}

impl<'a> Inspection<'a> {
    fn of(folder: &Path, trusted: Option<&'a VerifierKey>) -> Result<Self, VerifyError> {
        let layout = Layout::of(folder);
        let folder = || folder.to_owned();
        match EpochKeys::read(&layout) {
            Ok(Some(keys)) => Ok(Self { layout, keys, trusted }),
            Ok(None) if layout.epochs_found().is_ok_and(|epochs| !epochs.is_empty()) => {
                Err(VerifyError::KeysGone { folder: folder() })
            }
            Ok(None) => Err(VerifyError::NoBook { folder: folder() }),
            Err(fault) => Err(VerifyError::Keys { folder: folder(), source: Box::new(fault) }),
        }
    }

    fn run(self, names: Names) -> Result<Report, VerifyError> {
        let blobs = Blobs::in_folder(self.layout.blobs());
        let mut named = AllNamed::of(&blobs, names);
        let mut faults = Vec::new();
        let mut epochs = Vec::new();
        for outcome in self.epochs(&mut |record| named.look(record)) {
            match outcome {
                Ok(epoch) => epochs.push(epoch),
                Err(fault) => faults.push(fault),
            }
        }
        faults.extend(named.faults());
        let (blobs, spoilt) = blobs.verify();
        faults.extend(spoilt);
        let report = Report { origin: self.keys.origin, epochs, blobs };
        if faults.is_empty() {
            return Ok(report);
        }
        Err(VerifyError::NotWhole { folder: self.layout.root().to_owned(), faults, report: Box::new(report) })
    }

    /// The epochs that have a key, and any folder beyond them.
    fn epochs(&self, look: &mut dyn FnMut(&Record)) -> Vec<Result<EpochReport, Fault>> {
        let found = match self.layout.epochs_found() {
            Ok(found) => found,
            Err(error) => return vec![Err(error.into())],
        };
        let missing = |epoch: &Epoch| !found.iter().any(|folder| folder.epoch == *epoch);
        let missing = self.keys.epochs().filter(missing);
        let missing = missing.map(|epoch| Err(Fault::EpochMissing { epoch, folder: self.layout.epoch(epoch).path }));
        missing.chain(found.iter().map(|folder| self.epoch(folder, look))).collect()
    }

    fn epoch(&self, folder: &EpochFolder, look: &mut dyn FnMut(&Record)) -> Result<EpochReport, Fault> {
        let key = self.key(folder.epoch)?;
        let mut examined = examine(folder, &self.keys.origin, key, Depth::Everything, look)?;
        if examined.torn().is_some() && !self.is_being_written(folder)? {
            // Whoever wrote it may have finished between the two looks.
            examined = examine(folder, &self.keys.origin, key, Depth::Everything, look)?;
            if let Some(Torn { place, bytes }) = examined.torn() {
                return Err(Fault::Torn { place, bytes });
            }
        }
        succession::verify(&self.layout, folder.epoch, examined.first.as_ref())?;
        Ok(report(folder, key, examined))
    }

    fn key(&self, epoch: Epoch) -> Result<&VerifierKey, Fault> {
        let key = self.keys.of_epoch(epoch).ok_or(Fault::KeyMissing { epoch })?;
        match self.trusted {
            Some(trusted) if trusted.public() != key.public() => {
                Err(Fault::Untrusted { epoch, expected: trusted.to_string(), found: key.to_string() })
            }
            _ => Ok(key),
        }
    }

    /// Whether a process holds the lock, and this is an epoch that it may be at work on.
    fn is_being_written(&self, folder: &EpochFolder) -> Result<bool, Fault> {
        if folder.standing == Standing::SetAside {
            return Ok(false);
        }
        let path = self.layout.lock();
        let lock = match File::open(&path) {
            // A copy of a book has no writer.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(Doing::Open.to(&path))?,
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(Doing::Lock.to(&path)(error).into()),
        }
    }
}

fn report(folder: &EpochFolder, key: &VerifierKey, examined: Examined) -> EpochReport {
    let records = examined.tree.size();
    let covered = examined.checkpoint.size;
    EpochReport {
        epoch: folder.epoch,
        standing: folder.standing,
        key: key.clone(),
        records,
        covered,
        uncovered: records.saturating_sub(covered),
        root: examined.checkpoint.root,
        checkpoint: examined.checkpoint.note,
        segments: examined.segments,
        sealed: examined.sealed,
        bytes: examined.bytes,
    }
}

fn first(faults: &[Fault]) -> String {
    let more = faults.len().saturating_sub(1);
    let first = faults.first().map(ToString::to_string).unwrap_or_default();
    if more == 0 { first } else { format!("{first} (and {more} more)") }
}
