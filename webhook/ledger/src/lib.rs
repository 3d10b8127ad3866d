//! The book: append-only segments, a Merkle tree over them, signed checkpoints, verification.
