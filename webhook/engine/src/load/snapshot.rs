//! Freezing a configured component: wasmtime-wizer gives it functions that show its memories and globals, it is
//! configured, and what they show is written into a new component that starts from there.
//!
//! wasmtime-wizer is written for trusted input and panics on what it does not expect. Here that is one more way of
//! refusing: a component that can't be frozen is configured in every fresh instance instead.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, WasmList};
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

use crate::host::Host;

/// Why a component can't be frozen.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) String);

/// A component made ready to show its state.
pub(crate) struct Instrumented<'a> {
    context: ComponentContext<'a>,
    /// The component to compile and configure.
    pub(crate) component: Vec<u8>,
}

impl<'a> Instrumented<'a> {
    pub(crate) fn new(component: &'a [u8]) -> Result<Self, Refused> {
        let (context, component) = contained(|| wizer().instrument_component(component))?;
        Ok(Self { context, component })
    }

    /// The component as it stands in `instance` now.
    pub(crate) fn freeze(&self, store: &mut Store<Host>, instance: Instance) -> Result<Vec<u8>, Refused> {
        // Whole memories are carried out here, by functions that are not the guest's.
        store.set_hostcall_fuel(usize::MAX);
        let mut shown = Shown { store, instance, failed: None };
        let frozen = contained(|| at_once(wizer().snapshot_component(&self.context, &mut shown)))?;
        match shown.failed {
            Some(error) => Err(Refused(format!("its state can't be read: {error}"))),
            None => Ok(frozen),
        }
    }
}

fn wizer() -> Wizer {
    let mut wizer = Wizer::new();
    // Nothing is called by wasmtime-wizer itself, and the frozen component exports what it exported.
    wizer.keep_init_func(true);
    wizer
}

fn contained<T>(work: impl FnOnce() -> wasmtime::Result<T>) -> Result<T, Refused> {
    // What a panic leaves half done is dropped with the store.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| Refused(format!("{error:#}"))),
        Err(_) => Err(Refused("wasmtime-wizer does not know what to make of it".into())),
    }
}

/// The result of a future that never waits, as those here.
fn at_once<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(wasmtime::Error::msg("the snapshot waits for something")),
    }
}

/// The state of an instance. The trait that reads it has no room for errors: the first one is kept.
struct Shown<'a> {
    store: &'a mut Store<Host>,
    instance: Instance,
    failed: Option<wasmtime::Error>,
}

impl Shown<'_> {
    fn value<R: Lift + Default + Send + Sync + 'static>(&mut self, interface: &str, function: &str) -> R
    where
        (R,): ComponentNamedList,
    {
        match self.call::<R>(interface, function) {
            Ok(value) => value,
            Err(error) => {
                self.failed.get_or_insert(error);
                R::default()
            }
        }
    }

    fn call<R: Lift + Send + Sync + 'static>(&mut self, interface: &str, function: &str) -> wasmtime::Result<R>
    where
        (R,): ComponentNamedList,
    {
        let missing = || wasmtime::Error::msg(format!("{interface}#{function} is missing"));
        let store = &mut *self.store;
        let (_, interface) = self.instance.get_export(&mut *store, None, interface).ok_or_else(missing)?;
        let (_, function) = self.instance.get_export(&mut *store, Some(&interface), function).ok_or_else(missing)?;
        let function = self.instance.get_typed_func::<(), (R,)>(&mut *store, function)?;
        Ok(function.call(store, ())?.0)
    }
}

impl ComponentInstanceState for Shown<'_> {
    async fn call_func_ret_list_u8(&mut self, interface: &str, function: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.call::<WasmList<u8>>(interface, function) {
            Ok(bytes) => contents(bytes.as_le_slice(&*self.store)),
            Err(error) => {
                self.failed.get_or_insert(error);
                contents(&[]);
            }
        }
    }

    async fn call_func_ret_s32(&mut self, interface: &str, function: &str) -> i32 {
        self.value(interface, function)
    }

    async fn call_func_ret_s64(&mut self, interface: &str, function: &str) -> i64 {
        self.value(interface, function)
    }

    async fn call_func_ret_f32(&mut self, interface: &str, function: &str) -> u32 {
        self.value::<f32>(interface, function).to_bits()
    }

    async fn call_func_ret_f64(&mut self, interface: &str, function: &str) -> u64 {
        self.value::<f64>(interface, function).to_bits()
    }
}
