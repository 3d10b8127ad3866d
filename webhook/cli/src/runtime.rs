//! The runtime of commands that wait: for connections, registries, policies.

use std::time::Duration;

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

/// Does this to its end, and waits for what it left running on other threads, but no longer than for so long. Threads
/// that may wait, as those that read a book through or compile, can't be broken off: a runtime that just goes waits for
/// them.
pub(crate) fn run_to_its_end<T>(runtime: Runtime, patience: Duration, work: impl Future<Output = T>) -> T {
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(patience);
    outcome
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::task::spawn_blocking;

    use super::*;

    #[test]
    fn a_thread_that_is_stuck_holds_nobody_up() {
        let (free, stuck) = channel::<()>();
        let (tell, told) = channel();
        let ended = run_to_its_end(runtime().unwrap(), Duration::from_millis(1), async {
            drop(spawn_blocking(move || {
                tell.send("it runs").unwrap();
                stuck.recv()
            }));
            told.recv().unwrap()
        });
        assert_eq!(ended, "it runs");
        // Until now nobody has freed it.
        free.send(()).unwrap();
    }
}
