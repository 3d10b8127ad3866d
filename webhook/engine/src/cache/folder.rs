//! The cache folder. An entry is two files: `<key>.code`, machine code as wasmtime maps it, and `<key>.seal`, the
//! seal followed by the header. The code goes first and the seal last, each written aside, flushed and renamed, so
//! that at every moment an entry is whole or has no seal that fits.
//!
//! What is mapped from here is executed, and snapshots hold settings in clear. So the folder and its files belong to
//! this user alone (0700 and 0600), and a folder that somebody else could write to is refused. That is also why a
//! file can be checked first and mapped afterwards: between the two only this user could change it.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use super::seal::{SEAL, SealingKey};
use super::{EntryKey, Find, Header};
use crate::load::{Built, Loaded};
use crate::machine_code::Sealed;
use crate::runtime::Runtime;

const KEY_FILE: &str = "key";
const CODE: &str = "code";
const SEALED: &str = "seal";
/// Entries that are kept; those used longest ago go first. An entry has some megabytes, and every change of settings
/// makes one.
const ENTRIES: usize = 32;
/// How tempfile begins the names of files on their way to their place.
const UNFINISHED: &str = ".tmp";
/// After this time nobody is at work any more on an entry that is not whole.
const ABANDONED: Duration = Duration::from_secs(3600);
/// Permission bits by which others could write.
const OTHERS_WRITE: u32 = 0o022;
/// Permission bits by which others could do anything.
const OTHERS: u32 = 0o077;
/// In a folder with this bit, such as /tmp, others can't rename what is ours.
const STICKY: u32 = 0o1000;

/// A folder that keeps compiled policies.
pub struct CacheFolder {
    path: PathBuf,
    key: SealingKey,
}

/// Why a folder can't keep compiled policies.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The system refuses.
    #[error("can't {doing} {}: {source}", path.display())]
    System {
        /// Such as `create the cache folder`.
        doing: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is to be the cache folder, but it is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Somebody else could put machine code there, or read the key.
    #[error(
        "{} holds machine code that is executed, but it belongs to user {owner} with mode {mode:o}: it must belong \
         to the user that runs this ({user}) and nobody else may write to it, nor read the key in it", path.display()
    )]
    Unsafe {
        /// The folder, one above it, or the key in it.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user that this process runs as.
        user: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The key is not a key.
    #[error("{} is not a key of 32 bytes: delete it, and every cached policy is made again", path.display())]
    BadKey {
        /// The key's file.
        path: PathBuf,
    },
    /// The system gave no random bytes for a key.
    #[error("the system gives no random bytes for a new key: {0}")]
    NoRandomness(#[source] getrandom::Error),
}

impl CacheFolder {
    /// Opens the folder, making it and its key if they are not there. The folder above it has to be there.
    ///
    /// # Errors
    /// [`CacheError`] if it can't be made, or if anyone else could write to it.
    pub fn open(path: &Path) -> Result<Self, CacheError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(system("create the cache folder", path, source));
            }
            _ => {}
        }
        let path = path.canonicalize().map_err(|source| system("find", path, source))?;
        require_ours(&path)?;
        for above in path.ancestors().skip(1) {
            require_safe_above(above)?;
        }
        let key = open_key(&path)?;
        Ok(Self { path, key })
    }

    /// The component of this key, if it is here, whole and ours.
    pub(super) fn find(&self, runtime: &Runtime, key: &EntryKey) -> Find {
        let sealed = match fs::read(self.file(key, SEALED)) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Find::Missing,
            Err(error) => return Find::Unusable(error.to_string()),
        };
        match self.load(runtime, key, &sealed) {
            Ok(loaded) => Find::Found(Box::new(loaded)),
            Err(reason) => Find::Unusable(reason),
        }
    }

    fn load(&self, runtime: &Runtime, key: &EntryKey, sealed: &[u8]) -> Result<Loaded, String> {
        let (seal, header) = sealed.split_first_chunk::<SEAL>().ok_or("its seal is cut short")?;
        let code = self.file(key, CODE);
        if !self.key.fits(seal, header, &code).map_err(|error| error.to_string())? {
            return Err("its seal does not fit".into());
        }
        let header = Header::from_bytes(header).map_err(|error| error.to_string())?;
        let label = header.label_for(key).ok_or("it is the entry of another key")?;
        let engine = &label.placement.machine(runtime).engine;
        let component = Sealed(&code).load(engine).map_err(|error| error.to_string())?;
        self.note_use(key);
        Ok(Loaded { label, component })
    }

    /// Writes an entry, over whatever stands there.
    pub(super) fn keep(&self, key: &EntryKey, built: &Built) -> Result<(), CacheError> {
        let code = self.file(key, CODE);
        self.write(&code, &built.code)?;
        let header = Header::new(*key, built.label.clone());
        let header = header.to_bytes().map_err(|error| system("describe", &code, error.into()))?;
        let seal = self.key.seal(&header, &code).map_err(|source| system("read", &code, source))?;
        self.write(&self.file(key, SEALED), &[&seal[..], &header].concat())?;
        self.forget_the_oldest();
        Ok(())
    }

    fn file(&self, key: &EntryKey, kind: &str) -> PathBuf {
        self.path.join(format!("{key}.{kind}"))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        // Made with mode 0600.
        let written = NamedTempFile::new_in(&self.path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            File::open(&self.path)?.sync_all()
        });
        written.map_err(|source| system("write", path, source))
    }

    /// The seal's time says when the entry was last of use. If it can't be set, the entry goes a little early.
    fn note_use(&self, key: &EntryKey) {
        let noted = File::options()
            .append(true)
            .open(self.file(key, SEALED))
            .and_then(|seal| seal.set_modified(SystemTime::now()));
        if let Err(error) = noted {
            tracing::debug!(%key, %error, "can't note the use of a cached policy");
        }
    }

    /// Keeps the folder from growing, also by what a process that was killed left. A file that can't be deleted now
    /// will be tried again with the next entry.
    fn forget_the_oldest(&self) {
        let (mut seals, others): (Vec<_>, Vec<_>) =
            self.files().into_iter().partition(|(_, file)| is_kind(file, SEALED));
        seals.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        for (_, seal) in seals.into_iter().skip(ENTRIES) {
            delete(&seal);
            delete(&seal.with_extension(CODE));
        }
        let is_old = |written: &SystemTime| written.elapsed().is_ok_and(|age| age > ABANDONED);
        others
            .iter()
            .filter(|(written, file)| is_old(written) && is_unfinished(file))
            .for_each(|(_, file)| delete(file));
    }

    /// All files, with the time when each was written or last of use.
    fn files(&self) -> Vec<(SystemTime, PathBuf)> {
        let files = fs::read_dir(&self.path).into_iter().flatten().flatten();
        files.filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path()))).collect()
    }
}

