//! Policy modules out of registries, for a loader, which waits for them on a thread of its own. Each is pulled by a
//! task, once however many wait for it, and goes on being pulled when nobody waits any more. What is in force is not
//! asked for again, and a registry that gave no answer not at once. The asking itself is `supply`'s.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use portreeve_supply::registry::ListingError;
use portreeve_supply::{Modules, RegistriesConfig};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

/// How long after its beginning somebody who has a set waits for a module that is being pulled.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a registry that gave no answer is left in peace.
const PAUSE: Duration = Duration::from_secs(5);

/// How long a module is held for whoever had no patience. He asks again within seconds.
const HELD: Duration = Duration::from_secs(60);

/// Modules by their references.
pub struct RegistryModules {
    modules: Arc<Modules>,
    runtime: Handle,
    known: Arc<Mutex<HashMap<String, Known>>>,
    /// None: as long as a module may take.
    patience: Option<Duration>,
}

/// What is known of a module.
enum Known {
    /// It is there for as long as somebody has it in force.
    Component(Weak<[u8]>),
    /// It is being pulled.
    UnderWay(UnderWay),
    /// It could not be had a while ago.
    Lacking(Instant, Lacking),
}

/// A module, or why it can't be had.
type Found = Result<Arc<[u8]>, Lacking>;

/// A module that can't be had.
#[derive(Debug, Clone)]
pub(super) struct Lacking {
    /// Why, in words.
    pub(super) reason: String,
    /// Whether it may be had later.
    pub(super) passing: bool,
}

/// A module that is being pulled.
#[derive(Clone)]
struct UnderWay {
    since: Instant,
    told: watch::Receiver<Option<Found>>,
}

/// What is still true of a module.
enum Still {
    Known(Found),
    UnderWay(UnderWay),
}

impl RegistryModules {
    /// Out of these registries, kept below the folder for state, if there is one. Each is waited for as long as it may
    /// take.
    ///
    /// # Errors
    /// When the configuration contradicts itself, or a file that it names can't be read.
    ///
    /// # Panics
    /// Outside a runtime of tokio.
    pub fn open(config: &RegistriesConfig, state: Option<&Path>) -> Result<Self, ListingError> {
        let modules = Modules::open(config, state.map(|folder| folder.join("registry-modules")))?;
        Ok(Self { modules: Arc::new(modules), runtime: Handle::current(), known: Arc::default(), patience: None })
    }

    /// The same for a server, whose set in force stays meanwhile, and whose callers wait: a module that is not there
    /// after some seconds can't be had for now, and is asked for again.
    #[must_use]
    pub fn for_a_server(self) -> Self {
        Self { patience: Some(PATIENCE), ..self }
    }

    /// The component that is named. Blocks; not for threads that run tasks.
    ///
    /// # Errors
    /// Why it can't be had.
    pub(super) fn get(&self, named: &str) -> Found {
        let under_way = match self.look_up(named) {
            Still::Known(found) => return found,
            Still::UnderWay(under_way) => under_way,
        };
        let Some(patience) = self.patience else { return self.runtime.block_on(under_way.found()) };
        let until = under_way.since + patience;
        self.runtime.block_on(async { timeout_at(until, under_way.found()).await }).unwrap_or_else(|_| {
            let reason = format!("module {named} is still being pulled; it is taken up when it is there");
            Err(Lacking { reason, passing: true })
        })
    }

    /// Begins to pull a module that is not there, so that several come at one time. Waits for nothing.
    pub(super) fn begin(&self, named: &str) {
        drop(self.look_up(named));
    }

    /// Waits until none is being pulled any more, and returns those that came meanwhile: they are there for as long as
    /// somebody holds them. Blocks.
    pub(super) fn await_all(&self) -> Vec<Arc<[u8]>> {
        let under_way: Vec<UnderWay> = self.known().values().filter_map(Known::under_way).collect();
        under_way.into_iter().filter_map(|one| self.runtime.block_on(one.found()).ok()).collect()
    }

    /// What is known, or the pull that begins now.
    fn look_up(&self, named: &str) -> Still {
        let mut known = self.known();
        known.retain(|_, known| known.still().is_some());
        if let Some(still) = known.get(named).and_then(Known::still) {
            return still;
        }
        let under_way = self.pull(named.to_owned());
        known.insert(named.to_owned(), Known::UnderWay(under_way.clone()));
        Still::UnderWay(under_way)
    }

