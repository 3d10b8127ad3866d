//! Where things lie in the folder of a book: names and paths, both ways. `FORMAT.md` shows the whole.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::disk::{self, FileError};
use crate::identity::{Epoch, plain_number};

/// What the folder of an epoch that was set aside is called after its number.
const SET_ASIDE: &str = ".set-aside";
const LEAVES: &str = ".leaves";
const SEAL: &str = ".seal";

/// The folder of a book.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// Whether an epoch is the one that is written to or was at its regular end, or was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It passed every check when it was last opened.
    Current,
    /// It failed a check at an opening; the epoch after it says why.
    SetAside,
}

/// The folder of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EpochFolder {
    pub(crate) epoch: Epoch,
    pub(crate) standing: Standing,
    pub(crate) path: PathBuf,
}

/// One segment: its leaves, and whether a seal lies beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentFiles {
    /// The sequence of its first record.
    pub(crate) first: u64,
    pub(crate) leaves: PathBuf,
    pub(crate) seal: PathBuf,
    pub(crate) state: SegmentState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentState {
    Open,
    Sealed,
}

impl Layout {
    pub(crate) fn of(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Held locked by the one process that writes.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The private key, PKCS#8 in DER.
    pub(crate) fn signing_key(&self) -> PathBuf {
        self.root.join("signing-key.p8")
    }

    /// The public key of each epoch, one line each.
    pub(crate) fn verifier_keys(&self) -> PathBuf {
        self.root.join("verifier-keys")
    }

    pub(crate) fn epochs(&self) -> PathBuf {
        self.root.join("epochs")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs").join("sha256")
    }

    /// The folder of an epoch that stands.
    pub(crate) fn epoch(&self, epoch: Epoch) -> EpochFolder {
        let path = self.epochs().join(format!("{epoch:010}"));
        EpochFolder { epoch, standing: Standing::Current, path }
    }

    /// The epochs that have a folder, in order.
    pub(crate) fn epochs_found(&self) -> Result<Vec<EpochFolder>, FileError> {
        let mut found: Vec<_> = disk::names(&self.epochs())?.iter().filter_map(|name| self.epoch_named(name)).collect();
        found.sort_by_key(|folder| folder.epoch);
        Ok(found)
    }

    fn epoch_named(&self, name: &str) -> Option<EpochFolder> {
        let (digits, standing) = match name.strip_suffix(SET_ASIDE) {
            Some(digits) => (digits, Standing::SetAside),
            None => (name, Standing::Current),
        };
        let epoch = Epoch::numbered(padded_number(digits, 10)?)?;
        Some(EpochFolder { epoch, standing, path: self.epochs().join(name) })
    }
}

impl EpochFolder {
    /// The newest checkpoint.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    pub(crate) fn segments(&self) -> PathBuf {
        self.path.join("segments")
    }

    /// Why the epoch was set aside.
    pub(crate) fn reason(&self) -> PathBuf {
        self.path.join("reason.json")
    }

    /// The same epoch where it lies once it is set aside.
    pub(crate) fn set_aside(&self) -> Self {
        let mut name = self.path.clone().into_os_string();
        name.push(SET_ASIDE);
        Self { epoch: self.epoch, standing: Standing::SetAside, path: name.into() }
    }

    /// The segment whose first record has this sequence.
    pub(crate) fn segment(&self, first: u64, state: SegmentState) -> SegmentFiles {
        let path = |ending| self.segments().join(format!("{first:020}{ending}"));
        SegmentFiles { first, leaves: path(LEAVES), seal: path(SEAL), state }
    }

    /// The segments that have leaves, in order. Their seals are looked for afterwards: whoever writes meanwhile puts a
    /// seal there before the next segment.
    pub(crate) fn segments_found(&self) -> Result<Vec<SegmentFiles>, FileError> {
        let names = disk::names(&self.segments())?;
        let numbers = names.iter().filter_map(|name| padded_number(name.strip_suffix(LEAVES)?, 20));
        Ok(numbers.map(|first| self.segment_as_found(first)).collect())
    }

    fn segment_as_found(&self, first: u64) -> SegmentFiles {
        let segment = self.segment(first, SegmentState::Open);
        if segment.seal.exists() { SegmentFiles { state: SegmentState::Sealed, ..segment } } else { segment }
    }
}

/// A number written with leading zeros to exactly `width` digits.
fn padded_number(digits: &str, width: usize) -> Option<u64> {
    let stripped = digits.trim_start_matches('0');
    (digits.len() == width).then(|| plain_number(if stripped.is_empty() { "0" } else { stripped }))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_found_in_order_and_other_names_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(folder.path());
        for name in ["0000000002", "0000000001.set-aside", "1", "lost+found", "0000000000", ".unfinished-0000000003"] {
            disk::create_folder(&layout.epochs().join(name)).unwrap();
        }
        let found = layout.epochs_found().unwrap();
        let numbers: Vec<_> = found.iter().map(|f| (f.epoch.number(), f.standing)).collect();
        assert_eq!(numbers, [(1, Standing::SetAside), (2, Standing::Current)]);
        assert_eq!(layout.epoch(Epoch::FIRST).set_aside(), found[0]);
    }

    #[test]
    fn a_segment_is_sealed_when_its_seal_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let epoch = Layout::of(folder.path()).epoch(Epoch::FIRST);
        disk::create_folder(&epoch.segments()).unwrap();
        for name in
            ["00000000000000000000.leaves", "00000000000000000000.seal", "00000000000000000007.leaves", "7.leaves"]
        {
            disk::write_synced(&epoch.segments().join(name), b"").unwrap();
        }
        let expected = [epoch.segment(0, SegmentState::Sealed), epoch.segment(7, SegmentState::Open)];
        assert_eq!(epoch.segments_found().unwrap(), expected);
    }
}
