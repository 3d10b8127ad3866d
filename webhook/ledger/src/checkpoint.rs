//! Checkpoints (c2sp.org/tlog-checkpoint): the size and root of an epoch's tree, signed. When one is made is the
//! writer's business.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::identity::{Epoch, Origin, plain_number};
use crate::merkle::{Frontier, TreeHash};
use crate::note::{NoteError, SigningKey, VerifierKey};

/// The name of an epoch's tree to the outside, `<cluster>/<replica>/<epoch>`: the origin line of its checkpoints and
/// the name of the key that signs them. It holds the epoch because a log may never sign two trees of one size.
pub(crate) fn log_name(origin: &Origin, epoch: Epoch) -> String {
    format!("{origin}/{epoch}")
}

/// The origin and the epoch whose tree has this name.
pub(crate) fn of_log_name(name: &str) -> Option<(Origin, Epoch)> {
    let (origin, epoch) = name.rsplit_once('/')?;
    Some((origin.parse().ok()?, Epoch::numbered(plain_number(epoch)?)?))
}

/// A checkpoint whose signature was checked or just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) size: u64,
    pub(crate) root: TreeHash,
    /// The whole signed note.
    pub(crate) note: String,
}

/// A checkpoint that can't be trusted or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its text is not origin, size and root.
    #[error("its signed text is not an origin, a tree size and a root hash: {0:?}")]
    Form(String),
    /// It is one of another log.
    #[error("it is a checkpoint of {found}, not of {expected}")]
    OtherLog {
        /// The origin line that belongs here.
        expected: String,
        /// The origin line that is there.
        found: String,
    },
}

impl Checkpoint {
    /// Signs the tree of the log `name`.
    pub(crate) fn sign(name: &str, tree: &Frontier, key: &SigningKey) -> Self {
        let root = tree.root();
        let text = format!("{name}\n{}\n{}\n", tree.size(), STANDARD.encode(root.0));
        Self { size: tree.size(), root, note: key.sign(name, &text) }
    }

    /// Reads the checkpoint that the log which `key` is named after has signed.
    pub(crate) fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let text = key.open(note)?;
        let form = || CheckpointError::Form(text.to_owned());
        let mut lines = text.strip_suffix('\n').ok_or_else(form)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(form());
        };
        if origin != key.name() {
            return Err(CheckpointError::OtherLog { expected: key.name().to_owned(), found: origin.to_owned() });
        }
        let size = plain_number(size).ok_or_else(form)?;
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or_else(form)?;
        Ok(Self { size, root: TreeHash(root), note: note.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_has_the_three_lines_of_the_specification() {
        let (key, _) = SigningKey::generate().unwrap();
        let checkpoint = Checkpoint::sign("prod/a-0/1", &Frontier::default(), &key);
        let text = checkpoint.note.split("\n\n").next().unwrap();
        assert_eq!(text, "prod/a-0/1\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(Checkpoint::open(&checkpoint.note, &key.verifier("prod/a-0/1".to_owned())), Ok(checkpoint));
    }

    #[test]
    fn a_signed_text_that_is_no_checkpoint_is_refused() {
        let (key, _) = SigningKey::generate().unwrap();
        let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let texts =
            [format!("a/b/1\n00\n{root}\n"), format!("a/b/1\n0\n{root}\nmore\n"), "a/b/1\n0\nAAAA\n".to_owned()];
        for text in texts {
            let error = Checkpoint::open(&key.sign("a/b/1", &text), &key.verifier("a/b/1".to_owned())).unwrap_err();
            assert!(matches!(error, CheckpointError::Form(_)), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_log_is_refused() {
        let (key, _) = SigningKey::generate().unwrap();
        let text = "a/b/2\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
        let error = Checkpoint::open(&key.sign("a/b/1", text), &key.verifier("a/b/1".to_owned())).unwrap_err();
        assert!(matches!(error, CheckpointError::OtherLog { .. }), "{error}");
    }
}
