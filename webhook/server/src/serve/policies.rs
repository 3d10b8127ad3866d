//! Which set is in force: at the start and whenever policy files change. What is put in force is kept, and a start whose
//! policy files are no use takes the set that was kept. What a set is made of is told in `set`.

use std::path::Path;
use std::sync::Arc;

use super::assemble::{Parts, StartError};
use super::fingerprint::Fingerprint;
use crate::config::ServerConfig;
use crate::health::{Health, Part, State};
use crate::set::{LastGood, LoadError, Loader, PolicySet, Problem, Sources, chain, platform, read_folder};

/// The set to begin with: that of the policy files, else the last good one; and what the files held.
///
/// # Errors
/// Every problem of the files, if no set was kept; and why that one is no use, if one was.
pub(super) fn at_start(
    loader: &Loader,
    config: &ServerConfig,
    health: &Health,
) -> Result<(PolicySet, Option<Fingerprint>), StartError> {
    let last_good = last_good(config);
    // Before they are read: what changes meanwhile is seen at the first look.
    let seen = config.policies.as_deref().map(Fingerprint::of_folder);
    let Read { seen, made } = read_set(loader, config.policies.as_deref(), seen);
    let set = match made {
        Ok((sources, set)) => {
            keep(last_good.as_ref(), &sources, &set, health);
            health.set(Part::Policies, State::Good(in_force(&set)));
            set
        }
        Err(error) => match last_good {
            Some(last_good) => from_before(&last_good, loader, error, health)?,
            None => return Err(error.into()),
        },
    };
    Ok((set, seen))
}

/// Puts a changed set in force, or says why not and leaves the old one. `seen` is what the files held before, and what
/// they hold now comes back.
pub(super) fn look(parts: &Parts, seen: Option<Fingerprint>) -> Option<Fingerprint> {
    let folder = parts.config.policies.as_deref()?;
    let now = Fingerprint::of_folder(folder);
    if seen.as_ref().is_some_and(|seen| seen.same_as(&now)) {
        return seen;
    }
    let Read { seen: now, made } = read_set(&parts.loader, Some(folder), Some(now));
    match made {
        Ok((sources, set)) => match parts.gate.book.keep_set(&set) {
            Ok(()) => put_in_force(parts, &sources, set),
            // Nothing was wrong with the files: the next look tries again.
            Err(error) => {
                refused(&parts.health, &parts.gate.set.load(), &error);
                return seen;
            }
        },
        Err(error) => refused(&parts.health, &parts.gate.set.load(), &error),
    }
    now
}

fn last_good(config: &ServerConfig) -> Option<LastGood> {
    config.state.as_ref().map(|state| LastGood::in_folder(&state.folder))
}

/// What came of reading policies, and what the files held.
struct Read {
    seen: Option<Fingerprint>,
    made: Result<(Sources, PolicySet), LoadError>,
}

/// The set of a policy folder that held `seen`, or the platform profile where there is none.
fn read_set(loader: &Loader, folder: Option<&Path>, seen: Option<Fingerprint>) -> Read {
    let sources = match folder {
        Some(folder) => read_folder(folder).and_then(|sources| in_use(sources, folder)),
        None => Ok(Sources::of_builtin(platform())),
    };
    match sources {
        Ok(sources) => {
            let seen = seen.map(|seen| seen.with_modules(sources.module_files()));
            let made = loader.load(&sources).map(|set| (sources, set));
            Read { seen, made }
        }
        Err(error) => Read { seen, made: Err(error) },
    }
}

/// A folder without a policy is a wrong mount or an emptied volume, not a wish to admit everything.
fn in_use(sources: Sources, folder: &Path) -> Result<Sources, LoadError> {
    if !sources.resources.is_empty() {
        return Ok(sources);
    }
    let reason = "there is no ClusterPolicy and no PolicySet in it; `spec: {profile: none}` admits everything";
    Err(LoadError { problems: vec![Problem { place: folder.display().to_string(), reason: reason.to_owned() }] })
}

/// The set that was kept, in place of one that can't be had.
fn from_before(
    last_good: &LastGood,
    loader: &Loader,
    error: LoadError,
    health: &Health,
) -> Result<PolicySet, StartError> {
    match last_good.load(loader) {
        Ok(Some(set)) => {
            refused(health, &set, &error);
            health.set(Part::State, kept_in(last_good));
            Ok(set)
        }
        Ok(None) => Err(error.into()),
        Err(source) => Err(StartError::LastGood { policies: error, source }),
    }
}

fn put_in_force(parts: &Parts, sources: &Sources, set: PolicySet) {
    keep(last_good(&parts.config).as_ref(), sources, &set, &parts.health);
    let text = in_force(&set);
    tracing::info!("{text}");
    parts.health.set(Part::Policies, State::Good(text));
    parts.gate.set.store(Arc::new(set));
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

/// What is in force, in a line.
fn in_force(set: &PolicySet) -> String {
    format!("{} policies in force, set {}", set.policies().len(), set.digest())
}
