//! Which set is in force: at the start and whenever policies change. What is put in force is kept, and a start whose
//! policies are no use takes the set that was kept. Where a changed set is refused or has to be waited for, its
//! policies wait, but exceptions and the switch that drops denials are taken up. Compiling, but for modules that were
//! never seen, follows in `compiled`. What a set is made of is told in `set`.

use std::sync::Arc;

use portreeve_admission::policy::Policy;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, timeout};

use super::assemble::{Parts, StartError};
use super::origin::{Became, Origin, Refused, Seen};
use super::watch::{EVERY, show_cut_short};
use super::{break_glass, exceptions};
use crate::config::ServerConfig;
use crate::health::{Health, Part, State};
use crate::metrics::Metrics;
use crate::set::{LastGood, LoadError, Loader, PolicySet, Problem, Sources, chain, platform, read_folder};
use crate::settled::Trials;

/// The set to begin with: that of what there is, else the last good one; and what was looked at, if it need not be
/// looked at again as it is. Only where neither is any use it waits for modules that are being pulled. Whoever told of
/// it hears what became of it, also where the start fails.
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
    let begin = || {
        // Before it is read: what changes meanwhile is seen at the first look.
        let Read { seen, made } = read_set(loader, trials, config, Seen::now(config, origin));
        let before = |error: &LoadError| from_before(last_good.as_ref(), loader, origin, error, health);
        (seen, made.map_err(|error| (before(&error), error)))
    };
    let (seen, made) = match begin() {
        (_, Err((Err(_), error))) if error.passing => {
            tracing::info!("there is no set to serve: the start waits for modules that are being pulled");
            let _held = loader.await_modules();
            begin()
        }
        begun => begun,
    };
    match made {
        Ok(Made { sources, set }) => {
            keep(last_good.as_ref(), &sources, &set, health);
            tracing::info!("{}", in_force(&set));
            health.set(Part::Policies, State::Good(in_force(&set)));
            tell(origin, &seen, Ok(Arc::clone(&set)));
            Ok((set, Some(seen)))
        }
        Err((before, error)) => {
            metrics.set_refused(true);
            let passing = error.passing;
            let stays = before.as_ref().ok().map(Arc::clone);
            tell(origin, &seen, Err(Refused { error, stays }));
            Ok((before?, (!passing).then_some(seen)))
        }
    }
}

/// Looks after policies for as long as the server runs: every second, since a poll also sees the symlink swap of a
/// mounted volume, and when somebody tells of others.
pub(super) async fn watch(parts: Arc<Parts>) {
    let mut seen = parts.seen.clone();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = parts.origin.told();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = change(told.as_mut()) => {}
        }
        seen = match look(&parts, seen).await {
            Ok(now) => now,
            Err(error) => {
                show_cut_short(&parts.health, Part::Policies, &error);
                None
            }
        };
    }
}

