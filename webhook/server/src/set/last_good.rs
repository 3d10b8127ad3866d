//! The last good set, kept in a folder of the server's own, apart from the policy files that it was made from: what it
//! says and the modules that it runs. A restart whose policy files are missing or wrong serves from here. When a set is
//! kept and when it is taken is decided in `serve`; compiled code is not here but in the engine's cache.
//!
//! `set.json` is written last, whole, and carries its own digest; `modules/` holds each module under its digest. So
//! what is found is a set that was in force once, or is refused as damaged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use portreeve_admission::api::{ModuleSource, Resource};
use serde::{Deserialize, Serialize};

use super::folder::{Located, Sources, WrittenBy};
use super::namespace::Namespace;
use super::objects::Objects;
use super::{LoadError, LoadedModule, Loader, PolicySet};
use crate::digest::sha256;
use crate::state::{StateError, StateFolder, digest_name};

const SET: &str = "set.json";
const MODULES: &str = "modules";
/// Of the shape of `set.json`.
const VERSION: u32 = 1;

/// Where the last good set is kept.
#[derive(Debug, Clone)]
pub struct LastGood {
    folder: StateFolder,
    modules: StateFolder,
}

/// A set that can't be kept, or can't be taken from where it was.
#[derive(Debug, thiserror::Error)]
pub enum LastGoodError {
    /// Its folder is no use.
    #[error(transparent)]
    State(StateError),
    /// It is not what was written.
    #[error("{damage}; delete {folder} and start with good policy files", folder = .folder.display())]
    Damaged {
        /// What of it, and how that is known.
        damage: StateError,
        /// The folder that it is in.
        folder: PathBuf,
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
        Self { folder: StateFolder::at(folder), modules: StateFolder::at(&folder.join(MODULES)) }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps a set that was made from these sources, in place of the one before. Blocks on the disk.
    ///
    /// # Errors
    /// If the system refuses, or others could write to the folder; the set before is kept then.
    pub fn keep(&self, sources: &Sources, set: &PolicySet) -> Result<(), LastGoodError> {
        let outside: HashMap<&Path, &LoadedModule> =
            set.modules().iter().filter_map(|module| Some((module.file()?, module.as_ref()))).collect();
        for module in outside.values() {
            self.modules
                .keep(&file_name(&digest_name(module.bytes())), module.bytes())
                .map_err(LastGoodError::State)?;
        }
        let names: HashMap<&Path, String> =
            outside.into_iter().map(|(file, module)| (file, digest_name(module.bytes()))).collect();
        self.folder.seal(SET, &described(sources, &names)).map_err(LastGoodError::State)?;
        self.forget_all_but(&names.into_values().collect());
        Ok(())
    }

    /// Puts the kept set in force, at once; none if none was ever kept. Blocks on the disk.
    ///
    /// # Errors
    /// If it is damaged, if others could have written it, or if it can't be put in force.
    pub fn load(&self, loader: &Loader) -> Result<Option<PolicySet>, LastGoodError> {
        let Some(sources) = self.sources()? else { return Ok(None) };
        let refused = |source| LastGoodError::Refused { folder: self.folder().to_owned(), source };
        loader.load_at_once(&sources).map(Some).map_err(refused)
    }

    /// What the kept set is made from.
    fn sources(&self) -> Result<Option<Sources>, LastGoodError> {
        let kept = self.folder.unseal(SET, VERSION).map_err(|error| self.no_use(error))?;
        let Some(description): Option<Description> = kept else { return Ok(None) };
        for digest in &description.modules {
            self.check_module(digest).map_err(|damage| self.no_use(damage))?;
        }
        let folder = self.folder().to_owned();
        let located = |kept: Kept| Located { resource: kept.resource, place: kept.place, folder: folder.clone() };
        let resources = description.resources.into_iter().map(located).collect();
        let Description { written_by, namespaces, objects, .. } = description;
        Ok(Some(Sources { resources, namespaces, objects, written_by, ..Sources::default() }))
    }

    fn check_module(&self, digest: &str) -> Result<(), StateError> {
        let path = self.modules.path().join(file_name(digest));
        let reason = match fs::read(&path) {
            Ok(bytes) if digest_name(&bytes) == digest => return Ok(()),
            Ok(bytes) => format!("its digest is {}", sha256(&bytes)),
            Err(error) => error.to_string(),
        };
        Err(StateError::Damaged { path, reason })
    }

    /// Deletes modules that the set does not name. One that stays is in nobody's way.
    fn forget_all_but(&self, named: &BTreeSet<String>) {
        let folder = self.modules.path();
        let named: BTreeSet<PathBuf> = named.iter().map(|digest| folder.join(file_name(digest))).collect();
        for file in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if !named.contains(&file)
                && let Err(error) = fs::remove_file(&file)
            {
                tracing::debug!(file = %file.display(), %error, "a module that is no longer in force can't be deleted");
            }
        }
    }

    fn no_use(&self, error: StateError) -> LastGoodError {
        match error {
            damage @ StateError::Damaged { .. } => LastGoodError::Damaged { damage, folder: self.folder().to_owned() },
            error => LastGoodError::State(error),
        }
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

/// Where a module of this digest stands, from the folder.
fn module_file(digest: &str) -> String {
    format!("{MODULES}/{}", file_name(digest))
}

fn file_name(digest: &str) -> String {
    format!("{digest}.wasm")
}
