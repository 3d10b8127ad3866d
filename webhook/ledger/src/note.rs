//! Signed notes (c2sp.org/signed-note) with Ed25519: the log's key, its public half as text, signing, opening a note.
//! What the text of a note says is not known here.

use std::fmt;
use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The signature type of plain Ed25519 in key ids and in keys written as text.
const ED25519_TYPE: u8 = 1;

/// A note with more bytes is not looked at: ours has 300, and the most generous with 16 witnesses stays below.
const LARGEST_NOTE: usize = 128 * 1024;

/// The log's private key. It never leaves the process but into its file.
pub(crate) struct SigningKey(Ed25519KeyPair);

/// A public key with the name that it signs under, as others are given it: `<name>+<key id>+<key>`, the form that Go's
/// `sumdb/note` and the tools of transparency logs read.
///
/// The name is `<cluster>/<replica>/<epoch>`: each epoch is a log of its own to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

/// Text that is not a [`VerifierKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// It is not `<name>+<8 hex digits>+<base64>`, or the key is not of 33 bytes, the first of them 1 (Ed25519).
    #[error("{0:?} is not a verifier key: expected <name>+<key id>+<base64 of an Ed25519 key>")]
    Form(String),
    /// The key id does not follow from name and key.
    #[error("the verifier key {key:?} is damaged: its key id should be {expected}")]
    KeyId {
        /// The text.
        key: String,
        /// The id that name and key give.
        expected: String,
    },
}

/// A note that can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a text, an empty line and signature lines.
    #[error("it is not a signed note: {0}")]
    Form(&'static str),
    /// No line is signed by the key that was asked for.
    #[error("it has no signature by {key}")]
    NotSigned {
        /// The key, as text.
        key: String,
    },
    /// There is a line by that key, and the signature is not one of this text.
    #[error("the signature by {key} is not one of this text")]
    Forged {
        /// The key, as text.
        key: String,
    },
}

/// The system's random number generator gave nothing, or the bytes are no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// No random bytes.
    #[error("the system has no random bytes for a new signing key")]
    NoRandomness,
    /// Not PKCS#8 version 2 with an Ed25519 key whose public half belongs to it.
    #[error("it is not an Ed25519 key in PKCS#8 (DER) with its public key: {0}")]
    NotAKey(String),
}

impl SigningKey {
    /// Makes a new key; the bytes are its PKCS#8 document (DER), for its file.
    pub(crate) fn generate() -> Result<(Self, Vec<u8>), SigningKeyError> {
        let random = SystemRandom::new();
        let document = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| SigningKeyError::NoRandomness)?;
        Ok((Self::from_pkcs8(document.as_ref())?, document.as_ref().to_vec()))
    }

    /// Reads a key from its PKCS#8 document (DER).
    pub(crate) fn from_pkcs8(document: &[u8]) -> Result<Self, SigningKeyError> {
        Ed25519KeyPair::from_pkcs8(document).map(Self).map_err(|why| SigningKeyError::NotAKey(why.to_string()))
    }

    /// The public half under `name`.
    pub(crate) fn verifier(&self, name: String) -> VerifierKey {
        let mut public = [0; 32];
        public.iter_mut().zip(self.0.public_key().as_ref()).for_each(|(to, from)| *to = *from);
        VerifierKey { name, public }
    }

    /// Signs `text`, which ends with a newline, under `name`. The same text gives the same note, byte for byte.
    pub(crate) fn sign(&self, name: &str, text: &str) -> String {
        let id = self.verifier(name.to_owned()).id();
        let mut signature = id.to_vec();
        signature.extend_from_slice(self.0.sign(text.as_bytes()).as_ref());
        format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signature))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl VerifierKey {
    /// The name that the key signs under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Ed25519 public key (RFC 8032).
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The text of `note`, which this key has signed.
    pub(crate) fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let (text, signatures) = split(note)?;
        let mut ours = signatures.into_iter().filter(|line| line.name == self.name && line.id == self.id()).peekable();
        if ours.peek().is_none() {
            return Err(NoteError::NotSigned { key: self.to_string() });
        }
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        match ours.all(|line| key.verify(text.as_bytes(), &line.signature).is_ok()) {
            true => Ok(text),
            false => Err(NoteError::Forged { key: self.to_string() }),
        }
    }

    fn id(&self) -> [u8; 4] {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519_TYPE])
            .chain_update(self.public)
            .finalize()
            .into();
        let [a, b, c, d, ..] = hash;
        [a, b, c, d]
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_TYPE];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    fn from_str(text: &str) -> Result<Self, VerifierKeyError> {
        let form = || VerifierKeyError::Form(text.to_owned());
        // Base64 may hold a plus, a name and an id can't.
        let (name, rest) = text.split_once('+').ok_or_else(form)?;
        let (id, key) = rest.split_once('+').ok_or_else(form)?;
        let key = STANDARD.decode(key).map_err(|_| form())?;
        let public = key.strip_prefix(&[ED25519_TYPE]).and_then(|key| key.try_into().ok()).ok_or_else(form)?;
        let verifier = Self { name: name.to_owned(), public };
        let expected = hex::encode(verifier.id());
        match (is_key_name(name), id == expected) {
            (false, _) => Err(form()),
            (true, false) => Err(VerifierKeyError::KeyId { key: text.to_owned(), expected }),
            (true, true) => Ok(verifier),
        }
    }
}