    /// Pulls it in a task of its own.
    fn pull(&self, named: String) -> UnderWay {
        let (tell, told) = watch::channel(None);
        let (modules, known) = (Arc::clone(&self.modules), Arc::clone(&self.known));
        self.runtime.spawn(async move {
            let found = modules.get(&named).await.map(Arc::from);
            let found = found.map_err(|error| Lacking { reason: error.to_string(), passing: error.is_passing() });
            locked(&known).insert(named, Known::of(&found));
            // Nobody may be waiting any more.
            let _ = tell.send(Some(found.clone()));
            sleep(HELD).await;
            drop(found);
        });
        UnderWay { since: Instant::now(), told }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        locked(&self.known)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl UnderWay {
    /// What comes of it.
    async fn found(mut self) -> Found {
        let found = self.told.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        found.unwrap_or_else(|| Err(Lacking { reason: "the pull of a module was cut short".to_owned(), passing: true }))
    }
}

impl Known {
    fn of(found: &Found) -> Self {
        match found {
            Ok(component) => Self::Component(Arc::downgrade(component)),
            Err(lacking) => Self::Lacking(Instant::now() + PAUSE, lacking.clone()),
        }
    }

    /// What is still true of it. A pull that was cut short told nobody.
    fn still(&self) -> Option<Still> {
        match self {
            Self::Component(component) => component.upgrade().map(Ok).map(Still::Known),
            Self::UnderWay(under_way) => {
                under_way.told.has_changed().is_ok().then(|| Still::UnderWay(under_way.clone()))
            }
            Self::Lacking(until, lacking) => (Instant::now() < *until).then(|| Still::Known(Err(lacking.clone()))),
        }
    }

    fn under_way(&self) -> Option<UnderWay> {
        match self {
            Self::UnderWay(under_way) => Some(under_way.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use portreeve_supply::loopback::{Fault, LoopbackRegistry};
    use tokio::task::spawn_blocking;

    use super::*;

    const COMPONENT: &[u8] = b"a component, as far as a registry cares";

    /// Modules out of a registry whose answers take this long, and the name of one; whoever waits has patience for the
    /// manifest, and not for its layer too.
    async fn slow(answer: Duration) -> (LoopbackRegistry, Arc<RegistryModules>, String) {
        let registry = LoopbackRegistry::start([]).await.unwrap();
        let digest = registry.module("policies/labels", "v1", COMPONENT.to_vec());
        registry.fault([Fault::Slow(answer)]);
        let config = RegistriesConfig { registries: vec![registry.listed()], ..RegistriesConfig::default() };
        let modules = RegistryModules::open(&config, None).unwrap();
        let modules = RegistryModules { patience: Some(answer), ..modules };
        let named = format!("{}/policies/labels@{digest}", registry.host());
        (registry, Arc::new(modules), named)
    }

    #[tokio::test]
    async fn a_module_that_nobody_waits_for_any_more_is_pulled_once_and_there_for_who_asks_again() {
        let answer = Duration::from_secs(2);
        let (registry, modules, named) = slow(answer).await;
        let looks = move || {
            let lacking = modules.get(&named).unwrap_err();
            assert!(lacking.passing && lacking.reason.contains("still being pulled"), "{}", lacking.reason);
            // Of its patience nothing is left: each caller would wait again.
            let begun = Instant::now();
            assert!(modules.get(&named).is_err());
            assert!(begun.elapsed() < answer, "{:?}", begun.elapsed());
            assert_eq!(modules.await_all().len(), 1);
            assert_eq!(&*modules.get(&named).unwrap(), COMPONENT);
            assert!(modules.await_all().is_empty());
        };
        spawn_blocking(looks).await.unwrap();
        // The manifest and its layer.
        assert_eq!(registry.asked().iter().filter(|asked| asked.path.starts_with("/v2/policies")).count(), 2);
    }

    #[tokio::test]
    async fn whoever_has_no_set_to_go_on_with_waits_for_as_long_as_a_module_may_take() {
        let (_registry, modules, named) = slow(Duration::from_millis(100)).await;
        let modules = RegistryModules { patience: None, ..Arc::into_inner(modules).unwrap() };
        let found = spawn_blocking(move || modules.get(&named)).await.unwrap();
        assert_eq!(&*found.unwrap(), COMPONENT);
    }

    #[tokio::test]
    async fn what_was_waited_for_is_there_for_as_long_as_whoever_waited_holds_it() {
        let (_registry, modules, named) = slow(Duration::from_millis(100)).await;
        modules.begin(&named);
        let waiting = Arc::clone(&modules);
        let held = spawn_blocking(move || waiting.await_all()).await.unwrap();
        tokio::time::pause();
        // The first moment past it lets the task of the pull end.
        tokio::time::sleep(HELD * 2).await;
        assert!(matches!(modules.look_up(&named), Still::Known(Ok(found)) if *found == *COMPONENT));
        drop(held);
        assert!(matches!(modules.look_up(&named), Still::UnderWay(_)));
    }
}
