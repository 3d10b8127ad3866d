//! Which set is in force: at the start and whenever policies change. What is put in force is kept, and a start whose
//! policies are no use takes the set that was kept. Where a changed set is refused its policies wait, but exceptions
//! and the switch that drops denials are taken up. None of it waits for the compiler, which follows in `compiled`. What
//! a set is made of is told in `set`.

use std::sync::Arc;

use portreeve_admission::policy::Policy;

use super::assemble::{Parts, StartError};
use super::origin::{Became, Origin, Refused, Seen};
use crate::config::ServerConfig;
use crate::health::{Health, Part, State};
use crate::metrics::Metrics;
use crate::set::{LastGood, LoadError, Loader, PolicySet, Problem, Sources, chain, platform, read_folder};
use crate::settled::Trials;

/// The set to begin with: that of what there is, else the last good one; and what was looked at, if it need not be
/// looked at again as it is. Whoever told of it hears what became of it, also where the start fails.
///
/// # Errors
/// Every problem of what there is, if no set was kept; and why that one is no use, if one was.
pub(super) fn at_start(
    loader: &Loader,
    trials: &Trials,
    config: &ServerConfig,
    origin: &Origin,
    health: &Health,
    metrics: &Metrics,
) -> Result<(Arc<PolicySet>, Option<Seen>), StartError> {
    let last_good = last_good(config);
    // Before it is read: what changes meanwhile is seen at the first look.
    let Read { seen, made } = read_set(loader, trials, config, Seen::now(config, origin));
    match made {
        Ok(Made { sources, set }) => {
            keep(last_good.as_ref(), &sources, &set, health);
            health.set(Part::Policies, State::Good(in_force(&set)));
            tell(origin, &seen, Ok(Arc::clone(&set)));
            Ok((set, Some(seen)))
        }
        Err(error) => {
            metrics.set_refused(true);
            let passing = error.passing;
            let before = from_before(last_good.as_ref(), loader, &seen, &error, health);
            let stays = before.as_ref().ok().map(Arc::clone);
            tell(origin, &seen, Err(Refused { error, stays }));
            Ok((before?, (!passing).then_some(seen)))
        }
    }
}

/// Puts a changed set in force, or says why not and leaves the policies of the old one. `seen` is what was looked at
/// before, and what was looked at now comes back; none where the same may do later, so that the next look tries it
/// again.
pub(super) fn look(parts: &Parts, seen: Option<Seen>) -> Option<Seen> {
    let now = Seen::now(&parts.config, &parts.origin);
    if seen.as_ref().is_some_and(|seen| seen.is(&now)) {
        return seen;
    }
    let Read { seen: now, made } = read_set(&parts.loader, &parts.trials, &parts.config, now);
    match take_up(parts, &now, made) {
        Lasts::Yes => Some(now),
        Lasts::No => None,
    }
}

/// Whether what became of sources stays so until others come.
enum Lasts {
    Yes,
    No,
}

/// Takes up what came of reading policies: the set, or what is wrong with it, and then its exceptions and its switch
/// alone.
fn take_up(parts: &Parts, seen: &Seen, made: Result<Made, LoadError>) -> Lasts {
    match made {
        Ok(made) => {
            put_in_force(parts, &made);
            parts.health.set(Part::Policies, State::Good(in_force(&made.set)));
            parts.metrics.set_refused(false);
            tell(&parts.origin, seen, Ok(made.set));
            Lasts::Yes
        }
        Err(error) => {
            let mut stays = parts.gate.set.load_full();
            if let Some(made) = amended(&parts.loader, &stays, seen) {
                put_in_force(parts, &made);
                stays = made.set;
            }
            refused(&parts.health, &stays, &error);
            parts.metrics.set_refused(true);
            let lasts = if error.passing { Lasts::No } else { Lasts::Yes };
            tell(&parts.origin, seen, Err(Refused { error, stays: Some(stays) }));
            lasts
        }
    }
}

/// The set that stays while its successor is refused, with the exceptions and the switch of now; none if it has them
/// already. Of files nothing counts before all is right: they have one author.
fn amended(loader: &Loader, stays: &PolicySet, seen: &Seen) -> Option<Made> {
    let Seen::Told(Some(now)) = seen else { return None };
    let sources = Arc::new(stays.amended_by(now)?);
    match loader.load_at_once(&sources) {
        Ok(set) => Some(Made { sources, set: Arc::new(set) }),
        Err(error) => {
            tracing::warn!("exceptions and break-glass stay as they were too: {}", chain(&error));
            None
        }
    }
}

/// Says to whoever told of them what became of these resources.
fn tell(origin: &Origin, seen: &Seen, made: Result<Arc<PolicySet>, Refused>) {
    if let (Origin::Told(told), Seen::Told(Some(sources))) = (origin, seen) {
        told.became.send_replace(Some(Became { sources: Arc::clone(sources), made }));
    }
}

fn last_good(config: &ServerConfig) -> Option<LastGood> {
    config.state.as_ref().map(|state| LastGood::in_folder(&state.folder))
}

