//! What is kept of a book outside of it: the signed checkpoints that it was proved by. From within, a book that was put
//! back to an earlier state looks whole; held against a checkpoint that lies elsewhere it does not. Where they are kept
//! is the keeper's business.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::fault::Fault;
use crate::note::{VerifierKey, VerifierKeyError};
use crate::verify::{Report, VerifyError};

/// So many faults of a book are told one by one. Proofs are kept beside each other where there is a megabyte for all of
/// them, and a book may have a fault for each content that it lost.
const TOLD: usize = 8;

/// So much of a fault is told. Most are shorter; one may repeat what stands in a damaged file.
const LONGEST: usize = 600;

/// What a book was proved to be at one time, by whoever keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookProof {
    /// Whose book, `<cluster>/<replica>`.
    pub origin: String,
    /// When it was read.
    pub at: Timestamp,
    /// Its records, those under no checkpoint yet among them.
    pub records: u64,
    /// The newest checkpoint of each epoch that could be proved.
    pub checkpoints: Vec<Deposit>,
    /// What is wrong with it, and where; nothing if it is whole. The first few, then how many more there are.
    pub faults: Vec<String>,
}

/// A checkpoint with the key that signed it, which was checked. As JSON an object of two texts: `key`, and
/// `checkpoint`, the signed note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Texts", into = "Texts")]
pub struct Deposit {
    key: VerifierKey,
    checkpoint: Checkpoint,
}

#[derive(Serialize, Deserialize)]
struct Texts {
    key: String,
    checkpoint: String,
}

/// Text that is no deposit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepositError {
    /// Its key is none.
    #[error(transparent)]
    Key(#[from] VerifierKeyError),
    /// Its checkpoint is none, or was not signed by the key.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// A book that is not the one that a checkpoint was kept of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTheSameBook {
    /// Another key signs it.
    #[error("{log} is signed with another key than before: with {is}, and was with {was}")]
    Key {
        /// The log.
        log: String,
        /// The key before.
        was: String,
        /// The key now.
        is: String,
    },
    /// It has fewer records than it had.
    #[error("{log} has {is} records under its checkpoint, and had {was}: it was put back to an earlier state")]
    Smaller {
        /// The log.
        log: String,
        /// The records before.
        was: u64,
        /// The records now.
        is: u64,
    },
    /// As many records as before, and not the same.
    #[error("{log} has {size} records under its checkpoint as before, and they are others")]
    Records {
        /// The log.
        log: String,
        /// Their number.
        size: u64,
    },
}

impl BookProof {
    /// What came of reading the book of `origin` at this time.
    #[must_use]
    pub fn of(origin: &str, proved: &Result<Report, VerifyError>, at: Timestamp) -> Self {
        let report = match proved {
            Ok(report) => Some(report),
            Err(VerifyError::NotWhole { report, .. }) => Some(report.as_ref()),
            Err(VerifyError::NoBook { .. } | VerifyError::KeysGone { .. } | VerifyError::Keys { .. }) => None,
        };
        let epochs = report.map(|report| report.epochs.as_slice()).unwrap_or_default();
        Self {
            origin: origin.to_owned(),
            at,
            records: report.map(Report::records).unwrap_or_default(),
            checkpoints: epochs.iter().filter_map(|epoch| Deposit::of(&epoch.key, &epoch.checkpoint).ok()).collect(),
            faults: proved.as_ref().err().map(faults).unwrap_or_default(),
        }
    }
}

fn faults(error: &VerifyError) -> Vec<String> {
    match error {
        VerifyError::NotWhole { faults, .. } => first_of(faults),
        VerifyError::Keys { source, .. } => vec![shortened(format!("{error}: {source}"))],
        VerifyError::NoBook { .. } | VerifyError::KeysGone { .. } => vec![error.to_string()],
    }
}

fn first_of(faults: &[Fault]) -> Vec<String> {
    let told = faults.iter().take(TOLD).map(|fault| shortened(fault.to_string()));
    let more = faults.len().saturating_sub(TOLD);
    let rest = (more > 0).then(|| format!("{more} more faults, all of which `portreeve ledger verify` tells"));
    told.chain(rest).collect()
}

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

impl Deposit {
    fn of(key: &VerifierKey, note: &str) -> Result<Self, CheckpointError> {
        Ok(Self { key: key.clone(), checkpoint: Checkpoint::open(note, key)? })
    }

