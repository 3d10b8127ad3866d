//! Looking after the book: one that failed is opened again by itself as soon as that can be done, less and less often
//! the longer it can't; one that could make no record is tried in the same way. Meanwhile `/readyz?verbose` says why
//! there is none, and calls end as the configuration says. What else asks to be looked after is shown there too: an
//! epoch that was set aside, and a checkpoint that can't be written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_ledger::{Epoch, Failure, FileError, Ledger};
use tokio::time::MissedTickBehavior;

use super::assemble::Parts;
use crate::config::WithoutRecord;
use crate::health::{Part, State};
use crate::set::chain;
use crate::way::{BookError, Missing};

/// A failure is seen after this long.
const EVERY: Duration = Duration::from_secs(1);

/// The longest pause between two attempts. Each reads the newest segment.
const MOST: Duration = Duration::from_secs(30);

/// A book that failed.
const NO_MORE: &str = "the book takes no more records";

/// A book that has not failed, and yet could not take all.
const NO_RECORD: &str = "calls have no record";

/// Says what was found when the book was opened.
pub(super) fn tell_opening(ledger: &Ledger) {
    let (origin, opening) = (ledger.origin(), ledger.opening());
    if let Some(place) = &opening.cut_off {
        tracing::warn!(
            "the book {origin} ended in a line that was neither finished nor acknowledged; it was cut off: {place}"
        );
    }
    if let Some(aside) = set_aside(ledger) {
        tracing::error!("the book {origin}: {aside}");
    }
}

/// How a book is that was just opened.
pub(super) fn at_start(ledger: &Ledger) -> State {
    standing(ledger, set_aside(ledger).as_deref(), None)
}

/// Looks after the book for as long as the server runs.
pub(super) async fn look_after(parts: Arc<Parts>) {
    let (mut attempts, mut told) = (Attempts::default(), None);
    let aside = parts.gate.book.ledger().and_then(|ledger| set_aside(&ledger));
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(ledger) = parts.gate.book.ledger() else { return };
        let stats = ledger.stats();
        match (stats.failure, parts.gate.book.missing()) {
            (None, None) => {
                told = None;
                show(&parts, &ledger, aside.as_deref(), stats.checkpoint_failure.as_ref());
            }
            (Some(failure), _) => {
                show_anew(&parts, NO_MORE, chain(&failure), &mut told);
                if attempts.may_begin(Instant::now()) {
                    reopen(&parts, &failure).await;
                }
            }
            (None, Some(missing)) => {
                if missing.over {
                    told = None;
                    show(&parts, &ledger, aside.as_deref(), stats.checkpoint_failure.as_ref());
                } else {
                    show_anew(&parts, NO_RECORD, chain(&missing.error), &mut told);
                }
                if attempts.may_begin(Instant::now()) {
                    resume(&parts, &missing).await;
                }
            }
        }
    }
}

/// What happened to the epoch before the one that is written, if that is why there is another.
fn set_aside(ledger: &Ledger) -> Option<String> {
    let opening = ledger.opening();
    let begun = opening.epoch;
    match &opening.set_aside {
        Some(reason) => Some(format!("the epoch before {begun} was set aside: {}", reason.text)),
        None if begun != Epoch::FIRST && opening.records == 0 => Some(format!(
            "epoch {begun} was begun, since the one before could not be gone on with; its first record says why"
        )),
        None => None,
    }
}

fn standing(ledger: &Ledger, aside: Option<&str>, checkpoint: Option<&FileError>) -> State {
    let checkpoint =
        checkpoint.map(|error| format!("no checkpoint can be written, and it is tried again: {}", chain(error)));
    let notes: Vec<String> = aside.map(str::to_owned).into_iter().chain(checkpoint).collect();
    match notes.as_slice() {
        [] => State::Good(ledger.origin().to_string()),
        notes => State::Kept(format!("{}: {}", ledger.origin(), notes.join("; "))),
    }
}

/// Shows how a book is that takes records.
fn show(parts: &Parts, ledger: &Ledger, aside: Option<&str>, checkpoint: Option<&FileError>) {
    let news = parts.health.set(Part::Ledger, standing(ledger, aside, checkpoint));
    if let Some(error) = checkpoint.filter(|_| news) {
        tracing::error!("no checkpoint can be written; records are, and it is tried again: {}", chain(error));
    }
}

