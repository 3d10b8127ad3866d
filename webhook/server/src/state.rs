//! The state folder: what outlasts a restart and decides what is admitted. It belongs to the user that runs this,
//! nobody else may write to it, and a file is there whole or not at all. What is sealed carries its own digest, so that
//! what is found was written here or is refused as damaged. What is kept is told where it is made: `set::last_good`,
//! `around::kept`.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tempfile::NamedTempFile;

use crate::digest::sha256;

/// Permission bits by which others could put there what they like.
const OTHERS_WRITE: u32 = 0o022;

/// Where something is kept.
#[derive(Debug, Clone)]
pub struct StateFolder(PathBuf);

/// What can't be kept, or can't be taken from where it was.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refuses.
    #[error("can't {doing} {path}: {source}", path = .path.display())]
    System {
        /// Such as `write`.
        doing: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else could put something there.
    #[error(
        "{path} decides what is admitted, but belongs to user {owner} with mode {mode:o}: it must belong to the user \
         that runs this ({user}), and nobody else may write to it", path = .path.display()
    )]
    Unsafe {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user that this process runs as.
        user: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not what was written.
    #[error("{path} is damaged: {reason}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that is known.
        reason: String,
    },
}

/// What stands in a sealed file: a description and its digest.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    sha256: String,
    /// Named after what was sealed first.
    #[serde(borrow, rename = "set")]
    description: &'a RawValue,
}

/// As much as every version of a description has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl StateFolder {
    /// This folder, which is made when something is kept first.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Puts bytes into a file, whole and durable. One that has them already is left alone. Blocks on the disk.
    ///
    /// # Errors
    /// If the system refuses, or others could write to the folder; what was there is kept then.
    pub(crate) fn keep(&self, file: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.make_private()?;
        let path = self.0.join(file);
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        // Made with mode 0600.
        let written = NamedTempFile::new_in(&self.0).and_then(|mut temporary| {
            temporary.write_all(bytes)?;
            temporary.as_file().sync_all()?;
            temporary.persist(&path)?;
            File::open(&self.0)?.sync_all()
        });
        written.map_err(|source| system("write", &path, source))
    }

    /// Keeps a description, which tells its version, under its own digest.
    ///
    /// # Errors
    /// As [`StateFolder::keep`].
    pub(crate) fn seal(&self, file: &str, description: &impl Serialize) -> Result<(), StateError> {
        let sealed = || -> io::Result<Vec<u8>> {
            let description = to_raw_value(description)?;
            let sha256 = digest_name(description.get().as_bytes());
            Ok(serde_json::to_vec(&Sealed { sha256, description: &description })?)
        };
        self.keep(file, &sealed().map_err(|source| system("write", &self.0.join(file), source))?)
    }

    /// A description of this version that was kept; none if there is none.
    ///
    /// # Errors
    /// If it is damaged or has another version, or if others could have written it.
    pub(crate) fn unseal<T: DeserializeOwned>(&self, file: &str, version: u32) -> Result<Option<T>, StateError> {
        let path = self.0.join(file);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| system("read", &path, source))?,
        };
        self.require_private()?;
        unsealed(&text, version).map(Some).map_err(|reason| StateError::Damaged { path, reason })
    }

    /// Makes the folder for this user alone, with those above it. One that is there has to be such.
    fn make_private(&self) -> Result<(), StateError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|source| system("create", &self.0, source))?;
        self.require_private()
    }

    fn require_private(&self) -> Result<(), StateError> {
        let path = &self.0;
        let found = fs::metadata(path).map_err(|source| system("look at", path, source))?;
        let user = rustix::process::geteuid().as_raw();
        if found.uid() == user && found.mode() & OTHERS_WRITE == 0 {
            return Ok(());
        }
        Err(StateError::Unsafe { path: path.clone(), owner: found.uid(), user, mode: found.mode() & 0o7777 })
    }
}

/// The digest of these bytes, fit for the name of a file.
pub(crate) fn digest_name(bytes: &[u8]) -> String {
    sha256(bytes).replace(':', "-")
}

/// The description, if it is what was written; else why not.
fn unsealed<T: DeserializeOwned>(text: &str, expected: u32) -> Result<T, String> {
    let Sealed { sha256, description } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if digest_name(description.get().as_bytes()) != sha256 {
        return Err("its digest is another than it says".to_owned());
    }
    let Version { version } = serde_json::from_str(description.get()).map_err(|error| error.to_string())?;
    if version != expected {
        return Err(format!("it has version {version}, and this server reads version {expected}"));
    }
    serde_json::from_str(description.get()).map_err(|error| error.to_string())
}

fn system(doing: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::System { doing, path: path.to_owned(), source }
}
