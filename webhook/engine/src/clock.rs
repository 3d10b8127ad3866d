//! Time for guests: a thread that ticks every engine's epoch, and the deadline that a store checks at each tick.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wasmtime::{EngineWeak, Store, UpdateDeadline};

use crate::host::Stop;

/// How late a guest may notice its deadline. Deadlines are seconds, and the thread ticks when nothing runs too: on a
/// virtual machine a thousand ticks a second were seen to cost four percent of a core, and a hundred one percent.
const TICK: Duration = Duration::from_millis(10);

/// Makes the guest in `store` stop when `deadline` has passed. Ticks come late on a busy machine, so that they are
/// no measure of time: each of them only has the guest look at the clock.
pub(crate) fn arm<T: 'static>(store: &mut Store<T>, deadline: Instant) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if Instant::now() < deadline { Ok(UpdateDeadline::Continue(1)) } else { Err(Stop::Deadline.into()) }
    });
}

/// The thread that ticks. It ends when this is dropped.
pub(crate) struct Ticker {
    engines: Arc<Mutex<Vec<EngineWeak>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start() -> io::Result<Self> {
        let engines = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("portreeve-ticker".into()).spawn({
            let (engines, stopping) = (Arc::clone(&engines), Arc::clone(&stopping));
            move || {
                while !stopping.load(Ordering::Relaxed) {
                    thread::park_timeout(TICK);
                    tick(&mut engines.lock().unwrap_or_else(PoisonError::into_inner));
                }
            }
        })?;
        Ok(Self { engines, stopping, thread: Some(thread) })
    }

    /// Ticks this engine too, for as long as it is there.
    pub(crate) fn watch(&self, engine: &wasmtime::Engine) {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It can't have panicked with anything that matters now.
            drop(thread.join());
        }
    }
}

fn tick(engines: &mut Vec<EngineWeak>) {
    engines.retain(|engine| engine.upgrade().map(|engine| engine.increment_epoch()).is_some());
}
