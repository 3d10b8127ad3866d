//! The examination of one epoch: its segments are read in order, the tree is grown again and held against the signed
//! checkpoint. It changes nothing; what follows from a fault is decided by who asked (`open` or `verify`).

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::disk::{self, Doing};
use crate::fault::{Fault, Place, SealFault};
use crate::identity::{Origin, RecordId};
use crate::layout::{EpochFolder, SegmentFiles, SegmentState};
use crate::leaf::{self, Record};
use crate::line::{self, Line, LineEnd, LineFault, Lines};
use crate::merkle::{Frontier, TreeHash};
use crate::note::VerifierKey;
use crate::seal::Seal;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What is needed to go on writing: sealed segments are taken by their signed seals and their length, and records
    /// that a checkpoint covers by their hashes. So a start takes no longer for a log of years.
    ToGoOn,
    /// Every byte.
    Everything,
}

/// What an epoch holds, when nothing is wrong with it.
#[derive(Debug)]
pub(crate) struct Examined {
    /// The tree over all whole records.
    pub(crate) tree: Frontier,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) segments: usize,
    pub(crate) sealed: usize,
    /// Bytes of all whole lines.
    pub(crate) bytes: u64,
    /// The segment that was being written, up to its last whole line. None if the last one is sealed.
    pub(crate) open: Option<OpenSegment>,
    /// The first record, when everything was read.
    pub(crate) first: Option<Record>,
}

impl Examined {
    /// An epoch that has just begun, with one segment and nothing in it.
    pub(crate) fn empty(checkpoint: Checkpoint, files: SegmentFiles) -> Self {
        let open = Some(OpenSegment { files, bytes: 0, torn: None });
        Self { tree: Frontier::default(), checkpoint, segments: 1, sealed: 0, bytes: 0, open, first: None }
    }

    /// The line that was never finished, if there is one.
    pub(crate) fn torn(&mut self) -> Option<Torn> {
        self.open.as_mut()?.torn.take()
    }
}

/// A segment that can be written on.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    pub(crate) files: SegmentFiles,
    /// The bytes of its whole lines.
    pub(crate) bytes: u64,
    /// The line after them, if one was begun and never finished, nor covered by a checkpoint.
    pub(crate) torn: Option<Torn>,
}

/// The beginning of a line that was never finished.
#[derive(Debug)]
pub(crate) struct Torn {
    pub(crate) place: Place,
    pub(crate) bytes: u64,
}

/// Examines the epoch in `folder`, which `origin` wrote and `key` signed, and shows `look` every record that is read.
///
/// Somebody may write on meanwhile. So the checkpoint that the records are held against is read before the segments,
/// which then hold all that it covers; and the one that the seals are held against after, since a seal follows its
/// checkpoint.
pub(crate) fn examine(
    folder: &EpochFolder,
    origin: &Origin,
    key: &VerifierKey,
    depth: Depth,
    look: &mut dyn FnMut(&Record),
) -> Result<Examined, Fault> {
    let checkpoint = read_checkpoint(folder, key)?;
    let segments = folder.segments_found()?;
    let newest = read_checkpoint(folder, key)?.size;
    let mut examination = Examination::of(folder, origin, key, depth, checkpoint, newest, look);
    examination.read_segments(&segments)?;
    examination.finish()
}

fn read_checkpoint(folder: &EpochFolder, key: &VerifierKey) -> Result<Checkpoint, Fault> {
    let file = folder.checkpoint();
    let note = disk::read_text(&file)?;
    Checkpoint::open(&note, key).map_err(|why| Fault::Checkpoint { file, why })
}

/// The checkpoint of an epoch as it stands in its file, trusted or not; none if there is no file.
pub(crate) fn checkpoint_as_written(folder: &EpochFolder) -> Option<String> {
    fs::read_to_string(folder.checkpoint()).ok()
}

