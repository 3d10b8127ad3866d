//! From a module's bytes to a program that serves, step by step. `load` reads in the order of the steps; a cached
//! program skips those that run the guest and the compiler.

mod at_once;
mod draft;
mod snapshot;

use std::sync::Arc;

pub(crate) use at_once::{as_it_came, build_as_it_came, load_at_once};
pub(crate) use draft::{Draft, check_answers, stopped};

use draft::Configured;
use serde::{Deserialize, Serialize};
use snapshot::Refused;
use wasmtime::component::Component;

use crate::cache::{Caches, EntryKey};
use crate::instance::{self, Instance, Instances};
use crate::machine::Machine;
use crate::machine_code::Compiled;
use crate::module::Module;
use crate::program::Program;
use crate::runtime::Runtime;
use crate::{LoadError, Manifest, bindings};

/// How a fresh instance of a component comes by its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// It starts as it stood after `configure`.
    Frozen,
    /// It is configured again for every evaluation, which costs a hundred times as much.
    ConfiguredEachTime {
        /// Why it can't be frozen.
        reason: String,
    },
    /// It is configured again for every evaluation, until the component that starts configured is compiled.
    Meanwhile,
}

/// Which machine a component serves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Placement {
    Pooled,
    OnDemand,
}

impl Placement {
    pub(crate) fn machine(self, runtime: &Runtime) -> &Machine {
        match self {
            Self::Pooled => &runtime.pooled,
            Self::OnDemand => &runtime.on_demand,
        }
    }
}

/// What there is to know about compiled code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Label {
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) start: Start,
    pub(crate) placement: Placement,
}

/// A component compiled for service, as bytes.
pub(crate) struct Built {
    pub(crate) label: Label,
    pub(crate) code: Vec<u8>,
}

/// A component in this process, ready to be instantiated.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) label: Label,
    pub(crate) component: Component,
}

/// What is to be put in force, as far as it can be checked without a compiler.
pub(crate) struct Order<'a> {
    pub(crate) content: EntryKey,
    module: Module<'a>,
    wanted: Vec<&'a Instance>,
    settings: Vec<bindings::Instance>,
}

impl<'a> Order<'a> {
    pub(crate) fn new(runtime: &Runtime, module: &'a [u8], instances: &'a [Instance]) -> Result<Self, LoadError> {
        let module = Module::new(module, &runtime.limits)?;
        let wanted = instance::in_order(instances)?;
        let settings = instance::to_configure(&wanted)?;
        Ok(Self { content: EntryKey::of_content(module.digest, &settings), module, wanted, settings })
    }
}

/// Puts a module in force.
pub(crate) fn load(runtime: &Arc<Runtime>, caches: &Caches, order: Order<'_>) -> Result<Program, LoadError> {
    let loaded = match caches.find(runtime, order.content) {
        Some(loaded) => loaded,
        None => caches.keep_or_load(runtime, order.content, &build(runtime, &order)?)?,
    };
    order.put_in_force(runtime, loaded)
}

/// Sets the component up and compiles it for service.
pub(crate) fn build(runtime: &Runtime, order: &Order<'_>) -> Result<Built, LoadError> {
    let draft = Draft::new(runtime, &order.module)?;
    let manifests = draft.describe()?;
    Instances::resolve(&order.wanted, &manifests)?;
    match draft.configure(&order.settings)? {
        Configured::Frozen(frozen) => {
            let label = Label { manifests, start: Start::Frozen, placement: Placement::Pooled };
            compile_for_pool(runtime, label, &frozen)
        }
        Configured::Refused(Refused(reason)) => {
            let start = Start::ConfiguredEachTime { reason };
            compile(runtime, Label { manifests, start, placement: Placement::OnDemand }, order.module.bytes)
        }
    }
}

/// Compiles for the pool, or for the other machine if the pool has no room for such a component: more memories,
/// tables or core instances than it sets aside for one.
fn compile_for_pool(runtime: &Runtime, label: Label, component: &[u8]) -> Result<Built, LoadError> {
    let pooled = compile(runtime, label.clone(), component)?;
    match pooled.load(runtime) {
        Ok(_) => Ok(pooled),
        Err(reason) => {
            tracing::info!(%reason, "a component does not fit the pool and is allocated for each evaluation");
            compile(runtime, Label { placement: Placement::OnDemand, ..label }, component)
        }
    }
}

fn compile(runtime: &Runtime, label: Label, component: &[u8]) -> Result<Built, LoadError> {
    let engine = &label.placement.machine(runtime).engine;
    let code = runtime
        .compiling(|| engine.precompile_component(component))
        .map_err(|error| LoadError::Compile(error.into()))?;
    Ok(Built { label, code })
}

impl Built {
    /// The component, in this process.
    pub(crate) fn load(&self, runtime: &Runtime) -> Result<Loaded, LoadError> {
        let engine = &self.label.placement.machine(runtime).engine;
        let component =
            Compiled::just_now(&self.code).load(engine).map_err(|error| LoadError::Compile(error.into()))?;
        Ok(Loaded { label: self.label.clone(), component })
    }
}
