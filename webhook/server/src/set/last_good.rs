//! The last good set, kept in a folder of the server's own, apart from the policy files that it was made from: what it
//! says and the modules that it runs. A restart whose policy files are missing or wrong serves from here. When a set is
//! kept and when it is taken is decided in `serve`; compiled code is not here but in the engine's cache.
//!
//! `set.json` is written last, whole, and carries its own digest; `modules/` holds each module under its digest. So what
//! is found is a set that was in force once, or is refused as damaged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use portreeve_admission::api::{ModuleSource, Resource};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tempfile::NamedTempFile;

use super::folder::{Located, Sources, WrittenBy};
use super::namespace::Namespace;
use super::objects::Objects;
use super::{LoadError, LoadedModule, Loader, PolicySet};
use crate::digest::sha256;

const SET: &str = "set.json";
const MODULES: &str = "modules";
/// Of the shape of `set.json`.
const VERSION: u32 = 1;
/// Permission bits by which others could put a set of theirs in force.
const OTHERS_WRITE: u32 = 0o022;

/// Where the last good set is kept.
#[derive(Debug, Clone)]
pub struct LastGood {
    folder: PathBuf,
}

/// A set that can't be kept, or can't be taken from where it was.
#[derive(Debug, thiserror::Error)]
pub enum LastGoodError {
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
    /// Somebody else could put a set there.
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
    #[error("{path} is damaged: {reason}; delete {folder} and start with good policy files", path = .path.display(), folder = .folder.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The folder that it is in.
        folder: PathBuf,
        /// How that is known.
        reason: String,
    },
    /// It is whole, and can't be put in force all the same: this server has other policies built in, as a rule.
    #[error("the set kept in {folder} can't be put in force:\n{source}", folder = .folder.display())]
    Refused {
        /// The folder.
        folder: PathBuf,
        /// Every problem.
        source: LoadError,
    },
}

/// What stands in the file: a description and its digest.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    sha256: String,
    #[serde(borrow)]
    set: &'a RawValue,
}

/// All that a set is made from, but the modules.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    version: u32,
    resources: Vec<Kept>,
    namespaces: BTreeMap<String, Namespace>,
    /// Left out by servers that made no facts of them.
    #[serde(default)]
    objects: Objects,
    modules: BTreeSet<String>,
    /// Left out by servers that knew of one hand alone.
    #[serde(default)]
    written_by: WrittenBy,
}

/// A resource, and where it was read once.
#[derive(Serialize, Deserialize)]
struct Kept {
    place: String,
    resource: Resource,
}

impl LastGood {
    /// In this folder, which is made when the first set is kept.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a set that was made from these sources, in place of the one before. Blocks on the disk.
    ///
    /// # Errors
    /// If the system refuses, or others could write to the folder; the set before is kept then.
    pub fn keep(&self, sources: &Sources, set: &PolicySet) -> Result<(), LastGoodError> {
        private_folder(&self.folder)?;
        private_folder(&self.modules())?;
        let outside: HashMap<&Path, &LoadedModule> =
            set.modules().iter().filter_map(|module| Some((module.file()?, module.as_ref()))).collect();
        for module in outside.values() {
            self.replace(&self.module(&name(module.bytes())), module.bytes())?;
        }
        let names: HashMap<&Path, String> =
            outside.into_iter().map(|(file, module)| (file, name(module.bytes()))).collect();
        let path = self.folder.join(SET);
        self.replace(&path, &sealed(&described(sources, &names)).map_err(|source| system("write", &path, source))?)?;
        self.forget_all_but(&names.into_values().collect());
        Ok(())
    }

    /// Puts the kept set in force, at once; none if none was ever kept. Blocks on the disk.
    ///
    /// # Errors
    /// If it is damaged, if others could have written it, or if it can't be put in force.
    pub fn load(&self, loader: &Loader) -> Result<Option<PolicySet>, LastGoodError> {
        let Some(sources) = self.sources()? else { return Ok(None) };
        let refused = |source| LastGoodError::Refused { folder: self.folder.clone(), source };
        loader.load_at_once(&sources).map(Some).map_err(refused)
    }

