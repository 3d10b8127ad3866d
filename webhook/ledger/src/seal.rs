//! The seal of a finished segment: a signed checkpoint of the tree at its end, with the edge of that tree, so that a
//! later opening can go on from there without reading the segment again.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::checkpoint::Checkpoint;
use crate::fault::SealFault;
use crate::merkle::{Frontier, TreeHash};
use crate::note::VerifierKey;

/// A seal whose signature was checked or just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    /// The bytes of the segment.
    pub(crate) bytes: u64,
    /// The tree at the end of the segment.
    pub(crate) tree: Frontier,
    pub(crate) checkpoint: Checkpoint,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealText {
    bytes: u64,
    checkpoint: String,
    edge: Vec<String>,
}

impl Seal {
    /// The seal's file: one line of canonical JSON. The same segment has the same seal, byte for byte.
    pub(crate) fn text(&self) -> String {
        let edge = self.tree.peaks().iter().map(|hash| STANDARD.encode(hash.0)).collect();
        let seal = SealText { bytes: self.bytes, checkpoint: self.checkpoint.note.clone(), edge };
        let value = serde_json::to_value(seal).unwrap_or_default();
        // A segment of more than 2^53 bytes can't be; if it were, the text would be refused when it is read.
        canonical::text(&value).unwrap_or_default() + "\n"
    }

    /// Reads a seal that `key` has signed.
    pub(crate) fn open(text: &str, key: &VerifierKey) -> Result<Self, SealFault> {
        let line = text.strip_suffix('\n').filter(|line| canonical::is_canonical(line)).ok_or(SealFault::Form)?;
        let seal: SealText = serde_json::from_str(line).map_err(|_| SealFault::Form)?;
        let checkpoint = Checkpoint::open(&seal.checkpoint, key)?;
        let edge = seal.edge.iter().map(|hash| Some(TreeHash(STANDARD.decode(hash).ok()?.try_into().ok()?)));
        let edge = edge.collect::<Option<Vec<_>>>().ok_or(SealFault::Form)?;
        let tree = Frontier::of(checkpoint.size, edge).filter(|tree| tree.root() == checkpoint.root);
        Ok(Self { bytes: seal.bytes, tree: tree.ok_or(SealFault::Edge)?, checkpoint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::SigningKey;

    fn sealed() -> (Seal, VerifierKey) {
        let (key, _) = SigningKey::generate().unwrap();
        let mut tree = Frontier::default();
        (0..11_u8).for_each(|n| tree.push(TreeHash::leaf(&[n])));
        let checkpoint = Checkpoint::sign("a/b/1", &tree, &key);
        (Seal { bytes: 99, tree, checkpoint }, key.verifier("a/b/1".to_owned()))
    }

    #[test]
    fn a_seal_reads_back() {
        let (seal, key) = sealed();
        assert_eq!(Seal::open(&seal.text(), &key), Ok(seal));
    }

    #[test]
    fn an_edge_that_was_changed_is_refused() {
        let (mut seal, key) = sealed();
        seal.tree = Frontier::of(11, vec![TreeHash::empty(); 3]).unwrap();
        assert_eq!(Seal::open(&seal.text(), &key), Err(SealFault::Edge));
    }
}