/// What came of reading policies, and what was looked at.
struct Read {
    seen: Seen,
    made: Result<Made, LoadError>,
}

/// A set and what it was made from.
struct Made {
    sources: Arc<Sources>,
    set: Arc<PolicySet>,
}

/// The set of what is to be looked at.
fn read_set(loader: &Loader, trials: &Trials, config: &ServerConfig, seen: Seen) -> Read {
    let sources = match (&seen, &config.policies) {
        (Seen::Files(_), Some(folder)) => read_folder(folder).map(Arc::new),
        (Seen::Told(None), _) => Err(nobody_told()),
        (Seen::Told(Some(sources)), _) if sources.rule_anything() => Ok(Arc::clone(sources)),
        (Seen::Told(Some(sources)), _) => Ok(Arc::new(Sources::clone(sources).or_platform())),
        _ => Ok(Arc::new(Sources::of_builtin(platform()))),
    };
    match sources {
        Ok(sources) => {
            let seen = match seen {
                Seen::Files(files) => Seen::Files(files.with_modules(sources.module_files())),
                seen => seen,
            };
            let made = made(loader, trials, sources);
            Read { seen, made }
        }
        Err(error) => Read { seen, made: Err(error) },
    }
}

/// The set of these sources, tried before it is in force.
fn made(loader: &Loader, trials: &Trials, sources: Arc<Sources>) -> Result<Made, LoadError> {
    let set = loader.load_at_once(&sources)?;
    Ok(Made { set: trials.settled(set, &sources)?, sources })
}

fn nobody_told() -> LoadError {
    let reason = "which policies there are in the cluster is not known: it was not reached yet".to_owned();
    vec![Problem { place: String::new(), reason }].into()
}

/// The set that was kept, in place of one that can't be had.
fn from_before(
    last_good: Option<&LastGood>,
    loader: &Loader,
    seen: &Seen,
    error: &LoadError,
    health: &Health,
) -> Result<Arc<PolicySet>, StartError> {
    let Some(last_good) = last_good else { return Err(error.clone().into()) };
    match last_good.load(loader) {
        Ok(Some(set)) => {
            health.set(Part::State, kept_in(last_good));
            let set = match amended(loader, &set, seen) {
                Some(Made { sources, set }) => {
                    keep(Some(last_good), &sources, &set, health);
                    set
                }
                None => Arc::new(set),
            };
            refused(health, &set, error);
            Ok(set)
        }
        Ok(None) => Err(error.clone().into()),
        Err(source) => Err(StartError::LastGood { policies: error.clone(), source }),
    }
}

/// Puts a set in force, whether or not the book takes it now: a full disk must not keep denials from being dropped, or
/// an exception from being withdrawn. What a record names is in the book before the record is.
fn put_in_force(parts: &Parts, Made { sources, set }: &Made) {
    if let Err(error) = parts.gate.book.keep_set(set) {
        tracing::error!("{} is not in the book yet, and no record is made before: {}", set.digest(), chain(&error));
    }
    keep(last_good(&parts.config).as_ref(), sources, set, &parts.health);
    tracing::info!("{}", in_force(set));
    let before = parts.gate.set.swap(Arc::clone(set));
    let stays = |policy: &Policy| set.policies().iter().any(|now| now.id == policy.id);
    before.policies().iter().filter(|policy| !stays(policy)).for_each(|policy| parts.metrics.forget(&policy.id));
    parts.sets.send_replace(Arc::clone(set));
}

/// Keeps a set for the next start. One that can't be kept is in force all the same.
fn keep(last_good: Option<&LastGood>, sources: &Sources, set: &PolicySet, health: &Health) {
    let Some(last_good) = last_good else {
        tracing::warn!("no state folder is configured: a restart needs good policy files");
        health.set(Part::State, State::Kept("no folder is configured: a restart needs good policy files".to_owned()));
        return;
    };
    match last_good.keep(sources, set) {
        Ok(()) => drop(health.set(Part::State, kept_in(last_good))),
        Err(error) => {
            let text = format!("a restart needs good policy files: the set in force is not kept: {}", chain(&error));
            tracing::error!("{text}");
            health.set(Part::State, State::Kept(text));
        }
    }
}

fn kept_in(last_good: &LastGood) -> State {
    State::Good(format!("the last good set is kept in {}", last_good.folder().display()))
}

/// Says once that something newer was refused; this set stays in force.
fn refused(health: &Health, stays: &PolicySet, error: &dyn std::error::Error) {
    let text = format!("kept {}: {}", stays.digest(), chain(error));
    if health.set(Part::Policies, State::Kept(text)) {
        tracing::error!("refused, {} stays in force: {}", stays.digest(), chain(error));
    }
}

/// What is in force, in a line, and what is left out of it.
fn in_force(set: &PolicySet) -> String {
    let line = format!("{} policies in force, set {}", set.policies().len(), set.digest());
    match set.left_out() {
        [] => line,
        [first, ..] => format!("{line}; resources left out: {}, such as {first}", set.resources_left_out()),
    }
}