    /// The log, `<cluster>/<replica>/<epoch>`.
    #[must_use]
    pub fn log(&self) -> &str {
        self.key.name()
    }

    /// How many records are under the checkpoint.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// Whether this can be the book that `earlier` was kept of, which has only grown since. That the records between
    /// are the same is proved by whoever has the book.
    ///
    /// # Errors
    /// Why it can't.
    pub fn follows(&self, earlier: &Self) -> Result<(), NotTheSameBook> {
        let log = || self.log().to_owned();
        let (was, is) = (earlier.size(), self.size());
        if self.key != earlier.key {
            return Err(NotTheSameBook::Key { log: log(), was: earlier.key.to_string(), is: self.key.to_string() });
        }
        if is < was {
            return Err(NotTheSameBook::Smaller { log: log(), was, is });
        }
        if is == was && self.checkpoint.root != earlier.checkpoint.root {
            return Err(NotTheSameBook::Records { log: log(), size: is });
        }
        Ok(())
    }
}

impl TryFrom<Texts> for Deposit {
    type Error = DepositError;

    fn try_from(texts: Texts) -> Result<Self, DepositError> {
        Ok(Self::of(&texts.key.parse()?, &texts.checkpoint)?)
    }
}

impl From<Deposit> for Texts {
    fn from(deposit: Deposit) -> Self {
        Self { key: deposit.key.to_string(), checkpoint: deposit.checkpoint.note }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{Frontier, TreeHash};
    use crate::note::SigningKey;

    fn tree(leaves: &[&str]) -> Frontier {
        let mut tree = Frontier::default();
        leaves.iter().for_each(|leaf| tree.push(TreeHash::leaf(leaf.as_bytes())));
        tree
    }

    fn deposit(key: &SigningKey, leaves: &[&str]) -> Deposit {
        let checkpoint = Checkpoint::sign("prod/a-0/1", &tree(leaves), key);
        Deposit { key: key.verifier("prod/a-0/1".to_owned()), checkpoint }
    }

    #[test]
    fn a_book_that_has_grown_follows_and_one_that_was_put_back_does_not() {
        let (key, _) = SigningKey::generate().unwrap();
        let [less, more] = [&["a"][..], &["a", "b"]].map(|leaves| deposit(&key, leaves));
        assert_eq!(more.follows(&less), Ok(()));
        assert_eq!(less.follows(&less), Ok(()));
        let log = "prod/a-0/1".to_owned();
        assert_eq!(less.follows(&more), Err(NotTheSameBook::Smaller { log, was: 2, is: 1 }));
    }

    #[test]
    fn another_book_in_its_place_is_seen() {
        let (key, _) = SigningKey::generate().unwrap();
        let (other, _) = SigningKey::generate().unwrap();
        let was = deposit(&key, &["a"]);
        assert!(matches!(deposit(&key, &["b"]).follows(&was), Err(NotTheSameBook::Records { size: 1, .. })));
        assert!(matches!(deposit(&other, &["a", "b"]).follows(&was), Err(NotTheSameBook::Key { .. })));
    }

    #[test]
    fn of_many_faults_the_first_are_told_and_how_many_more_there_are() {
        let fault = |number: usize| Fault::BlobName { file: format!("blobs/{number}").into() };
        assert_eq!(first_of(&[fault(0)]), ["blobs/0: the name is no digest"]);
        let many: Vec<Fault> = (0..100_000).map(fault).collect();
        let told = first_of(&many);
        assert_eq!(told.len(), TOLD + 1);
        assert_eq!(told.last().unwrap(), "99992 more faults, all of which `portreeve ledger verify` tells");
    }

    #[test]
    fn a_fault_that_repeats_a_damaged_file_is_cut_short() {
        let long = Fault::BlobName { file: "ä".repeat(10_000).into() };
        assert!(first_of(&[long])[0].len() <= LONGEST + '…'.len_utf8());
    }

    #[test]
    fn a_deposit_is_read_again_and_one_that_was_changed_is_refused() {
        let (key, _) = SigningKey::generate().unwrap();
        let kept = deposit(&key, &["a"]);
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Deposit>(&text).unwrap(), kept);
        let forged = text.replace("prod/a-0/1\\n1\\n", "prod/a-0/1\\n2\\n");
        assert_ne!(forged, text);
        let error = serde_json::from_str::<Deposit>(&forged).unwrap_err();
        assert!(error.to_string().contains("sign"), "{error}");
    }
}
