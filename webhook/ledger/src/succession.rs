//! From one epoch to the next: setting an epoch aside with the reason, and what the first record of the next one says
//! about it. That record is made from what lies on disk alone, so a crash in between changes nothing, and anybody can
//! check it.

use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use crate::body::{Body, BodyError, RecordKind};
use crate::disk::{self, FileError};
use crate::examine::checkpoint_as_written;
use crate::fault::Fault;
use crate::identity::Epoch;
use crate::layout::{EpochFolder, Layout};
use crate::leaf::Record;

/// Why an epoch was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable word, that of [`Fault::code`].
    pub code: String,
    /// What was wrong and where, in words.
    pub text: String,
}

/// The longest text that is carried from one epoch to the next, in characters: damage has no bounds, a leaf has.
const LONGEST_TEXT: usize = 4096;

/// What the first record of an epoch after the first says.
#[derive(Debug, Serialize)]
struct Succession {
    previous: Previous,
    reason: Reason,
}

#[derive(Debug, Serialize)]
struct Previous {
    epoch: Epoch,
    /// The signed note as it stood in the file, trusted or not; null if there was none.
    checkpoint: Option<String>,
}

/// Writes the reason down beside an epoch, and moves the whole of it aside. Nothing is deleted.
pub(crate) fn set_aside(folder: &EpochFolder, fault: &Fault) -> Result<Reason, FileError> {
    let reason = Reason { code: fault.code().to_owned(), text: shortened(&fault.to_string()) };
    let text = serde_json::to_string(&reason).unwrap_or_default();
    disk::replace(&folder.reason(), text.as_bytes())?;
    disk::rename(&folder.path, &folder.set_aside().path)?;
    Ok(reason)
}

/// What the first record of `epoch` has to say.
pub(crate) fn body(layout: &Layout, epoch: Epoch) -> Result<Body, BodyError> {
    let before = Epoch::numbered(epoch.number().saturating_sub(1)).unwrap_or(Epoch::FIRST);
    let folder = layout.epoch(before).set_aside();
    let checkpoint = checkpoint_as_written(&folder).as_deref().map(shortened);
    let Reason { code, text } = reason(&folder);
    let reason = Reason { code: shortened(&code), text: shortened(&text) };
    Body::of(&Succession { previous: Previous { epoch: before, checkpoint }, reason })
}

/// Checks the first record of `epoch`; the first epoch has none of this kind.
pub(crate) fn verify(layout: &Layout, epoch: Epoch, first: Option<&Record>) -> Result<(), Fault> {
    if epoch == Epoch::FIRST {
        return Ok(());
    }
    let fault = |why: String| Fault::Succession { epoch, why };
    let first = first.ok_or_else(|| fault("it has no record".to_owned()))?;
    let expected = body(layout, epoch).map_err(|error| fault(error.to_string()))?;
    if first.kind != RecordKind::OPENED {
        return Err(fault(format!("its first record is of the kind {}", first.kind)));
    }
    if first.body.get() != expected.as_str() {
        return Err(fault(format!("expected {}, found {}", expected.as_str(), first.body.get())));
    }
    Ok(())
}

fn reason(folder: &EpochFolder) -> Reason {
    let missing = |text: &str| Reason { code: "epoch-missing".to_owned(), text: text.to_owned() };
    match disk::read_text(&folder.reason()) {
        Ok(text) => serde_json::from_str(&text).unwrap_or_else(|_| missing("the reason was not written down whole")),
        Err(error) if error.kind() == ErrorKind::NotFound => missing("the folder of the epoch before was not there"),
        Err(_) => missing("the reason could not be read"),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