struct Examination<'a> {
    folder: &'a EpochFolder,
    key: &'a VerifierKey,
    depth: Depth,
    /// The id of the next record.
    next: RecordId,
    /// The root of the tree at the size of the checkpoint, once that size is reached.
    at_checkpoint: Option<TreeHash>,
    /// The size in the newest checkpoint there is.
    newest: u64,
    /// The size up to which a seal has proved the records.
    proved: u64,
    examined: Examined,
    /// Is shown every record that is read.
    look: &'a mut dyn FnMut(&Record),
}

impl<'a> Examination<'a> {
    fn of(
        folder: &'a EpochFolder,
        origin: &Origin,
        key: &'a VerifierKey,
        depth: Depth,
        checkpoint: Checkpoint,
        newest: u64,
        look: &'a mut dyn FnMut(&Record),
    ) -> Self {
        let at_checkpoint = (checkpoint.size == 0).then(TreeHash::empty);
        let tree = Frontier::default();
        let examined = Examined { tree, checkpoint, segments: 0, sealed: 0, bytes: 0, open: None, first: None };
        let next = RecordId { origin: origin.clone(), epoch: folder.epoch, sequence: 0 };
        Self { folder, key, depth, next, at_checkpoint, newest, proved: 0, examined, look }
    }

    fn read_segments(&mut self, segments: &[SegmentFiles]) -> Result<(), Fault> {
        let (Some(last), true) = (segments.last(), self.begins_at_next(segments.first())) else {
            return Err(self.segment_missing(segments.first()));
        };
        for segment in segments {
            if !self.begins_at_next(Some(segment)) {
                return Err(self.segment_missing(Some(segment)));
            }
            match segment.state {
                SegmentState::Sealed => self.read_sealed(segment)?,
                SegmentState::Open if segment == last => self.read_open(segment)?,
                SegmentState::Open => return Err(Fault::SealMissing { file: segment.seal.clone() }),
            }
            self.examined.segments += 1;
        }
        Ok(())
    }

    fn begins_at_next(&self, segment: Option<&SegmentFiles>) -> bool {
        segment.is_some_and(|segment| segment.first == self.next.sequence)
    }

    fn segment_missing(&self, found: Option<&SegmentFiles>) -> Fault {
        let expected = self.next.sequence;
        Fault::SegmentMissing { folder: self.folder.segments(), expected, found: found.map(|found| found.first) }
    }

    fn read_sealed(&mut self, segment: &SegmentFiles) -> Result<(), Fault> {
        let fault = |why| Fault::Seal { file: segment.seal.clone(), why };
        let seal = Seal::open(&disk::read_text(&segment.seal)?, self.key).map_err(fault)?;
        if self.newest < seal.checkpoint.size {
            let (covered, sealed) = (self.newest, seal.checkpoint.size);
            return Err(Fault::CheckpointBehind { file: self.folder.checkpoint(), covered, sealed });
        }
        let length = fs::metadata(&segment.leaves).map_err(Doing::Read.to(&segment.leaves))?.len();
        match self.depth {
            Depth::ToGoOn => self.skip_to(&seal),
            Depth::Everything => self.read_against(&seal, segment)?,
        }
        if length != seal.bytes {
            return Err(fault(SealFault::Length { expected: seal.bytes, found: length }));
        }
        self.proved = seal.checkpoint.size;
        self.examined.sealed += 1;
        self.examined.bytes += length;
        Ok(())
    }

    /// Goes on after a sealed segment without reading it.
    fn skip_to(&mut self, seal: &Seal) {
        self.examined.tree = seal.tree.clone();
        self.next.sequence = seal.tree.size();
        self.note_checkpoint();
    }

    /// Reads a sealed segment and holds it against its seal.
    fn read_against(&mut self, seal: &Seal, segment: &SegmentFiles) -> Result<(), Fault> {
        if let Tail { torn: Some(Torn { place, bytes }), .. } = self.read_lines(&segment.leaves)? {
            return Err(Fault::Cut { place, bytes });
        }
        let (expected, found) = (seal.checkpoint.size, self.next.sequence);
        if expected != found {
            return Err(Fault::Seal { file: segment.seal.clone(), why: SealFault::Size { expected, found } });
        }
        self.require_root(&segment.seal, &seal.checkpoint, self.examined.tree.root())
    }

