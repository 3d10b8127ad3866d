//! Looking after the files while the server runs: certificates, client CAs, tokens, policies. They are polled, since
//! a poll also sees the symlink swap of a mounted volume. What can't be taken up is told once and shown until mended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, PathTokens, Reload};
use sha2::{Digest as _, Sha256};

use super::assemble::{Parts, in_force, load_set, own_certificates};
use crate::callers::Callers;
use crate::config::CallersConfig;
use crate::health::{Part, State};
use crate::set::chain;

/// A changed file is in force after this long and the time that it takes to compile.
const EVERY: Duration = Duration::from_secs(1);

/// Looks after the files for as long as the server runs.
pub(super) async fn watch(parts: Arc<Parts>) {
    let mut seen = parts.seen.clone();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looked_at = Arc::clone(&parts);
        let before = seen.clone();
        let look = move || {
            certificates(&looked_at);
            ledger(&looked_at);
            policies(&looked_at, before)
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(now) => seen = now,
            Err(error) => tracing::error!(%error, "a look at the files was cut short; the next one is in a second"),
        }
    }
}

fn certificates(parts: &Parts) {
    if let Ok(Some((folder, policy))) = own_certificates(&parts.config.tls) {
        match folder.renew(Timestamp::now(), &policy) {
            Ok(rotation) => rotation.done.iter().for_each(|done| tracing::info!("certificates: {done}")),
            Err(error) => told(parts, Part::Certificate, &error),
        }
    }
    match parts.certificate.reload_if_changed() {
        Ok(Reload::Unchanged) => {}
        Ok(Reload::Replaced) => {
            parts.metrics.certificate_ends(parts.certificate.current().leaf().validity().not_after());
            parts.health.set(Part::Certificate, State::Good("loaded again".to_owned()));
            tracing::info!("the serving certificate was loaded again");
        }
        Err(error) => told(parts, Part::Certificate, &error),
    }
    if let Some(Err(error)) = parts.clients.as_ref().map(|clients| clients.reload_if_changed()) {
        told(parts, Part::Certificate, &error);
    }
    if let (Callers::KnowToken(tokens), CallersConfig::Token { token_folder }) = (&parts.callers, &parts.config.callers)
    {
        match PathTokens::load(&CertificateFolder::new(token_folder), Timestamp::now()) {
            Ok(fresh) => tokens.store(Arc::new(fresh)),
            Err(error) => told(parts, Part::Certificate, &error),
        }
    }
}

/// A book that takes no more records makes the replica unready: others answer meanwhile.
fn ledger(parts: &Parts) {
    let failure = parts.gate.book.ledger().and_then(|ledger| ledger.stats().failure);
    if let Some(failure) = failure
        && parts.health.set(Part::Ledger, State::Down(chain(&failure)))
    {
        tracing::error!("the book takes no more records: {}", chain(&failure));
    }
}

/// Says once that something newer was refused; what is in force stays.
fn told(parts: &Parts, part: Part, error: &dyn std::error::Error) {
    let text = chain(error);
    if parts.health.set(part, State::Kept(text.clone())) {
        tracing::error!("refused, the old one stays in force: {text}");
    }
}

/// Digests of all files in a folder and below, by path.
pub(super) type Fingerprint = BTreeMap<PathBuf, [u8; 32]>;

/// Puts a changed set in force, or says why not and keeps the old one.
fn policies(parts: &Parts, seen: Option<Fingerprint>) -> Option<Fingerprint> {
    let folder = parts.config.policies.as_deref()?;
    let now = fingerprint(folder);
    if seen.as_ref() == Some(&now) {
        return Some(now);
    }
    match load_set(&parts.loader, Some(folder)) {
        Ok(set) => match parts.gate.book.keep_set(&set) {
            Ok(()) => {
                let text = in_force(&set);
                tracing::info!("{text}");
                parts.health.set(Part::Policies, State::Good(text));
                parts.gate.set.store(Arc::new(set));
            }
            // Nothing was wrong with the files: the next look tries again.
            Err(error) => {
                told(parts, Part::Policies, &error);
                return seen;
            }
        },
        Err(error) => told(parts, Part::Policies, &error),
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
