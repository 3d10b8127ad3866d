//! Who writes: whoever holds the pen, one at a time. Mostly that is a thread of its own, which writes records in
//! groups. Where a record counts as soon as it is written, one that comes while that thread rests is written by whoever
//! made it: to wake the thread, and to be woken by it, takes several times what writing does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::failure::Failure;
use crate::queue::Taken;
use crate::shared::{Fuse, Shared};
use crate::writer::Writer;

/// The writer, for one to hold at a time. There is none any more when the book is closed or has failed.
#[derive(Debug)]
pub(crate) struct Pen {
    shared: Arc<Shared>,
    writer: Mutex<Option<Writer>>,
}

impl Pen {
    pub(crate) fn of(writer: Writer) -> Self {
        Self { shared: Arc::clone(&writer.shared), writer: Mutex::new(Some(writer)) }
    }

    /// What the thread does: writes until the queue is closed and empty, or something fails. Then the writer is
    /// dropped, which lets go of the folder.
    pub(crate) fn write_all_that_comes(&self) -> Result<(), Failure> {
        let _fuse = Fuse::of(&self.shared);
        let outcome = self.write_groups();
        if let Err(failure) = &outcome {
            self.shared.fail(failure);
        }
        drop(self.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
        outcome
    }

    /// What the maker of a record does whom the queue left it to: writes it, unless somebody writes at the moment or
    /// the segment may have to end; then the thread is woken. Blocks for no longer than a `write` takes.
    pub(crate) fn write_own(&self) {
        let _fuse = Fuse::of(&self.shared);
        let mut writer = self.writer.try_lock().ok();
        let free = writer.as_mut().and_then(|writer| writer.as_mut()).filter(|writer| writer.has_room());
        match free {
            Some(writer) => writer.write_one(),
            None => self.shared.queue.wake_writer(),
        }
    }

    fn write_groups(&self) -> Result<(), Failure> {
        let mut checkpoint = Some(Instant::now());
        loop {
            self.shared.queue.wait_for_group(checkpoint);
            // Whoever panicked while holding it left it between two records.
            let mut writer = self.writer.lock().map_err(|_| Failure::WriterLost)?;
            let writer = writer.as_mut().ok_or(Failure::WriterLost)?;
            match self.shared.queue.take_group() {
                Taken::Group(group) => writer.write(group)?,
                Taken::Nothing => {}
                Taken::Closed => return writer.end(),
            }
            checkpoint = writer.next_checkpoint();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Body, RecordKind};
    use crate::ledger::Ledger;
    use crate::options::{Durability, Options};
    use crate::queue::AppendError;

    #[test]
    fn whoever_panics_with_the_pen_in_hand_ends_the_book() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new("a/b".parse().unwrap()).durability(Durability::WriteOnly);
        let ledger = Ledger::open(folder.path(), options).unwrap();
        let pen = Arc::clone(&ledger.pen);
        let panicked = std::thread::spawn(move || {
            let _fuse = Fuse::of(&pen.shared);
            let _writer = pen.writer.lock().unwrap();
            panic!("between two records");
        });
        assert!(panicked.join().is_err());
        let refused = ledger.append(&RecordKind::DECISION, &Body::of(&"x").unwrap());
        assert!(matches!(refused, Err(AppendError::Failed(Failure::WriterLost))), "{refused:?}");
        assert!(matches!(ledger.close(), Err(Failure::WriterLost)));
        // The folder was let go of.
        assert!(ledger.reopen().is_ok());
    }
}