    fn read_open(&mut self, segment: &SegmentFiles) -> Result<(), Fault> {
        let Tail { bytes, torn } = self.read_lines(&segment.leaves)?;
        self.examined.bytes += bytes;
        self.examined.open = Some(OpenSegment { files: segment.clone(), bytes, torn });
        Ok(())
    }

    fn read_lines(&mut self, leaves: &Path) -> Result<Tail, Fault> {
        let file = File::open(leaves).map_err(Doing::Open.to(leaves))?;
        let mut lines = Lines::of(BufReader::with_capacity(1 << 18, file));
        loop {
            let begin = lines.offset();
            let Some(line) = lines.next().map_err(Doing::Read.to(leaves))? else {
                return Ok(Tail { bytes: begin, torn: None });
            };
            let place = self.place(leaves, &line);
            if line.end == LineEnd::EndOfFile {
                return self.torn(place, &line);
            }
            self.read_line(&line, place)?;
        }
    }

    /// A line that ends with the file was never acknowledged, unless a checkpoint covers it.
    fn torn(&self, place: Place, line: &Line<'_>) -> Result<Tail, Fault> {
        let bytes = u64::try_from(line.bytes.len()).unwrap_or(u64::MAX);
        if place.sequence < self.examined.checkpoint.size {
            return Err(Fault::Cut { place, bytes });
        }
        Ok(Tail { bytes: line.offset, torn: Some(Torn { place, bytes }) })
    }

    fn read_line(&mut self, line: &Line<'_>, place: Place) -> Result<(), Fault> {
        if line.end == LineEnd::TooLong {
            return Err(Fault::Line { place });
        }
        let leaf = match line::unframe(line.bytes) {
            Ok(leaf) => leaf,
            Err(LineFault::Form) => return Err(Fault::Line { place }),
            Err(LineFault::Check { expected, found }) => return Err(Fault::Check { place, expected, found }),
        };
        if self.depth == Depth::Everything || place.sequence >= self.examined.checkpoint.size {
            let record = leaf::read(leaf, &self.next).map_err(|why| Fault::Leaf { place, why })?;
            (self.look)(&record);
            if self.next.sequence == 0 {
                self.examined.first = Some(record);
            }
        }
        self.examined.tree.push(TreeHash::leaf(leaf.as_bytes()));
        self.next.sequence += 1;
        self.note_checkpoint();
        Ok(())
    }

    fn note_checkpoint(&mut self) {
        if self.examined.tree.size() == self.examined.checkpoint.size {
            self.at_checkpoint = Some(self.examined.tree.root());
        }
    }

    fn place(&self, file: &Path, line: &Line<'_>) -> Place {
        let sequence = self.next.sequence;
        Place { file: file.to_owned(), line: line.number, offset: line.offset, sequence }
    }

    /// The records that no seal has proved, held against what was signed.
    fn require_root(&self, file: &Path, signed: &Checkpoint, found: TreeHash) -> Result<(), Fault> {
        if signed.root == found {
            return Ok(());
        }
        let (from, size, expected) = (self.proved, signed.size, signed.root);
        Err(Fault::RootDiffers { file: file.to_owned(), from, size, expected, found })
    }

    fn finish(self) -> Result<Examined, Fault> {
        let file = self.folder.checkpoint();
        let Some(found) = self.at_checkpoint else {
            let (covered, held) = (self.examined.checkpoint.size, self.next.sequence);
            return Err(Fault::CheckpointAhead { file, covered, held });
        };
        self.require_root(&file, &self.examined.checkpoint, found)?;
        Ok(self.examined)
    }
}

/// How a segment ends: the bytes of its whole lines, and what comes after them.
struct Tail {
    bytes: u64,
    torn: Option<Torn>,
}
