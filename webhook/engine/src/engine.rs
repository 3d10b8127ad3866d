//! The engine's face: what it is asked for. The steps of loading are in `load`, those of an evaluation in `program`.

use std::sync::Arc;
use std::time::Instant;

use portreeve_admission::case::Case;
use portreeve_admission::verdict::{Failure, Outcome};

use crate::cache::{self, Caches};
use crate::digest::ModuleDigest;
use crate::instance::{self, Instances};
use crate::load::{self, Draft, Loaded, Order};
use crate::module::Module;
use crate::program::Program;
use crate::runtime::Runtime;
use crate::{EngineError, Instance, LoadError, Manifest, Options, Stats, contract};

/// Loads policies and runs them. Programs outlive the engine that loaded them.
pub struct Engine {
    runtime: Arc<Runtime>,
    caches: Caches,
}

/// What a module is, without putting it in force.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Inspection {
    /// Digest of the module.
    pub digest: ModuleDigest,
    /// Its size.
    pub bytes: usize,
    /// The interfaces that it imports, such as `portreeve:policy/request@1.0.0`.
    pub imports: Vec<String>,
    /// Bytes of linear memory that an instance starts with; none if that can't be told.
    pub memory_bytes: Option<u64>,
    /// The policies that it carries.
    pub manifests: Vec<Manifest>,
    /// Why it can't be frozen and is configured for every evaluation; none if it can.
    pub not_frozen_because: Option<String>,
}

/// A module that is asked about instances which nobody puts in force.
pub struct Rehearsal {
    runtime: Arc<Runtime>,
    digest: ModuleDigest,
    loaded: Loaded,
}

/// Bytes of a page of WebAssembly memory.
const PAGE: u64 = 64 << 10;

impl Engine {
    /// Whether the kernel tells which pages an instance wrote (Linux since 6.7): a fresh instance costs less then,
    /// which is good to know of a measurement.
    #[must_use]
    pub fn knows_written_pages() -> bool {
        crate::machine::knows_written_pages()
    }

    /// An engine. It reserves address space for every evaluation at one time, but no memory.
    ///
    /// # Errors
    /// [`EngineError`] if the system does not give the address space or the thread that keeps time.
    pub fn new(options: Options) -> Result<Self, EngineError> {
        let Options { limits, suspension, cache, embedded, processor } = options;
        let runtime = Runtime::new(limits, suspension, &processor)?;
        Ok(Self { runtime: Arc::new(runtime), caches: Caches::new(cache, embedded) })
    }

    /// Reads what a module is: it is compiled, checked against the contract and asked to describe itself.
    ///
    /// # Errors
    /// [`LoadError`] if it is no component, does not keep to the contract, or fails to describe itself.
    pub fn inspect(&self, module: &[u8]) -> Result<Inspection, LoadError> {
        let module = Module::new(module, &self.runtime.limits)?;
        let draft = Draft::new(&self.runtime, &module)?;
        let needs = draft.component().resources_required();
        Ok(Inspection {
            digest: module.digest,
            bytes: module.bytes.len(),
            imports: contract::imports(draft.component()),
            memory_bytes: needs.map(|needs| needs.max_initial_memory_size.unwrap_or(0).saturating_mul(PAGE)),
            manifests: draft.describe()?,
            not_frozen_because: draft.refused().map(ToOwned::to_owned),
        })
    }

    /// Takes a module as it came, to be asked whether it would take some settings. The compiler runs only for one that
    /// was never seen before.
    ///
    /// # Errors
    /// As [`Engine::inspect`].
    pub fn rehearse(&self, module: &[u8]) -> Result<Rehearsal, LoadError> {
        let order = Order::new(&self.runtime, module, &[])?;
        let loaded = load::as_it_came(&self.runtime, &self.caches, &order)?;
        Ok(Rehearsal { runtime: Arc::clone(&self.runtime), digest: order.digest(), loaded })
    }

    /// Puts a module in force with these instances: checked, described, configured, frozen, compiled. A program that
    /// was loaded before with the same module and settings comes from the cache in milliseconds.
    ///
    /// # Errors
    /// [`LoadError`] names the step, and for settings the instance and the place.
    pub fn load(&self, module: &[u8], instances: &[Instance]) -> Result<Program, LoadError> {
        load::load(&self.runtime, &self.caches, Order::new(&self.runtime, module, instances)?)
    }

    /// Puts a module in force without waiting for the compiler, but for a module that was never seen: what no cache has
    /// frozen is configured for every evaluation until [`Engine::load`] has made the program that takes its place. Both
    /// answer alike.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn load_at_once(&self, module: &[u8], instances: &[Instance]) -> Result<Program, LoadError> {
        load::load_at_once(&self.runtime, &self.caches, Order::new(&self.runtime, module, instances)?)
    }

    /// The bytes of an [`EmbeddedEntry`](crate::EmbeddedEntry) for this module with these instances, to be embedded
    /// in a binary that runs on the engine's kind of [processor](Options::processor) with the same limits of memory.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub fn precompile(&self, module: &[u8], instances: &[Instance]) -> Result<Vec<u8>, LoadError> {
        let order = Order::new(&self.runtime, module, instances)?;
        let built = load::build(&self.runtime, &order)?;
        cache::embed(order.content, &built).map_err(|error| LoadError::Compile(error.into()))
    }

    /// The same for the module as it came, which [`Engine::load_at_once`] puts in force with whatever settings.
    ///
    /// # Errors
    /// As [`Engine::load`], but for the settings.
    pub fn precompile_as_it_came(&self, module: &[u8]) -> Result<Vec<u8>, LoadError> {
        let order = Order::new(&self.runtime, module, &[])?;
        let built = load::build_as_it_came(&self.runtime, &order)?;
        cache::embed(order.as_it_came(), &built).map_err(|error| LoadError::Compile(error.into()))
    }

    /// What this engine and its programs have done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.runtime.counters.read()
    }
}

impl Rehearsal {
    /// The policies that the module carries.
    #[must_use]
    pub fn manifests(&self) -> &[Manifest] {
        &self.loaded.label.manifests
    }

    /// Configures the module with this instance alone.
    ///
    /// # Errors
    /// [`LoadError::Settings`] if it refuses them, with the place.
    pub fn configure(&self, instance: &Instance) -> Result<(), LoadError> {
        self.program(instance)?.configure()
    }

    /// What this instance alone says of a case. Blocks until it is done or the deadline has passed.
    ///
    /// # Errors
    /// [`LoadError::Settings`] if the instance can't be.
    pub fn evaluate(&self, instance: &Instance, case: &Case, deadline: Instant) -> Result<Outcome, LoadError> {
        let outcomes = self.program(instance)?.evaluate(case, &[instance.id.as_str()], deadline);
        Ok(outcomes.into_iter().next().unwrap_or(Outcome::Failed(Failure::NoTurn)))
    }

    fn program(&self, instance: &Instance) -> Result<Program, LoadError> {
        let settings = instance::to_configure(&[instance])?;
        let instances = Instances::resolve(&[instance], self.manifests())?;
        Program::new(Arc::clone(&self.runtime), self.digest, self.loaded.clone(), instances, settings)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.runtime.limits).finish_non_exhaustive()
    }
}
