//! Looking after the book: one that failed is opened again by itself as soon as that can be done, less and less often the
//! longer it can't. Meanwhile `/readyz?verbose` says why there is none, and calls end as the configuration says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_ledger::Failure;
use tokio::time::MissedTickBehavior;

use super::assemble::Parts;
use crate::config::WithoutRecord;
use crate::health::{Part, State};
use crate::set::chain;
use crate::way::BookError;

/// A failure is seen after this long.
const EVERY: Duration = Duration::from_secs(1);

/// The longest pause between two attempts. Each reads the newest segment.
const MOST: Duration = Duration::from_secs(30);

/// Looks after the book for as long as the server runs.
pub(super) async fn look_after(parts: Arc<Parts>) {
    let mut attempts = Attempts::default();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let failure = parts.gate.book.ledger().and_then(|ledger| ledger.stats().failure);
        if let Some(failure) = failure.filter(|_| attempts.may_begin(Instant::now())) {
            reopen(&parts, &failure).await;
        }
    }
}

async fn reopen(parts: &Parts, failure: &Failure) {
    show(parts, chain(failure));
    match parts.gate.book.reopen(parts.gate.set.load_full(), failure).await {
        Ok(()) => {
            parts.metrics.ledger_reopened();
            let text = parts.gate.book.ledger().map(|ledger| ledger.origin().to_string()).unwrap_or_default();
            tracing::info!("the book {text} was opened again");
            parts.health.set(Part::Ledger, State::Good(text));
        }
        Err(error) => show(parts, still(failure, &error)),
    }
}

fn still(failure: &Failure, error: &BookError) -> String {
    format!("{}; tried again, and {}", chain(failure), chain(error))
}

/// Says once what is wrong. A replica that refuses what it can't record is not ready: others answer meanwhile.
fn show(parts: &Parts, text: String) {
    let answers = parts.config.ledger.as_ref().is_some_and(|ledger| ledger.without_record == WithoutRecord::Answer);
    let words = format!("the book takes no more records: {text}");
    let state = if answers { State::Kept(text) } else { State::Down(text) };
    if parts.health.set(Part::Ledger, state) {
        tracing::error!("{words}");
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

    #[test]
    fn attempts_become_rarer_and_begin_anew_after_a_quiet_time() {
        let (begun, mut attempts) = (Instant::now(), Attempts::default());
        let at = |second: u64| begun + Duration::from_secs(second);
        let made: Vec<u64> = (0..120).filter(|second| attempts.may_begin(at(*second))).collect();
        assert_eq!(made, [0, 1, 3, 7, 15, 31, 61, 91]);
        assert!(attempts.may_begin(at(1000)) && attempts.may_begin(at(1001)));
    }
}
