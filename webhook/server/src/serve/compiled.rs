//! The compiler behind the set in force. A changed set serves at once, its policies configured anew for every request;
//! here it is compiled meanwhile, so that they start as they were configured, and takes its own place. Nothing else
//! about it changes: neither its digest nor what it answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::assemble::Parts;
use crate::health::{Health, Part, State};
use crate::set::{PolicySet, chain};

/// After a failure, this long until the next attempt: what failed is the machine's state as a rule, such as a full
/// disk.
const RETRY: Duration = Duration::from_secs(60);

/// Compiles each set that comes in force, the newest first, for as long as the server runs.
pub(super) async fn follow(parts: Arc<Parts>) {
    let mut sets = parts.sets.subscribe();
    loop {
        let set = Arc::clone(&sets.borrow_and_update());
        let compiling = Arc::clone(&parts);
        let compiled =
            spawn_blocking(move || settle(&set, &compiling.health, |set| compiling.loader.compile(set))).await;
        let again = compiled.unwrap_or_else(|error| {
            tracing::error!(%error, "the compiler was cut short; it is tried again in a minute");
            Next::TryAgain
        });
        tokio::select! {
            changed = sets.changed() => if changed.is_err() { return },
            () = sleep(RETRY), if again == Next::TryAgain => {}
        }
    }
}

/// What there is to do about a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Nothing,
    TryAgain,
}

/// Compiles a set that is not, and tells how that went.
fn settle<Failed: std::error::Error>(
    set: &PolicySet,
    health: &Health,
    compile: impl FnOnce(&PolicySet) -> Result<(), Failed>,
) -> Next {
    look(set, health);
    if set.is_compiled() {
        return Next::Nothing;
    }
    match compile(set) {
        Ok(()) => {
            look(set, health);
            tracing::info!("set {} is compiled", set.digest());
            Next::Nothing
        }
        Err(error) => {
            let text = format!("set {} can't be compiled, and {ANEW}: {}", set.digest(), chain(&error));
            tracing::error!("{text}");
            health.set(Part::Compiled, State::Kept(text));
            Next::TryAgain
        }
    }
}

const ANEW: &str = "configures its policies anew for every request, which takes longer";

/// Puts down whether a set is compiled.
pub(super) fn look(set: &PolicySet, health: &Health) {
    let state = if set.is_compiled() {
        State::Good(format!("set {}", set.digest()))
    } else {
        State::Good(format!("set {} is being compiled, and meanwhile {ANEW}", set.digest()))
    };
    health.set(Part::Compiled, state);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use portreeve_engine::{Engine, LoadError, Options};

    use super::*;
    use crate::set::{COMPILED, Loader, Sources, platform};

    /// A part of the profile, which nobody compiled by itself.
    fn at_once() -> (Loader, PolicySet) {
        let engine = Engine::new(Options { embedded: &COMPILED, ..Options::default() }).unwrap();
        let loader = Loader::new(engine, portreeve_builtin::CATALOGUE, BTreeMap::new(), None);
        let sources = Sources::of_builtin(platform().into_iter().take(1));
        let set = loader.load_at_once(&sources).unwrap();
        (loader, set)
    }

    #[test]
    fn a_set_that_can_not_be_compiled_serves_on_and_is_told_of() {
        let ((_loader, set), health) = (at_once(), Health::default());
        let failing = |set: &PolicySet| set.compile(|_, _| Err(LoadError::Empty));
        assert_eq!(settle(&set, &health, failing), Next::TryAgain);
        assert!(!set.is_compiled());
        let report = health.report();
        assert!(report.contains("[!] compiled: set sha256:") && report.contains("the module is empty"), "{report}");
    }

    #[test]
    fn a_set_that_is_compiled_is_good_again() {
        let ((loader, set), health) = (at_once(), Health::default());
        settle(&set, &health, |set| set.compile(|_, _| Err(LoadError::Empty)));
        assert_eq!(settle(&set, &health, |set| loader.compile(set)), Next::Nothing);
        let line = format!("[+] compiled: set {}\n", set.digest());
        assert!(health.report().contains(&line), "{}", health.report());
    }
}
