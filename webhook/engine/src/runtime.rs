//! What an engine and its programs share, and keep alive for as long as one of them is there.

use std::time::{Duration, Instant};

use crate::clock::Ticker;
use crate::machine::Machine;
use crate::slots::Slots;
use crate::stats::Counters;
use crate::{EngineError, Limits, Processor, Suspension};

pub(crate) struct Runtime {
    pub(crate) pooled: Machine,
    pub(crate) on_demand: Machine,
    pub(crate) limits: Limits,
    pub(crate) suspension: Suspension,
    pub(crate) slots: Slots,
    pub(crate) counters: Counters,
    ticker: Ticker,
}

impl Runtime {
    pub(crate) fn new(limits: Limits, suspension: Suspension, processor: &Processor) -> Result<Self, EngineError> {
        let ticker = Ticker::start().map_err(EngineError::Ticker)?;
        let pooled = Machine::pooled(&limits, processor).map_err(|error| EngineError::Runtime(error.into()))?;
        let on_demand = Machine::on_demand(&limits, processor).map_err(|error| EngineError::Runtime(error.into()))?;
        ticker.watch(&pooled.engine);
        ticker.watch(&on_demand.engine);
        let slots = Slots::new(limits.evaluations);
        Ok(Self { pooled, on_demand, limits, suspension, slots, counters: Counters::default(), ticker })
    }

    /// A machine to set a component up on.
    pub(crate) fn throw_away(&self) -> wasmtime::Result<Machine> {
        let machine = Machine::throw_away(&self.limits)?;
        self.ticker.watch(&machine.engine);
        Ok(machine)
    }

    /// When a step of loading that begins now has to be over.
    pub(crate) fn setup_deadline(&self) -> Instant {
        Instant::now() + self.limits.setup
    }

    /// Does a piece of compiling and counts its time.
    pub(crate) fn compiling<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.counters.compiling_micros.add(micros(begun.elapsed()));
        done
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
