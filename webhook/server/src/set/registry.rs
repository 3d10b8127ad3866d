//! Policy modules out of registries, for a loader, which waits for them on a thread of its own. What is in force is not
//! asked for again, and a registry that gave no answer not at once. The asking itself is `supply`'s.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use portreeve_supply::registry::ListingError;
use portreeve_supply::{Modules, RegistriesConfig};
use tokio::runtime::Handle;
use tokio::time::Instant;

/// How long a loader waits for one module. What was in force stays so meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// How long a registry that gave no answer is left in peace.
const PAUSE: Duration = Duration::from_secs(5);

/// Modules by their references.
pub struct RegistryModules {
    modules: Modules,
    runtime: Handle,
    known: Mutex<HashMap<String, Known>>,
}

/// What is known of a module.
enum Known {
    /// It is there for as long as somebody has it in force.
    Component(Weak<[u8]>),
    /// It could not be had a while ago.
    Lacking(Instant, Lacking),
}

/// A module that can't be had.
#[derive(Debug, Clone)]
pub(super) struct Lacking {
    /// Why, in words.
    pub(super) reason: String,
    /// Whether it may be had later.
    pub(super) passing: bool,
}

impl RegistryModules {
    /// Out of these registries, kept below the folder for state, if there is one.
    ///
    /// # Errors
    /// When the configuration contradicts itself, or a file that it names can't be read.
    ///
    /// # Panics
    /// Outside a runtime of tokio.
    pub fn open(config: &RegistriesConfig, state: Option<&Path>) -> Result<Self, ListingError> {
        let modules = Modules::open(config, state.map(|folder| folder.join("registry-modules")))?;
        Ok(Self { modules, runtime: Handle::current(), known: Mutex::default() })
    }

    /// The component that is named. Blocks; not for threads that run tasks.
    ///
    /// # Errors
    /// Why it can't be had.
    pub(super) fn get(&self, named: &str) -> Result<Arc<[u8]>, Lacking> {
        let known = self.known().get(named).and_then(Known::still);
        if let Some(known) = known {
            return known;
        }
        let found = self.runtime.block_on(self.modules.get(named, Instant::now() + LONGEST));
        let found =
            found.map(Arc::from).map_err(|error| Lacking { reason: error.to_string(), passing: error.is_passing() });
        let mut known = self.known();
        known.retain(|_, known| known.still().is_some());
        known.insert(named.to_owned(), Known::of(&found));
        found
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn of(found: &Result<Arc<[u8]>, Lacking>) -> Self {
        match found {
            Ok(component) => Self::Component(Arc::downgrade(component)),
            Err(lacking) => Self::Lacking(Instant::now() + PAUSE, lacking.clone()),
        }
    }

    /// What is still true of it.
    fn still(&self) -> Option<Result<Arc<[u8]>, Lacking>> {
        match self {
            Self::Component(component) => component.upgrade().map(Ok),
            Self::Lacking(until, lacking) => (Instant::now() < *until).then(|| Err(lacking.clone())),
        }
    }
}
