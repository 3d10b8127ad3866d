//! The set in force: policies with their compiled modules, exceptions, namespaces and other objects. Made whole by
//! `set::load`, never changed but for how it runs, replaced whole. Requests that began under one set end under it. What
//! it was made from outlasts a restart in `set::last_good`.

mod amended;
mod conditions;
mod draft;
mod drafted;
mod examine;
mod folder;
mod last_good;
mod load;
mod namespace;
mod objects;
mod profile;
mod registry;
mod sample;
mod settings;
mod ungranted;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use portreeve_admission::api::{FailurePolicy, Resource};
use portreeve_admission::break_glass::BreakGlass;
use portreeve_admission::exception::Exception;
use portreeve_admission::matching::Index;
use portreeve_admission::policy::Policy;
use portreeve_engine::{Instance, Program, Start};
use tokio::sync::Semaphore;

pub(crate) use conditions::{Conditions, Subject};
pub use examine::{Examined, Outline};
pub(crate) use folder::of_kind;
pub use folder::{Located, Rules, Sources, WrittenBy, read_folder};
pub use last_good::{LastGood, LastGoodError};
pub use load::{LoadError, Loader, Problem, chain};
pub use namespace::{KnownFrom, Namespace};
pub use objects::{Listed, Objects, Reach};
pub use profile::{COMPILED, platform};
pub use registry::RegistryModules;

/// A policy as a review meets it: its place in the set, and what it is there ([`Policy::standing`]).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    pub(crate) place: usize,
    pub(crate) standing: usize,
}

/// A set of policies, ready to judge.
pub struct PolicySet {
    policies: Vec<Policy>,
    /// Of each policy, in their order, what it is in each stage of its rollout and elsewhere.
    standings: Vec<Vec<Policy>>,
    /// By the policy's id; of policies that have some.
    conditions: HashMap<String, Conditions>,
    index: Index,
    modules: Vec<Arc<LoadedModule>>,
    exceptions: Vec<Exception>,
    namespaces: HashMap<String, Namespace>,
    default_namespace: Namespace,
    objects: Objects,
    digest: String,
    content: Vec<Vec<u8>>,
    failure_policy: FailurePolicy,
    left_out: Vec<Problem>,
    break_glass: Option<BreakGlass>,
    /// What it was made from, by kind and name.
    written: BTreeMap<String, Located>,
    written_by: WrittenBy,
}

/// A module with the policies in force that it carries.
pub struct LoadedModule {
    /// Replaced once, by one that answers alike and faster, where it was in force before it was compiled.
    program: ArcSwap<Program>,
    /// What it is configured with.
    instances: Vec<Instance>,
    bytes: Arc<[u8]>,
    digest: String,
    file: Option<PathBuf>,
    /// A module from outside has its own share of concurrency; the catalogue has all of it.
    turns: Option<Arc<Semaphore>>,
}

impl PolicySet {
    /// Policies in force, in the order of their names.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The policy at a place among them, as it stands for a review.
    pub(crate) fn policy(&self, Seat { place, standing }: Seat) -> Option<&Policy> {
        self.standings.get(place)?.get(standing)
    }

    /// What has to hold for a policy to see a review that its selectors let through.
    pub(crate) fn conditions(&self, policy: &str) -> Option<&Conditions> {
        self.conditions.get(policy)
    }

    /// Which of them see which review.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Their modules.
    #[must_use]
    pub fn modules(&self) -> &[Arc<LoadedModule>] {
        &self.modules
    }

    /// Exceptions, expired ones too: those no longer count.
    #[must_use]
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// What the policy files say of a namespace.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Namespace {
        self.namespaces.get(name).cloned().unwrap_or_else(|| self.default_namespace.named(name))
    }

    /// The objects that facts are made of.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// `sha256:…` of the set's description, by which records name it.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What becomes of a request that nobody answers.
    #[must_use]
    pub fn failure_policy(&self) -> FailurePolicy {
        self.failure_policy
    }

    /// Whether denials are dropped for a time.
    #[must_use]
    pub fn break_glass(&self) -> Option<&BreakGlass> {
        self.break_glass.as_ref()
    }

    /// What is not in force and keeps nothing else from it: what namespaces wrote that is wrong, and a switch that
    /// nobody may set.
    #[must_use]
    pub fn left_out(&self) -> &[Problem] {
        &self.left_out
    }

    /// How many resources that is about.
    #[must_use]
    pub fn resources_left_out(&self) -> usize {
        self.left_out.iter().map(|problem| &problem.place).collect::<BTreeSet<_>>().len()
    }

    /// A resource as it was written when the set was made from it, by kind and name as in `Policy/shop/labels`.
    #[must_use]
    pub fn written(&self, reference: &str) -> Option<&Resource> {
        self.written.get(reference).map(|located| &located.resource)
    }

    /// Whether every policy starts as it was configured. Until then requests are answered alike, and configure anew.
    #[must_use]
    pub fn is_compiled(&self) -> bool {
        self.modules.iter().all(|module| module.is_compiled())
    }

    /// Compiles what was put in force at once, and lets it take its own place. Blocks. It stays the same set.
    ///
    /// # Errors
    /// What `compile` said, of the first module that it can't compile; the set serves as before.
    pub fn compile<Failed>(
        &self,
        compile: impl Fn(&[u8], &[Instance]) -> Result<Program, Failed>,
    ) -> Result<(), Failed> {
        for module in self.modules.iter().filter(|module| !module.is_compiled()) {
            let program = compile(&module.bytes, &module.instances)?;
            module.program.store(Arc::new(load::in_force(program, module.turns.is_none())));
        }
        Ok(())
    }

    /// All that a record of this set may name: modules, settings, the description.
    pub fn content(&self) -> impl Iterator<Item = &[u8]> {
        self.modules.iter().map(|module| module.bytes()).chain(self.content.iter().map(Vec::as_slice))
    }
}

impl LoadedModule {
    /// Whether this policy is one of the module's.
    #[must_use]
    pub fn carries(&self, id: &str) -> bool {
        self.instances.iter().any(|own| own.id == id)
    }

    /// What it was configured with: which of its policies each of ours is, and its settings.
    #[must_use]
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The module as it runs now.
    #[must_use]
    pub fn program(&self) -> Arc<Program> {
        self.program.load_full()
    }

    fn is_compiled(&self) -> bool {
        *self.program.load().start() != Start::Meanwhile
    }

    /// The component as it was read.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the component, as `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest.clone()
    }

    /// The file that it was read from; none for the catalogue.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// How many of its runs may go on at once; none if as many as there are turns at all.
    #[must_use]
    pub fn turns(&self) -> Option<&Arc<Semaphore>> {
        self.turns.as_ref()
    }
}
