//! The Merkle tree of RFC 6962, section 2.1, grown leaf by leaf. Only its right edge is held, 64 hashes at most.

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A hash of the tree: of a leaf, of a node, or its root. Hex as text; in a checkpoint it is base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash(pub(crate) [u8; 32]);

/// The right edge of a tree: the roots of the perfect subtrees that it is made of, the largest first. There is one for
/// each bit that is set in the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frontier {
    size: u64,
    peaks: Vec<TreeHash>,
}

impl Frontier {
    /// The edge of a tree of `size` leaves, if `peaks` are as many as such a tree has.
    pub(crate) fn of(size: u64, peaks: Vec<TreeHash>) -> Option<Self> {
        let expected = usize::try_from(size.count_ones()).ok()?;
        (peaks.len() == expected).then_some(Self { size, peaks })
    }

    /// The number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn peaks(&self) -> &[TreeHash] {
        &self.peaks
    }

    /// Adds the next leaf, given by its hash.
    pub(crate) fn push(&mut self, leaf: TreeHash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = TreeHash::node(left, hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> TreeHash {
        let from_the_right = self.peaks.iter().rev().copied();
        from_the_right.reduce(|right, left| TreeHash::node(left, right)).unwrap_or_else(TreeHash::empty)
    }
}

impl TreeHash {
    /// The hash of a leaf's bytes.
    pub(crate) fn leaf(bytes: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(bytes).finalize().into())
    }

    /// The root of the tree without leaves.
    pub(crate) fn empty() -> Self {
        Self(Sha256::digest([]).into())
    }

    fn node(left: Self, right: Self) -> Self {
        Self(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TreeHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// MTH of RFC 6962, section 2.1, as it is written there: split at the largest power of two below n.
    fn naive_root(leaves: &[Vec<u8>]) -> TreeHash {
        match leaves {
            [] => TreeHash::empty(),
            [one] => TreeHash::leaf(one),
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                TreeHash::node(naive_root(&leaves[..half]), naive_root(&leaves[half..]))
            }
        }
    }

    fn grown(leaves: &[Vec<u8>]) -> Frontier {
        let mut tree = Frontier::default();
        leaves.iter().for_each(|leaf| tree.push(TreeHash::leaf(leaf)));
        tree
    }

    proptest! {
        #[test]
        fn grows_into_the_tree_of_the_rfc(leaves in prop::collection::vec(any::<Vec<u8>>(), 0..70)) {
            prop_assert_eq!(grown(&leaves).root(), naive_root(&leaves));
        }

        #[test]
        fn goes_on_from_an_edge_that_was_kept(
            leaves in prop::collection::vec(any::<Vec<u8>>(), 1..70),
            cut in any::<prop::sample::Index>(),
        ) {
            let (before, after) = leaves.split_at(cut.index(leaves.len()));
            let kept = grown(before);
            let mut tree = Frontier::of(kept.size(), kept.peaks().to_vec()).unwrap();
            after.iter().for_each(|leaf| tree.push(TreeHash::leaf(leaf)));
            prop_assert_eq!(tree.root(), naive_root(&leaves));
        }
    }

    #[test]
    fn the_empty_tree_and_the_empty_leaf_have_the_hashes_that_follow_from_the_rfc() {
        // printf '' | sha256sum, and printf '\0' | sha256sum
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(Frontier::default().root().to_string(), empty);
        assert_eq!(grown(&[Vec::new()]).root().to_string(), leaf);
    }

    #[test]
    fn an_edge_with_too_few_hashes_is_refused() {
        assert_eq!(Frontier::of(3, vec![TreeHash::empty()]), None);
    }
}