/// Waits until somebody tells of other policies; for ever where nobody does.
async fn change(told: Option<&mut watch::Receiver<Option<Arc<Sources>>>>) {
    if let Some(told) = told
        && told.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// Puts a changed set in force, or says why not and leaves the policies of the old one. `seen` is what was looked at
/// before, and what was looked at now comes back; none where the same may do later, so that the next look tries it
/// again. A set may have to wait, for a registry or the compiler; exceptions and the switch do not wait for it.
async fn look(parts: &Arc<Parts>, seen: Option<Seen>) -> Result<Option<Seen>, JoinError> {
    let (reading, amending) = (Arc::clone(parts), Arc::clone(parts));
    let read = spawn_blocking(move || read_changed(&reading, seen));
    let (read, is_amended) = awaited(read, move || amend(&amending), &parts.health).await?;
    let taking = Arc::clone(parts);
    let take = move || {
        let seen = match read {
            Changed::Not(seen) => seen,
            Changed::To(read) if is_amended => take_up(&taking, unreverted(&taking, read)),
            Changed::To(read) => take_up(&taking, read),
        };
        look_at_ends(&taking);
        seen
    };
    spawn_blocking(take).await
}

/// What was read. Until then, every second, what does not wait for it is taken up; whether something may have been.
async fn awaited<T>(
    mut read: JoinHandle<T>,
    amend: impl FnOnce() -> bool + Clone + Send + 'static,
    health: &Health,
) -> Result<(T, bool), JoinError> {
    let mut is_amended = false;
    loop {
        match timeout(EVERY, &mut read).await {
            Ok(read) => return Ok((read?, is_amended)),
            Err(_) => match spawn_blocking(amend.clone()).await {
                Ok(amended) => is_amended |= amended,
                Err(error) => {
                    show_cut_short(health, Part::Policies, &error);
                    is_amended = true;
                }
            },
        }
    }
}

/// What there is, held against what was looked at before.
enum Changed {
    Not(Option<Seen>),
    To(Read),
}

fn read_changed(parts: &Parts, seen: Option<Seen>) -> Changed {
    let look = || Seen::now(&parts.config, &parts.origin);
    let now = look().with_modules_of(seen.as_ref());
    if seen.as_ref().is_some_and(|seen| seen.is(&now)) || !now.has_settled(look) {
        return Changed::Not(seen);
    }
    Changed::To(read_set(&parts.loader, &parts.trials, &parts.config, now))
}

/// Takes up what does not wait for a set; whether there was anything.
fn amend(parts: &Parts) -> bool {
    // What is wrong with it is told with the set that is waited for.
    let made = amended(&parts.loader, &parts.gate.set.load(), &parts.origin).unwrap_or_default();
    if let Some(made) = &made {
        put_in_force(parts, made);
        parts.health.renew(Part::Policies, in_force(&made.set));
    }
    look_at_ends(parts);
    made.is_some()
}

/// A set that was waited for, with the exceptions and the switch that were taken up meanwhile: they may be newer. One
/// that can't have them is as good as refused, since it would bring back what was taken back.
fn unreverted(parts: &Parts, Read { seen, made }: Read) -> Read {
    let with_both = |made: Made| Ok(amended(&parts.loader, &made.set, &parts.origin)?.unwrap_or(made));
    Read { seen, made: made.and_then(with_both) }
}

/// Tells of exceptions that end and of denials that are dropped.
fn look_at_ends(parts: &Parts) {
    let (set, now) = (parts.gate.set.load(), (parts.gate.clock)());
    exceptions::look(set.exceptions(), &parts.health, now);
    break_glass::look(set.break_glass(), &parts.health, &parts.metrics, now);
}

/// Takes up what came of reading policies: the set, or what is wrong with it, and then its exceptions and its switch
/// alone. What was looked at comes back where that lasts until there is something else.
fn take_up(parts: &Parts, Read { seen, made }: Read) -> Option<Seen> {
    match made {
        Ok(made) => {
            put_in_force(parts, &made);
            parts.health.set(Part::Policies, State::Good(in_force(&made.set)));
            parts.metrics.set_refused(false);
            tell(&parts.origin, &seen, Ok(made.set));
            Some(seen)
        }
        Err(error) => {
            let mut stays = parts.gate.set.load_full();
            if let Some(made) = amended_or_told(&parts.loader, &stays, &parts.origin) {
                put_in_force(parts, &made);
                stays = made.set;
            }
            refused(&parts.health, &stays, &error);
            parts.metrics.set_refused(true);
            let passing = error.passing;
            tell(&parts.origin, &seen, Err(Refused { error, stays: Some(stays) }));
            (!passing).then_some(seen)
        }
    }
}

/// This set with the exceptions and the switch that were told last; none if it has them already. Of files nothing
/// counts before all is right: they have one author.
///
/// # Errors
/// If it can't have them.
fn amended(loader: &Loader, set: &PolicySet, origin: &Origin) -> Result<Option<Made>, LoadError> {
    let Some(sources) = origin.newest().and_then(|now| set.amended_by(&now)) else { return Ok(None) };
    let sources = Arc::new(sources);
    loader.load_at_once(&sources).map(|set| Some(Made { sources, set: Arc::new(set) }))
}

/// The same; where it can't have them, that is told.
fn amended_or_told(loader: &Loader, set: &PolicySet, origin: &Origin) -> Option<Made> {
    amended(loader, set, origin).unwrap_or_else(|error| {
        tracing::warn!("exceptions and break-glass stay as they were too: {}", chain(&error));
        None
    })
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
    origin: &Origin,
    error: &LoadError,
    health: &Health,
) -> Result<Arc<PolicySet>, StartError> {
    let Some(last_good) = last_good else { return Err(error.clone().into()) };
    match last_good.load(loader) {
        Ok(Some(set)) => {
            health.set(Part::State, kept_in(last_good));
            let set = match amended_or_told(loader, &set, origin) {
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_is_cut_short_beside_a_reading_is_shown_and_the_reading_goes_on() {
        let (health, (tell, told)) = (Health::default(), mpsc::channel());
        let read = spawn_blocking(move || told.recv());
        let amend = move || -> bool {
            tell.send("read").unwrap();
            panic!("out of its mind")
        };
        assert_eq!(awaited(read, amend, &health).await.unwrap(), (Ok("read"), true));
        assert!(health.report().contains("[!] policies: each look at it is cut short"), "{}", health.report());
    }
}
