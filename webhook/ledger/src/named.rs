//! What records name of the content that is kept beside them. A body is any JSON, so whoever wrote the records says
//! what they name; here it is only looked whether that is there. What the content is, is looked at in `blobs`.

use std::collections::HashSet;

use crate::blobs::Blobs;
use crate::digest::Digest;
use crate::fault::Fault;
use crate::leaf::Record;

/// Tells what a record names.
pub type Names = fn(&Record) -> Vec<Named>;

/// Tells what content names.
pub type Within = fn(&[u8]) -> Vec<Named>;

/// Content that a record names, or other content that one names.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// Its digest.
    pub digest: Digest,
    /// Tells what it names itself, if that can be anything.
    pub within: Option<Within>,
}

/// All that the records of a book name, each content once.
pub(crate) struct AllNamed<'a> {
    blobs: &'a Blobs,
    names: Names,
    seen: HashSet<Digest>,
    faults: Vec<Fault>,
}

impl<'a> AllNamed<'a> {
    pub(crate) fn of(blobs: &'a Blobs, names: Names) -> Self {
        Self { blobs, names, seen: HashSet::new(), faults: Vec::new() }
    }

    /// Looks for what a record names. Content is kept before a record names it, so this holds while a book is written.
    pub(crate) fn look(&mut self, record: &Record) {
        let mut named = (self.names)(record);
        while let Some(Named { digest, within }) = named.pop() {
            if !self.seen.insert(digest) {
                continue;
            }
            if !self.blobs.holds(&digest) {
                self.faults.push(Fault::BlobMissing { file: self.blobs.path(&digest), record: record.id.clone() });
            } else if let Some(within) = within {
                // What can't be read or was changed is told where all content is read.
                named.extend(self.blobs.kept(&digest).map(|bytes| within(&bytes)).unwrap_or_default());
            }
        }
    }

    /// What is not there.
    pub(crate) fn faults(self) -> Vec<Fault> {
        self.faults
    }
}
