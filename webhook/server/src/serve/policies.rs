//! Which set is in force: at the start and whenever policy files change. What is put in force is kept, and a start whose
//! policy files are no use takes the set that was kept. What a set is made of is told in `set`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::assemble::{Parts, StartError};
use crate::config::ServerConfig;
use crate::health::{Health, Part, State};
use crate::set::{LastGood, LoadError, Loader, PolicySet, Problem, Sources, chain, platform, read_folder};

/// The set to begin with: that of the policy files, else the last good one.
///
/// # Errors
/// Every problem of the files, if no set was kept; and why that one is no use, if one was.
pub(super) fn at_start(loader: &Loader, config: &ServerConfig, health: &Health) -> Result<PolicySet, StartError> {
    let last_good = last_good(config);
    match read_set(loader, config.policies.as_deref()) {
        Ok((sources, set)) => {
            keep(last_good.as_ref(), &sources, &set, health);
            health.set(Part::Policies, State::Good(in_force(&set)));
            Ok(set)
        }
        Err(error) => match last_good {
            Some(last_good) => from_before(&last_good, loader, error, health),
            None => Err(error.into()),
        },
    }
}

/// Digests of all files in a folder and below, by path.
pub(super) type Fingerprint = BTreeMap<PathBuf, [u8; 32]>;

/// Puts a changed set in force, or says why not and leaves the old one. `seen` is what the files held before, and what
/// they hold now comes back.
pub(super) fn look(parts: &Parts, seen: Option<Fingerprint>) -> Option<Fingerprint> {
    let folder = parts.config.policies.as_deref()?;
    let now = fingerprint(folder);
    if seen.as_ref() == Some(&now) {
        return Some(now);
    }
    match read_set(&parts.loader, Some(folder)) {
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
    Some(now)
}

/// What the files hold now.
pub(super) fn fingerprint(folder: &Path) -> Fingerprint {
    let mut found = Fingerprint::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match std::fs::metadata(&path) {
                // A mounted volume keeps its versions in folders that begin with a dot; the links to them are enough.
                Ok(about) if about.is_dir() && !entry.file_name().as_encoded_bytes().starts_with(b".") => {
                    folders.push(path);
                }
                Ok(about) if about.is_file() => {
                    let bytes = std::fs::read(&path).unwrap_or_default();
                    found.insert(path, Sha256::digest(bytes).into());
                }
                _ => {}
            }
        }
    }
    found
}

fn last_good(config: &ServerConfig) -> Option<LastGood> {
    config.state.as_ref().map(|state| LastGood::in_folder(&state.folder))
}

/// The set of a policy folder, or the platform profile where there is none; and what it was made from.
fn read_set(loader: &Loader, folder: Option<&Path>) -> Result<(Sources, PolicySet), LoadError> {
    let sources = match folder {
        Some(folder) => in_use(read_folder(folder)?, folder)?,
        None => Sources::of_builtin(platform()),
    };
    let set = loader.load(&sources)?;
    Ok((sources, set))
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