    /// What the kept set is made from.
    fn sources(&self) -> Result<Option<Sources>, LastGoodError> {
        let path = self.folder.join(SET);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|source| system("read", &path, source))?,
        };
        require_private(&self.folder)?;
        let description = unsealed(&text).map_err(|reason| self.damaged(&path, reason))?;
        for digest in &description.modules {
            self.check_module(digest)?;
        }
        let located = |kept: Kept| Located { resource: kept.resource, place: kept.place, folder: self.folder.clone() };
        let resources = description.resources.into_iter().map(located).collect();
        let Description { written_by, namespaces, objects, .. } = description;
        Ok(Some(Sources { resources, namespaces, objects, written_by, ..Sources::default() }))
    }

    fn check_module(&self, digest: &str) -> Result<(), LastGoodError> {
        let path = self.module(digest);
        match fs::read(&path) {
            Ok(bytes) if name(&bytes) == digest => Ok(()),
            Ok(bytes) => Err(self.damaged(&path, format!("its digest is {}", sha256(&bytes)))),
            Err(error) => Err(self.damaged(&path, error.to_string())),
        }
    }

    fn modules(&self) -> PathBuf {
        self.folder.join(MODULES)
    }

    fn module(&self, digest: &str) -> PathBuf {
        self.folder.join(module_file(digest))
    }

    /// Puts bytes at a place, whole and durable. What stands there already is left alone.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), LastGoodError> {
        if fs::read(path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.folder);
        // Made with mode 0600.
        let written = NamedTempFile::new_in(folder).and_then(|mut file| {
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            File::open(folder)?.sync_all()
        });
        written.map_err(|source| system("write", path, source))
    }

    /// Deletes modules that the set does not name. One that stays is in nobody's way.
    fn forget_all_but(&self, named: &BTreeSet<String>) {
        let named: BTreeSet<PathBuf> = named.iter().map(|digest| self.module(digest)).collect();
        for file in fs::read_dir(self.modules()).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if !named.contains(&file)
                && let Err(error) = fs::remove_file(&file)
            {
                tracing::debug!(file = %file.display(), %error, "a module that is no longer in force can't be deleted");
            }
        }
    }

    fn damaged(&self, path: &Path, reason: String) -> LastGoodError {
        LastGoodError::Damaged { path: path.to_owned(), folder: self.folder.clone(), reason }
    }
}

/// The sources in words, with modules named by their digests.
fn described(sources: &Sources, modules: &HashMap<&Path, String>) -> Description {
    let kept = |located: &Located| Kept { place: located.place.clone(), resource: renamed(located, modules) };
    Description {
        version: VERSION,
        resources: sources.resources.iter().map(kept).collect(),
        namespaces: sources.namespaces.clone(),
        objects: sources.objects.clone(),
        modules: modules.values().cloned().collect(),
        written_by: sources.written_by,
    }
}

/// The resource with the place of its module in our folder. A policy that is not in force keeps the place that it
/// names: nobody reads that.
fn renamed(located: &Located, modules: &HashMap<&Path, String>) -> Resource {
    let mut resource = located.resource.clone();
    if let Resource::ClusterPolicy(policy) = &mut resource
        && let ModuleSource::File { file, .. } = &mut policy.spec.module
        && let Some(digest) = modules.get(located.folder.join(&file).as_path())
    {
        *file = module_file(digest);
    }
    resource
}

fn sealed(description: &Description) -> io::Result<Vec<u8>> {
    let set = to_raw_value(description)?;
    Ok(serde_json::to_vec(&Sealed { sha256: name(set.get().as_bytes()), set: &set })?)
}

/// The description, if it is what was written; else why not.
fn unsealed(text: &str) -> Result<Description, String> {
    let Sealed { sha256, set } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if name(set.get().as_bytes()) != sha256 {
        return Err("its digest is another than it says".to_owned());
    }
    let version: Version = serde_json::from_str(set.get()).map_err(|error| error.to_string())?;
    if version.version != VERSION {
        return Err(format!("it has version {}, and this server reads version {VERSION}", version.version));
    }
    serde_json::from_str(set.get()).map_err(|error| error.to_string())
}

/// As much as every version has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn module_file(digest: &str) -> String {
    format!("{MODULES}/{digest}.wasm")
}

/// The digest of these bytes, fit for the name of a file.
fn name(bytes: &[u8]) -> String {
    sha256(bytes).replace(':', "-")
}

/// Makes a folder for this user alone, with those above it. One that is there has to be such.
fn private_folder(path: &Path) -> Result<(), LastGoodError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| system("create", path, source))?;
    require_private(path)
}

fn require_private(path: &Path) -> Result<(), LastGoodError> {
    let found = fs::metadata(path).map_err(|source| system("look at", path, source))?;
    let user = rustix::process::geteuid().as_raw();
    if found.uid() == user && found.mode() & OTHERS_WRITE == 0 {
        return Ok(());
    }
    Err(LastGoodError::Unsafe { path: path.to_owned(), owner: found.uid(), user, mode: found.mode() & 0o7777 })
}

fn system(doing: &'static str, path: &Path, source: io::Error) -> LastGoodError {
    LastGoodError::System { doing, path: path.to_owned(), source }
}
