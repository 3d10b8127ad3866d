//! The runtime of commands that wait: for connections, registries, policies.

use tokio::runtime::{Builder, Runtime};

use crate::outcome::Failure;

#[derive(Debug, thiserror::Error)]
#[error("the threads of the runtime can't be started")]
struct NoThreads(#[source] std::io::Error);

/// The runtime.
///
/// # Errors
/// When the system gives no threads.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread().enable_all().build().map_err(|error| Failure::failed(NoThreads(error)))
}
