//! Compiled components, kept from one start to the next: in a folder, or in this binary. An entry is found by all
//! that decides what it holds; one that is damaged, stale or not ours counts as missing.

mod embedded;
mod folder;
mod key;
mod seal;

pub use embedded::EmbeddedEntry;
pub(crate) use embedded::embed;
pub use folder::{CacheError, CacheFolder};
pub(crate) use key::EntryKey;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::LoadError;
use crate::load::{Built, Label, Loaded};
use crate::options::Cache;
use crate::runtime::Runtime;

/// Goes up when entries change their form.
const FORMAT: u32 = 1;

/// What stands before the machine code of an entry.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    key: EntryKey,
    label: Label,
}

impl Header {
    fn new(key: EntryKey, label: Label) -> Self {
        Self { format: FORMAT, key, label }
    }

    fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// The label, if this is an entry of today's form for this key.
    fn label_for(self, key: &EntryKey) -> Option<Label> {
        (self.format == FORMAT && self.key == *key).then_some(self.label)
    }
}

/// What looking for an entry came to.
enum Find {
    Found(Box<Loaded>),
    Missing,
    /// There is one, but it can't be used; the reason is for the log.
    Unusable(String),
}

/// Where an engine looks for compiled components.
pub(crate) struct Caches {
    folder: Option<CacheFolder>,
    embedded: &'static [EmbeddedEntry],
    /// Those that are not configured, the newest last: with or without a folder, a module is compiled once for all the
    /// settings that it will ever have.
    at_hand: Mutex<Vec<(EntryKey, Loaded)>>,
}

/// Components that are kept at hand. A set has one module as a rule, and seldom ten.
const AT_HAND: usize = 16;

impl Caches {
    pub(crate) fn new(cache: Cache, embedded: &'static [EmbeddedEntry]) -> Self {
        let folder = match cache {
            Cache::Folder(folder) => Some(folder),
            Cache::None => None,
        };
        Self { folder, embedded, at_hand: Mutex::default() }
    }

    /// The component of this content, from this process if it was had before, else as `find` or `make` has it.
    pub(crate) fn at_hand(
        &self,
        runtime: &Runtime,
        content: EntryKey,
        make: impl FnOnce() -> Result<Built, LoadError>,
    ) -> Result<Loaded, LoadError> {
        if let Some((_, loaded)) = self.kept_at_hand().iter().find(|(key, _)| *key == content) {
            return Ok(loaded.clone());
        }
        let loaded = match self.find(runtime, content) {
            Some(loaded) => loaded,
            None => self.keep_or_load(runtime, content, &make()?)?,
        };
        let mut kept = self.kept_at_hand();
        if kept.len() >= AT_HAND {
            kept.remove(0);
        }
        kept.push((content, loaded.clone()));
        Ok(loaded)
    }

    fn kept_at_hand(&self) -> MutexGuard<'_, Vec<(EntryKey, Loaded)>> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The component of this content, from the folder or else from the binary.
    pub(crate) fn find(&self, runtime: &Runtime, content: EntryKey) -> Option<Loaded> {
        let key = &content.on_this_machine(runtime);
        let in_folder = self.folder.as_ref().map_or(Find::Missing, |folder| folder.find(runtime, key));
        let unusable = match in_folder {
            Find::Found(loaded) => return hit(runtime, *loaded),
            Find::Missing => None,
            Find::Unusable(reason) => Some(reason),
        };
        match (embedded::find(self.embedded, runtime, &content), unusable) {
            (Some(loaded), _) => return hit(runtime, loaded),
            (None, Some(reason)) => {
                tracing::warn!(%key, reason, "a cached policy can't be used and is made again");
                runtime.counters.cache_rebuilt.add(1);
            }
            (None, None) => runtime.counters.cache_misses.add(1),
        }
        None
    }

    /// Puts the component into the folder and loads it from there, so that its pages are the file's. Without a
    /// folder, or with one that can't be written to, it is loaded from memory.
    pub(crate) fn keep_or_load(
        &self,
        runtime: &Runtime,
        content: EntryKey,
        built: &Built,
    ) -> Result<Loaded, LoadError> {
        self.keep(runtime, content, built).map_or_else(|| built.load(runtime), Ok)
    }

    fn keep(&self, runtime: &Runtime, content: EntryKey, built: &Built) -> Option<Loaded> {
        let key = &content.on_this_machine(runtime);
        let folder = self.folder.as_ref()?;
        if let Err(error) = folder.keep(key, built) {
            tracing::warn!(%key, %error, "a compiled policy can't be cached and will be made again at the next start");
            return None;
        }
        match folder.find(runtime, key) {
            Find::Found(loaded) => Some(*loaded),
            Find::Missing | Find::Unusable(_) => None,
        }
    }
}

fn hit(runtime: &Runtime, loaded: Loaded) -> Option<Loaded> {
    runtime.counters.cache_hits.add(1);
    Some(loaded)
}