async fn reopen(parts: &Parts, failure: &Failure) {
    match parts.gate.book.reopen(parts.gate.set.load_full(), failure).await {
        Ok(()) => {
            parts.metrics.ledger_reopened();
            if let Some(ledger) = parts.gate.book.ledger() {
                tell_opening(&ledger);
                tracing::info!("the book {} was opened again", ledger.origin());
                parts.health.set(Part::Ledger, at_start(&ledger));
            }
        }
        Err(error) => show_failing(parts, NO_MORE, still(chain(failure), &error)),
    }
}

/// A replica that is not ready gets no calls by which it would see that it can record again, so it tries by itself.
async fn resume(parts: &Parts, missing: &Missing) {
    match parts.gate.book.resume(missing).await {
        Ok(()) => {
            tracing::info!("the book makes records again; {} calls have none", missing.count);
            if let Some(ledger) = parts.gate.book.ledger() {
                parts.health.set(Part::Ledger, at_start(&ledger));
            }
        }
        Err(error) => show_failing(parts, NO_RECORD, still(chain(&missing.error), &error)),
    }
}

fn still(why: String, error: &BookError) -> String {
    format!("{why}; tried again, and {}", chain(error))
}

/// Says why attempts begin, unless that was told already: what came of the newest attempt says it too.
fn show_anew(parts: &Parts, words: &str, why: String, told: &mut Option<String>) {
    if told.as_ref() != Some(&why) {
        show_failing(parts, words, why.clone());
        *told = Some(why);
    }
}

/// Says once what is wrong. A replica that refuses what it can't record is not ready: others answer meanwhile.
fn show_failing(parts: &Parts, words: &str, text: String) {
    let answers = parts.config.ledger.as_ref().is_some_and(|ledger| ledger.without_record == WithoutRecord::Answer);
    let said = format!("{words}: {text}");
    let state = if answers { State::Kept(text) } else { State::Down(text) };
    if parts.health.set(Part::Ledger, state) {
        tracing::error!("{said}");
    }
}

/// When the next attempt may begin: each pause is twice the one before, until there was nothing to do for a while.
#[derive(Debug, Default)]
struct Attempts {
    last: Option<(Instant, Duration)>,
}

impl Attempts {
    fn may_begin(&mut self, now: Instant) -> bool {
        let pause = match self.last {
            Some((last, pause)) if now < last + pause => return false,
            Some((last, pause)) if now < last + pause + MOST => (pause * 2).min(MOST),
            _ => EVERY,
        };
        self.last = Some((now, pause));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ledger::Options;

    fn open(folder: &std::path::Path) -> Ledger {
        Ledger::open(folder, Options::new("a/b".parse().unwrap())).unwrap()
    }

    #[test]
    fn a_book_as_it_was_left_is_good() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(at_start(&open(folder.path())), State::Good("a/b".to_owned()));
        assert_eq!(at_start(&open(folder.path())), State::Good("a/b".to_owned()));
    }

    #[test]
    fn an_epoch_that_was_set_aside_and_one_that_is_gone_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()));
        let epoch = |number: u8| folder.path().join(format!("epochs/000000000{number}"));
        std::fs::write(epoch(1).join("checkpoint"), "damaged").unwrap();
        let State::Kept(text) = at_start(&open(folder.path())) else { panic!("it is not shown") };
        assert!(text.starts_with("a/b: the epoch before 2 was set aside: "), "{text}");
        std::fs::remove_dir_all(epoch(2)).unwrap();
        let State::Kept(text) = at_start(&open(folder.path())) else { panic!("it is not shown") };
        assert!(text.contains("epoch 3 was begun"), "{text}");
    }

    #[test]
    fn attempts_become_rarer_and_begin_anew_after_a_quiet_time() {
        let (begun, mut attempts) = (Instant::now(), Attempts::default());
        let at = |second: u64| begun + Duration::from_secs(second);
        let made: Vec<u64> = (0..120).filter(|second| attempts.may_begin(at(*second))).collect();
        assert_eq!(made, [0, 1, 3, 7, 15, 31, 61, 91]);
        assert!(attempts.may_begin(at(1000)) && attempts.may_begin(at(1001)));
    }
}
