//! Why a run ended without an answer. The one place where wasmtime's errors are told apart, by their types.

use portreeve_admission::verdict::{Failure, Limit};
use wasmtime::Trap;

/// The host stopped the guest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the deadline passed")]
    Deadline,
    #[error("it went over the limit of {0}")]
    Limit(Limit),
    #[error("{0}")]
    Contract(String),
}

/// What the error of a guest's call says about the guest.
pub(crate) fn failure(error: &wasmtime::Error) -> Failure {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Deadline => Failure::Deadline,
            Stop::Limit(limit) => Failure::Limit(*limit),
            Stop::Contract(breach) => Failure::Contract(breach.clone()),
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Failure::Deadline,
        Some(Trap::StackOverflow) => Failure::Limit(Limit::Stack),
        Some(trap) => Failure::Trap(trap.to_string().replace("wasm trap: ", "")),
        // What is left are values that can't be lifted out of the guest: text that is not UTF-8, lists and strings
        // beyond its memory, unknown cases, more bytes than a call may carry.
        None => Failure::Contract(format!("it passed something that can't be read: {error:#}")),
    }
}
