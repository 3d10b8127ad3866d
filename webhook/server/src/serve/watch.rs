//! Looking after the files while the server runs: certificates, client CAs and tokens here, the lock file in `locked`.
//! They are polled, since a poll also sees the symlink swap of a mounted volume. What can't be taken up is told once
//! and shown until mended. Policies, which may have to be waited for, are looked after in `policies`, and nothing here
//! waits for them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, PathTokens, Reload, ValidityWarning};
use tokio::task::{JoinError, spawn_blocking};

use super::assemble::{Parts, own_certificates};
use super::locked;
use crate::callers::Callers;
use crate::config::{CallersConfig, TlsConfig};
use crate::health::{Health, Part, State};
use crate::set::chain;

/// A changed file is in force after this long.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// Looks after the files for as long as the server runs.
pub(super) async fn watch(parts: Arc<Parts>) {
    let mut lock = locked::Seen::default();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looked_at = Arc::clone(&parts);
        let _ = look(&parts.health, Part::Certificate, move || certificates(&looked_at)).await;
        let looked_at = Arc::clone(&parts);
        let at_lock = move || {
            let Parts { gate, config, health, .. } = &*looked_at;
            locked::look(&gate.images, &config.registries, health, lock)
        };
        lock = look(&parts.health, Part::Images, at_lock).await.flatten();
    }
}

/// What comes of a look at the files of this part; none if it is cut short, which is shown.
async fn look<T: Send + 'static>(health: &Health, part: Part, look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    spawn_blocking(look).await.inspect_err(|error| show_cut_short(health, part, error)).ok()
}

/// Shows that a look was cut short, until one is not.
pub(super) fn show_cut_short(health: &Health, part: Part, error: &JoinError) {
    if health.set(part, State::Kept("each look at it is cut short; the log says why".to_owned())) {
        tracing::error!(%error, "a look at the files was cut short; it is tried again every second");
    }
}

/// One look at all that a handshake and a path are held against. What is wrong with any of it is shown until it is
/// mended.
fn certificates(parts: &Parts) {
    let tokens = tokens(parts);
    let renewed = if tokens.is_some() && tokens_are_renewed(parts) { None } else { renewed(parts) };
    let wrong = without_echoes([tokens, renewed, reloaded(parts), clients(parts)].into_iter().flatten());
    let warning = parts.certificate.current().validity_warning((parts.gate.clock)());
    show(&parts.health, &wrong, warning);
}

/// What is wrong, each told once: two readers of one damaged file say the same of it, one of them in more words.
fn without_echoes(wrong: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for text in wrong {
        told.retain(|known| !text.contains(known));
        if !told.iter().any(|known| known.contains(&text)) {
            told.push(text);
        }
    }
    told
}

/// Shows what was refused and what clients will object to, and says it once.
pub(super) fn show(health: &Health, wrong: &[String], warning: Option<ValidityWarning>) {
    if health.set(Part::Certificate, standing(wrong, warning)) {
        wrong.iter().for_each(|text| tracing::error!("refused, the old one stays in force: {text}"));
        warning.iter().for_each(|warning| tracing::error!("{warning}"));
    }
}

fn standing(wrong: &[String], warning: Option<ValidityWarning>) -> State {
    let told: Vec<String> = wrong.iter().cloned().chain(warning.map(|warning| warning.to_string())).collect();
    if told.is_empty() { State::Good("loaded".to_owned()) } else { State::Kept(told.join("; ")) }
}

/// Whether who renews our certificates renews the tokens too. While those can't be read nothing is renewed: an empty or
/// missing file would be taken for one that was never made, and only the registered token would stay of what is taken.
fn tokens_are_renewed(parts: &Parts) -> bool {
    match (&parts.config.tls, &parts.config.callers) {
        (TlsConfig::Own { folder, .. }, CallersConfig::Token { token_folder }) => folder == token_folder,
        _ => false,
    }
}

/// What stands in the way of renewing our own.
fn renewed(parts: &Parts) -> Option<String> {
    let (folder, policy) = own_certificates(&parts.config.tls).ok().flatten()?;
    match folder.renew(Timestamp::now(), &policy) {
        Ok(rotation) => {
            rotation.done.iter().for_each(|done| tracing::info!("certificates: {done}"));
            None
        }
        Err(error) => Some(chain(&error)),
    }
}

/// What stands in the way of serving what the files hold.
fn reloaded(parts: &Parts) -> Option<String> {
    match parts.certificate.reload_if_changed((parts.gate.clock)()) {
        Ok(Reload::Unchanged | Reload::Awaited) => None,
        Ok(Reload::Replaced) => {
            parts.metrics.certificate_ends(parts.certificate.current().leaf().validity().not_after());
            tracing::info!("the serving certificate was loaded again");
            None
        }
        Err(error) => Some(chain(&error)),
    }
}

/// What is wrong with the CAs of clients.
fn clients(parts: &Parts) -> Option<String> {
    parts.clients.as_ref()?.reload_if_changed().err().map(|error| chain(&error))
}

/// What is wrong with the tokens.
fn tokens(parts: &Parts) -> Option<String> {
    let (Callers::KnowToken(tokens), CallersConfig::Token { token_folder }) = (&parts.callers, &parts.config.callers)
    else {
        return None;
    };
    match PathTokens::load(&CertificateFolder::new(token_folder), Timestamp::now()) {
        Ok(fresh) => {
            tokens.store(Arc::new(fresh));
            None
        }
        Err(error) => Some(chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_shown_at_once_and_nothing_once_it_is_mended() {
        let wrong = ["no token".to_owned(), "no key".to_owned()];
        assert_eq!(standing(&wrong, None), State::Kept("no token; no key".to_owned()));
        assert_eq!(standing(&[], None), State::Good("loaded".to_owned()));
    }

    #[test]
    fn one_reason_is_told_once_however_many_read_the_file() {
        let wrong =
            ["tls.crt can't be used", "the certificate file tls.crt can't be used", "tls.crt can't be used", "x"];
        let told = without_echoes(wrong.map(ToOwned::to_owned));
        assert_eq!(told, ["the certificate file tls.crt can't be used", "x"]);
    }

    #[test]
    fn a_certificate_that_has_ended_is_shown_as_that() {
        let ended = ValidityWarning::Expired { since: Timestamp::UNIX_EPOCH };
        assert_eq!(standing(&[], Some(ended)), State::Kept(ended.to_string()));
    }

    #[tokio::test]
    async fn looks_that_are_cut_short_are_shown_until_one_is_not() {
        let health = Health::default();
        let panics = || -> () { panic!("out of its mind") };
        assert_eq!(look(&health, Part::Certificate, panics).await, None);
        assert!(health.report().contains("[!] certificate: each look at it is cut short"), "{}", health.report());
        show(&health, &[], None);
        assert_eq!(look(&health, Part::Images, panics).await, None);
        assert!(health.report().contains("[+] certificate: loaded"), "{}", health.report());
        assert!(health.report().contains("[!] images: each look at it is cut short"), "{}", health.report());
    }
}
