//! Looking after the files while the server runs: certificates, client CAs, tokens, and, in `policies`, policies. They
//! are polled, since a poll also sees the symlink swap of a mounted volume; policies that somebody tells of are looked at
//! when he does. What can't be taken up is told once and shown until mended.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, PathTokens, Reload};
use tokio::sync::watch;

use super::assemble::{Parts, own_certificates};
use super::{break_glass, exceptions, policies};
use crate::callers::Callers;
use crate::config::CallersConfig;
use crate::health::{Part, State};
use crate::set::{Sources, chain};

/// A changed file is in force after this long.
const EVERY: Duration = Duration::from_secs(1);

/// Looks after the files for as long as the server runs.
pub(super) async fn watch(parts: Arc<Parts>) {
    let mut seen = parts.seen.clone();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = parts.origin.told();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = change(told.as_mut()) => {}
        }
        let looked_at = Arc::clone(&parts);
        let before = seen.clone();
        let look = move || {
            certificates(&looked_at);
            let seen = policies::look(&looked_at, before);
            let (set, now) = (looked_at.gate.set.load(), (looked_at.gate.clock)());
            exceptions::look(set.exceptions(), &looked_at.health, now);
            break_glass::look(set.break_glass(), &looked_at.health, &looked_at.metrics, now);
            seen
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(now) => seen = now,
            Err(error) => tracing::error!(%error, "a look at the files was cut short; the next one is in a second"),
        }
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

/// Says once that something newer was refused; what is in force stays.
fn told(parts: &Parts, part: Part, error: &dyn std::error::Error) {
    let text = chain(error);
    if parts.health.set(part, State::Kept(text.clone())) {
        tracing::error!("refused, the old one stays in force: {text}");
    }
}
