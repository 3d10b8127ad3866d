//! The keys in a book's folder: the private one, and the list of the epochs' public ones, which is also the list of the
//! epochs that there ever were.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::checkpoint::of_log_name;
use crate::disk::{self, Doing, FileError};
use crate::fault::{Fault, VerifierKeysError};
use crate::identity::{Epoch, Origin};
use crate::layout::Layout;
use crate::note::{SigningKey, SigningKeyError, VerifierKey};

/// A key has less than a hundred bytes; what is longer is none, and is not read to its end.
const LARGEST: u64 = 4096;

/// Permission bits by which everybody could read the key, and sign. Those of the group are no fault: where a volume
/// belongs to a group (`fsGroup`), the kubelet may give them to every file that is in it when it mounts it.
const EVERYBODY: u32 = 0o007;

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
        path: PathBuf,
        /// Why not.
        source: SigningKeyError,
    },
    /// Everybody can read it, and so sign another book in its name.
    #[error(
        "{path} is a private key, but its mode {mode:04o} lets everybody at it: run `chmod 600 {path}` (on a volume \
         that gives all files one mode, mount it with another), and if others may have read it, move it away to go on \
         in a new epoch with a new key",
        path = path.display()
    )]
    Open {
        /// The key's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// The private key in the folder; made and put there if there is none.
pub(crate) fn signing_key(layout: &Layout) -> Result<SigningKey, KeyError> {
    let path = layout.signing_key();
    let failed = |source| KeyError::Key { path: path.clone(), source };
    let Some(document) = document(&path)? else {
        let (key, document) = SigningKey::generate().map_err(failed)?;
        disk::replace(&path, &document)?;
        return Ok(key);
    };
    SigningKey::from_pkcs8(&document).map_err(failed)
}

/// What is in the file of the private key; none if there is no file.
fn document(path: &Path) -> Result<Option<Vec<u8>>, KeyError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(Doing::Open.to(path))?,
    };
    let mode = file.metadata().map_err(Doing::Read.to(path))?.mode() & 0o777;
    if mode & EVERYBODY != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    let mut document = Vec::new();
    file.take(LARGEST).read_to_end(&mut document).map_err(Doing::Read.to(path))?;
    Ok(Some(document))
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
    use std::fs::{self, Permissions};
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
    fn a_private_key_that_everybody_can_read_is_refused_and_one_of_a_group_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(folder.path());
        signing_key(&layout).unwrap();
        for (mode, is_used) in [(0o644, false), (0o604, false), (0o601, false), (0o660, true), (0o400, true)] {
            fs::set_permissions(layout.signing_key(), Permissions::from_mode(mode)).unwrap();
            match signing_key(&layout) {
                Ok(_) => assert!(is_used, "{mode:o}"),
                Err(refused) => {
                    assert!(!is_used, "{mode:o}");
                    let mend = format!("chmod 600 {}", layout.signing_key().display());
                    assert!(refused.to_string().contains(&mend), "{refused}");
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_too_long_for_a_key_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(folder.path());
        disk::replace(&layout.signing_key(), &vec![0; 1 << 20]).unwrap();
        assert!(matches!(signing_key(&layout), Err(KeyError::Key { .. })));
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