impl Serialize for VerifierKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

struct SignatureLine<'n> {
    name: &'n str,
    id: [u8; 4],
    signature: Vec<u8>,
}

/// Takes a note apart into its text, with the newline at its end, and its signature lines.
fn split(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
    if note.len() > LARGEST_NOTE {
        return Err(NoteError::Form("it is larger than 128 KiB"));
    }
    if note.bytes().any(|b| b < 0x20 && b != b'\n') {
        return Err(NoteError::Form("it holds control characters"));
    }
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Form("it has no empty line"))?;
    let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Form("it does not end with a newline"))?;
    let lines = signatures.split('\n').map(signature_line).collect::<Option<Vec<_>>>();
    let text = note.get(..=text.len()).unwrap_or_default();
    Ok((text, lines.ok_or(NoteError::Form("one of its signature lines is damaged"))?))
}

fn signature_line(line: &str) -> Option<SignatureLine<'_>> {
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let decoded = STANDARD.decode(signature).ok()?;
    let (id, signature) = decoded.split_first_chunk::<4>()?;
    let whole = is_key_name(name) && !signature.is_empty();
    whole.then(|| SignatureLine { name, id: *id, signature: signature.to_vec() })
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::generate().unwrap().0
    }

    #[test]
    fn takes_the_example_of_the_checkpoint_specification_apart() {
        // c2sp.org/tlog-checkpoint prints the note and not its key, so this is about the form alone.
        let note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
                    \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/\
                    Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
        let (text, lines) = split(note).unwrap();
        assert!(text.ends_with("q2I=\n"));
        assert_eq!((lines[0].name, lines[0].id), ("example.com/behind-the-sofa", [0x03, 0x3d, 0xe0, 0xae]));
        assert_eq!(lines[0].signature.len(), 64);
    }

    #[test]
    fn opens_the_note_that_the_go_package_documents() {
        // golang.org/x/mod/sumdb/note, package documentation: key, text and signature.
        let key: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let note = format!(
            "{text}\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        );
        assert_eq!(key.open(&note), Ok(text));
    }

    #[test]
    fn a_note_opens_with_the_key_that_signed_it_and_no_other() {
        let (one, other) = (key(), key());
        let note = one.sign("a/b/1", "text\n");
        assert_eq!(one.verifier("a/b/1".to_owned()).open(&note), Ok("text\n"));
        assert!(matches!(other.verifier("a/b/1".to_owned()).open(&note), Err(NoteError::NotSigned { .. })));
        assert!(matches!(one.verifier("a/b/2".to_owned()).open(&note), Err(NoteError::NotSigned { .. })));
    }

    #[test]
    fn lines_of_witnesses_are_passed_over() {
        let (log, witness) = (key(), key());
        let cosigned = witness.sign("witness.example", "text\n");
        let (_, witness_line) = cosigned.split_once("\n\n").unwrap();
        let note = log.sign("a/b/1", "text\n") + witness_line;
        assert_eq!(log.verifier("a/b/1".to_owned()).open(&note), Ok("text\n"));
    }

    #[test]
    fn no_byte_of_a_note_can_be_changed() {
        let key = key();
        let note = key.sign("a/b/1", "a/b/1\n7\nroot\n");
        let verifier = key.verifier("a/b/1".to_owned());
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            let opened = String::from_utf8(bytes).is_ok_and(|note| verifier.open(&note).is_ok());
            assert!(!opened, "byte {at} was changed and nobody saw");
        }
    }

    #[test]
    fn a_verifier_key_reads_back_and_a_damaged_one_is_refused() {
        let text = key().verifier("a/b/1".to_owned()).to_string();
        assert_eq!(text.parse::<VerifierKey>().unwrap().to_string(), text);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let read = String::from_utf8(bytes).is_ok_and(|text| text.parse::<VerifierKey>().is_ok());
            assert!(!read, "byte {at} was changed and nobody saw");
        }
    }

    #[test]
    fn a_damaged_signing_key_is_refused() {
        let (_, mut document) = SigningKey::generate().unwrap();
        let middle = document.len() / 2;
        document[middle] ^= 1;
        assert!(matches!(SigningKey::from_pkcs8(&document), Err(SigningKeyError::NotAKey(_))));
    }
}
