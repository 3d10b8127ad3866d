//! The book: append-only segments, a Merkle tree over them, signed checkpoints, verification.
//!
//! A [`Ledger`] takes records and tells when each is written and durable; one thread writes and syncs them in groups,
//! and a record that comes alone and need not be synced is written where it is made.
//! Over all records of an epoch stands the Merkle tree of RFC 6962, whose root another thread signs about once a second
//! (c2sp.org/tlog-checkpoint). [`verify`] proves a book whole or says where it is not; [`read`] gives the records to
//! other tools. `FORMAT.md` beside this crate says what lies in the folder.
//!
//! What is not here: what a record means (a body is any JSON), HTTP, Kubernetes, tiles and witnesses.

mod appended;
mod blobs;
mod body;
mod canonical;
mod checkpoint;
mod deposit;
mod digest;
mod disk;
mod examine;
mod failure;
mod fault;
mod identity;
mod keys;
mod layout;
mod leaf;
mod ledger;
mod line;
mod merkle;
mod named;
mod note;
mod open;
mod options;
mod pen;
mod queue;
mod read;
mod seal;
mod segment;
mod shared;
mod signer;
mod stats;
mod succession;
mod verify;
mod writer;

pub use appended::Appended;
pub use blobs::{BlobsReport, KeepError, KeptError};
pub use body::{Body, BodyError, RecordKind, RecordKindError};
pub use canonical::UnsafeInteger;
pub use checkpoint::CheckpointError;
pub use deposit::{BookProof, Deposit, DepositError, NotTheSameBook};
pub use digest::{Digest, DigestError};
pub use disk::FileError;
pub use failure::Failure;
pub use fault::{Fault, Place, SealFault, VerifierKeysError};
pub use identity::{Epoch, Origin, OriginError, RecordId, RecordIdError};
pub use keys::KeyError;
pub use layout::Standing;
pub use leaf::{LARGEST_LEAF, LeafError, Record};
pub use ledger::Ledger;
pub use merkle::TreeHash;
pub use named::{Named, Names, Within};
pub use note::{NoteError, SigningKeyError, VerifierKey, VerifierKeyError};
pub use open::{BeginError, OpenError, Opening};
pub use options::{Clock, Durability, Options};
pub use queue::AppendError;
pub use read::{ReadError, Records, kept, read};
pub use stats::Stats;
pub use succession::Reason;
pub use verify::{EpochReport, Report, VerifyError, verify, verify_naming};
