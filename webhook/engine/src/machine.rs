//! wasmtime, set up: one engine that runs from a pool, one that allocates on demand, and throw-away ones for setting
//! components up. All compute alike, so that what one of them configured another can run.

use std::time::Instant;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm, Store,
};

use crate::bindings::Policy;
use crate::clock;
use crate::host::{Host, Journal};
use crate::{Limits, Processor};

/// Of one component: wit-component makes two small ones around a policy's own.
const CORE_INSTANCES: u32 = 8;
/// Of one component in the pool. Each memory is 4 GiB of address space.
const MEMORIES: u32 = 1;
const TABLES: u32 = 4;
/// Bytes of a memory that stay in place between two instances, when the kernel can tell which pages were written.
const KEEP_RESIDENT: usize = 512 << 10;
/// Bytes of a table that stay in place: those of usual guests are small, and to give their pages back interrupts every
/// processor that the server runs on.
const KEEP_RESIDENT_TABLE: usize = 64 << 10;
/// Memories that are given back in one go, when it can't.
const DECOMMIT_BATCH: usize = 16;
/// Bytes that may be carried out of a guest in one call, for each byte that an answer may have: lists are larger
/// outside than inside. An answer between the two is over the limit of output; beyond, it can't even be read.
const CARRIED_PER_ANSWER_BYTE: usize = 4;

/// An engine and the contract's functions linked for it.
pub(crate) struct Machine {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: Linker<Host>,
}

impl Machine {
    /// Runs from a pool: for components that start from a snapshot.
    pub(crate) fn pooled(limits: &Limits, processor: &Processor) -> wasmtime::Result<Self> {
        let mut config = serving(limits, processor)?;
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
        Self::new(&config)
    }

    /// Allocates for each instance: for components that don't fit the pool.
    pub(crate) fn on_demand(limits: &Limits, processor: &Processor) -> wasmtime::Result<Self> {
        let mut config = serving(limits, processor)?;
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Self::new(&config)
    }

    /// Compiles fast and runs slowly: for setting a component up, once.
    pub(crate) fn throw_away(limits: &Limits) -> wasmtime::Result<Self> {
        let mut config = alike(limits);
        config.cranelift_opt_level(OptLevel::None);
        config.cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Self::new(&config)
    }

    fn new(config: &Config) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(config)?;
        let mut linker = Linker::new(&engine);
        Policy::add_to_linker::<_, HasSelf<Host>>(&mut linker, |host| host)?;
        Ok(Self { engine, linker })
    }

    /// A store for one instance, with every limit in place.
    pub(crate) fn store(
        engine: &wasmtime::Engine,
        limits: &Limits,
        journal: Journal,
        deadline: Instant,
    ) -> Store<Host> {
        let mut store = Store::new(engine, Host::new(limits, journal));
        store.limiter(|host| &mut host.budget);
        store.set_hostcall_fuel(limits.answer_bytes.saturating_mul(CARRIED_PER_ANSWER_BYTE));
        clock::arm(&mut store, deadline);
        store
    }
}

fn serving(limits: &Limits, processor: &Processor) -> wasmtime::Result<Config> {
    let mut config = alike(limits);
    config.cranelift_opt_level(OptLevel::Speed);
    if let Processor::Any { triple } = processor {
        // A named target has none of the features that a processor may or may not have.
        config.target(triple)?;
    }
    Ok(config)
}

/// What decides how guests compute and what they can do.
fn alike(limits: &Limits) -> Config {
    let mut config = Config::new();
    // 0/0 has many bit patterns, and relaxed SIMD many answers: either would tell machines apart.
    config.cranelift_nan_canonicalization(true);
    config.wasm_relaxed_simd(false);
    // Calls are plain calls: no fibres, no tasks.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(limits.stack_bytes);
    // A backtrace costs more than the trap that it belongs to.
    config.wasm_backtrace_max_frames(None);
    config.memory_init_cow(true);
    config
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let instances = limits.evaluations;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances);
    pool.total_core_instances(instances.saturating_mul(CORE_INSTANCES));
    pool.max_core_instances_per_component(CORE_INSTANCES);
    pool.total_memories(instances.saturating_mul(MEMORIES));
    pool.max_memories_per_component(MEMORIES);
    pool.max_memory_size(limits.memory_bytes);
    pool.total_tables(instances.saturating_mul(TABLES));
    pool.max_tables_per_component(TABLES);
    pool.table_elements(limits.table_elements);
    keep_what_was_not_written(&mut pool);
    pool
}

/// Whether the kernel tells which pages were written: it costs less then to put memory back as it was.
pub(crate) fn knows_written_pages() -> bool {
    PoolingAllocationConfig::is_pagemap_scan_available()
}

/// Between two instances the pool puts memory back as it was. Since Linux 6.7 the kernel tells which pages were
/// written and only those are touched; without that, keeping pages means copying them blindly, and giving them back
/// costs less.
fn keep_what_was_not_written(pool: &mut PoolingAllocationConfig) {
    if knows_written_pages() {
        pool.pagemap_scan(Enabled::Yes);
        pool.linear_memory_keep_resident(KEEP_RESIDENT);
        pool.table_keep_resident(KEEP_RESIDENT_TABLE);
    } else {
        pool.linear_memory_keep_resident(0);
        pool.decommit_batch_size(DECOMMIT_BATCH);
    }
}
