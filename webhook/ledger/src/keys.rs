//! The keys in a book's folder: the private one, and the list of the epochs' public ones, which is also the list of the
//! epochs that there ever were.

use std::fs;
use std::io::ErrorKind;

use crate::checkpoint::of_log_name;
use crate::disk::{self, Doing, FileError};
use crate::fault::{Fault, VerifierKeysError};
use crate::identity::{Epoch, Origin};
use crate::layout::Layout;
use crate::note::{SigningKey, SigningKeyError, VerifierKey};

/// The private key of a book is missing and can't be made, or can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no key.
    #[error("{path} can't be used: put the right key back, or move it away to go on in a new epoch with a new key", path = path.display())]
    Key {
        /// The key's file.
        path: std::path::PathBuf,
        /// Why not.
        source: SigningKeyError,
    },
}

/// The private key in the folder; made and put there if there is none.
pub(crate) fn signing_key(layout: &Layout) -> Result<SigningKey, KeyError> {
    let path = layout.signing_key();
    let document = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        read => Some(read.map_err(Doing::Read.to(&path))?),
    };
    let failed = |source| KeyError::Key { path: path.clone(), source };
    let Some(document) = document else {
        let (key, document) = SigningKey::generate().map_err(failed)?;
        disk::replace(&path, &document)?;
        return Ok(key);
    };
    SigningKey::from_pkcs8(&document).map_err(failed)
}

/// The public keys of a book's epochs, in order, all of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EpochKeys {
    pub(crate) origin: Origin,
    keys: Vec<(Epoch, VerifierKey)>,
}

impl EpochKeys {
    /// Reads the list; none if there is no file, as in a book that is not begun.
    pub(crate) fn read(layout: &Layout) -> Result<Option<Self>, Fault> {
        let file = layout.verifier_keys();
        let text = match disk::read_text(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let fault = |(line, why)| Fault::VerifierKeys { file, line, why };
        Self::of_text(&text).map(Some).map_err(fault)
    }

    /// The list of a new book.
    pub(crate) fn begun_by(origin: &Origin) -> Self {
        Self { origin: origin.clone(), keys: Vec::new() }
    }

    pub(crate) fn of_epoch(&self, epoch: Epoch) -> Option<&VerifierKey> {
        self.keys.iter().find(|(of, _)| *of == epoch).map(|(_, key)| key)
    }

    pub(crate) fn epochs(&self) -> impl DoubleEndedIterator<Item = Epoch> + '_ {
        self.keys.iter().map(|(epoch, _)| *epoch)
    }

    /// Adds the key of a new epoch, and puts the list on disk.
    pub(crate) fn add(&mut self, epoch: Epoch, key: VerifierKey, layout: &Layout) -> Result<(), FileError> {
        self.keys.push((epoch, key));
        let lines: String = self.keys.iter().map(|(_, key)| format!("{key}\n")).collect();
        disk::replace(&layout.verifier_keys(), lines.as_bytes())
    }

    /// The list in `text`, or the line that is at fault.
    fn of_text(text: &str) -> Result<Self, (usize, VerifierKeysError)> {
        let mut list: Option<Self> = None;
        let lines = text.strip_suffix('\n').ok_or((text.lines().count(), VerifierKeysError::BreaksOff))?;
        for (index, line) in lines.split('\n').enumerate() {
            let at = |why| (index + 1, why);
            let (origin, epoch, key) = entry(line).map_err(at)?;
            let list = list.get_or_insert_with(|| Self::begun_by(&origin));
            if list.origin != origin || list.epochs().next_back().is_some_and(|last| last >= epoch) {
                return Err(at(VerifierKeysError::Order(key.name().to_owned())));
            }
            list.keys.push((epoch, key));
        }
        list.ok_or((1, VerifierKeysError::BreaksOff))
    }
}

fn entry(line: &str) -> Result<(Origin, Epoch, VerifierKey), VerifierKeysError> {
    let key: VerifierKey = line.parse()?;
    let (origin, epoch) = of_log_name(key.name()).ok_or_else(|| VerifierKeysError::Name(key.name().to_owned()))?;
    Ok((origin, epoch, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_private_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(folder.path());
        let made = signing_key(&layout).unwrap().verifier("a/b/1".to_owned());
        assert_eq!(signing_key(&layout).unwrap().verifier("a/b/1".to_owned()), made);
        assert_eq!(fs::metadata(layout.signing_key()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_list_reads_back_and_says_which_line_is_at_fault() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(folder.path());
        let key = signing_key(&layout).unwrap();
        let mut list = EpochKeys::begun_by(&"a/b".parse().unwrap());
        for number in [1, 2, 4] {
            list.add(Epoch::numbered(number).unwrap(), key.verifier(format!("a/b/{number}")), &layout).unwrap();
        }
        assert_eq!(EpochKeys::read(&layout).unwrap(), Some(list));

        let text = fs::read_to_string(layout.verifier_keys()).unwrap();
        let swapped: String = text.lines().rev().map(|line| format!("{line}\n")).collect();
        assert!(matches!(EpochKeys::of_text(&swapped), Err((2, VerifierKeysError::Order(_)))));
        assert!(matches!(EpochKeys::of_text(text.trim_end()), Err((3, VerifierKeysError::BreaksOff))));
        assert!(matches!(EpochKeys::of_text(&text.replace("a/b/2", "a/b/3")), Err((2, VerifierKeysError::Key(_)))));
    }
}
