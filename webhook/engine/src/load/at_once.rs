//! A module in force before it is frozen. Compiled as it came it is the same for all settings, so that this is done
//! once for each module and kept like any other compiled component; with it a set of settings that nobody has seen
//! serves at once, configured in every fresh instance, until the frozen component is compiled.

use std::sync::Arc;
use std::time::Instant;

use super::{Built, Draft, Label, Loaded, Order, Placement, Start, compile_for_pool, load};
use crate::cache::{Caches, EntryKey};
use crate::digest::ModuleDigest;
use crate::instance::Instances;
use crate::program::Program;
use crate::runtime::Runtime;
use crate::{LoadError, Manifest};

/// Puts a module in force as it is in a cache, or else as it came. The compiler runs only for a module that was never
/// seen before, or for one that takes too long to be configured while requests wait.
pub(crate) fn load_at_once(runtime: &Arc<Runtime>, caches: &Caches, order: Order<'_>) -> Result<Program, LoadError> {
    if let Some(loaded) = caches.find(runtime, order.content) {
        return order.put_in_force(runtime, loaded);
    }
    let loaded = as_it_came(runtime, caches, &order)?;
    let program = order.put_in_force(runtime, loaded)?;
    let begun = Instant::now();
    // What it refuses now it would refuse at every request, and what takes its time now would take it from every one.
    program.configure()?;
    if begun.elapsed() > runtime.limits.configuring { load(runtime, caches, order) } else { Ok(program) }
}

/// The module compiled as it came, from a cache or made now.
pub(crate) fn as_it_came(runtime: &Runtime, caches: &Caches, order: &Order<'_>) -> Result<Loaded, LoadError> {
    caches.at_hand(runtime, order.as_it_came(), || build_as_it_came(runtime, order))
}

/// Compiles the module as it came for service.
pub(crate) fn build_as_it_came(runtime: &Runtime, order: &Order<'_>) -> Result<Built, LoadError> {
    let manifests: Vec<Manifest> = Draft::new(runtime, &order.module)?.describe()?;
    let label = Label { manifests, start: Start::Meanwhile, placement: Placement::Pooled };
    compile_for_pool(runtime, label, order.module.bytes)
}

impl Order<'_> {
    /// Digest of the module.
    pub(crate) fn digest(&self) -> ModuleDigest {
        self.module.digest
    }

    /// What the module as it came goes by.
    pub(crate) fn as_it_came(&self) -> EntryKey {
        EntryKey::as_it_came(self.module.digest)
    }

    /// The program of a component that is ready to be instantiated.
    pub(super) fn put_in_force(&self, runtime: &Arc<Runtime>, loaded: Loaded) -> Result<Program, LoadError> {
        let instances = Instances::resolve(&self.wanted, &loaded.label.manifests)?;
        Program::new(Arc::clone(runtime), self.module.digest, loaded, instances, self.settings.clone())
    }
}