fn is_kind(file: &Path, kind: &str) -> bool {
    file.extension().is_some_and(|extension| extension == kind)
}

/// Whether a file is half an entry, or not even that.
fn is_unfinished(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(UNFINISHED.as_bytes()) || (is_kind(file, CODE) && !file.with_extension(SEALED).exists())
}

fn delete(file: &Path) {
    if let Err(error) = fs::remove_file(file) {
        tracing::debug!(file = %file.display(), %error, "can't delete an old cached policy");
    }
}

impl std::fmt::Debug for CacheFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheFolder").field("path", &self.path).finish_non_exhaustive()
    }
}

fn require_ours(path: &Path) -> Result<(), CacheError> {
    let found = look(path)?;
    if !found.is_dir() {
        return Err(CacheError::NotAFolder { path: path.to_owned() });
    }
    let safe = found.uid() == user() && found.mode() & OTHERS_WRITE == 0;
    if safe { Ok(()) } else { Err(not_safe(path, &found)) }
}

/// Who can write to a folder above ours could put another in its place.
fn require_safe_above(path: &Path) -> Result<(), CacheError> {
    let found = look(path)?;
    let trusted = found.uid() == user() || found.uid() == 0;
    let safe = trusted && (found.mode() & OTHERS_WRITE == 0 || found.mode() & STICKY != 0);
    if safe { Ok(()) } else { Err(not_safe(path, &found)) }
}

/// The folder's key, made if there is none. Of several processes that make one at the same time, one wins.
fn open_key(folder: &Path) -> Result<SealingKey, CacheError> {
    let path = folder.join(KEY_FILE);
    if !path.exists() {
        make_key(folder, &path)?;
    }
    let found = look(&path)?;
    if found.uid() != user() || found.mode() & OTHERS != 0 {
        return Err(not_safe(&path, &found));
    }
    let bytes = fs::read(&path).map_err(|source| system("read", &path, source))?;
    bytes.try_into().map(SealingKey::new).map_err(|_| CacheError::BadKey { path })
}

fn make_key(folder: &Path, path: &Path) -> Result<(), CacheError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(CacheError::NoRandomness)?;
    let made = NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(&key)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    });
    made.map_err(|source| system("write", path, source))
}

fn look(path: &Path) -> Result<Metadata, CacheError> {
    fs::symlink_metadata(path).map_err(|source| system("look at", path, source))
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn system(doing: &'static str, path: &Path, source: io::Error) -> CacheError {
    CacheError::System { doing, path: path.to_owned(), source }
}

fn not_safe(path: &Path, found: &Metadata) -> CacheError {
    CacheError::Unsafe { path: path.to_owned(), owner: found.uid(), user: user(), mode: found.mode() & 0o7777 }
}
