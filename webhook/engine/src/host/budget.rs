//! What an instance may use, counted: memory and tables as they grow, host calls as they are made.

use portreeve_admission::verdict::Limit;
use wasmtime::ResourceLimiter;

use super::Stop;
use crate::Limits;

/// Core instances of one component, beyond which it is refused: the largest toolchain output seen has 38.
const CORE_INSTANCES: usize = 64;

/// What is left to an instance.
pub(crate) struct Budget {
    memory_bytes: usize,
    table_elements: usize,
    host_calls: u32,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory_bytes: limits.memory_bytes, table_elements: limits.table_elements, host_calls: limits.host_calls }
    }

    /// Counts a call of a host function.
    pub(crate) fn host_call(&mut self) -> Result<(), Stop> {
        self.host_calls = self.host_calls.checked_sub(1).ok_or(Stop::Limit(Limit::HostCalls))?;
        Ok(())
    }
}

// An error stops the guest where it stands and says why. Answering false would let its allocator panic instead,
// and a panic looks like the policy's own fault.
impl ResourceLimiter for Budget {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        take(&mut self.memory_bytes, desired.saturating_sub(current), Limit::Memory)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        take(&mut self.table_elements, desired.saturating_sub(current), Limit::Table)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        CORE_INSTANCES
    }

    fn memories(&self) -> usize {
        CORE_INSTANCES
    }
}

fn take(left: &mut usize, wanted: usize, limit: Limit) -> wasmtime::Result<bool> {
    *left = left.checked_sub(wanted).ok_or(Stop::Limit(limit))?;
    Ok(true)
}
