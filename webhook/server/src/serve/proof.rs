//! Proving the book whole while it is written: soon after the start, then once a day, every byte of it is read again
//! and held against what was signed, and all that its records name is there. What came of it is told; nothing is
//! mended, and calls are answered as before.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portreeve_ledger::{BookProof, Report, VerifyError, verify_naming};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::assemble::Parts;
use crate::config::{LedgerConfig, ProofConfig};
use crate::health::{Health, Part, State};
use crate::metrics::Metrics;
use crate::set::chain;
use crate::way::named;

/// Proves the book again and again, for as long as the server runs.
pub(super) async fn follow(parts: Arc<Parts>) {
    let Some(LedgerConfig { folder, proof, .. }) = &parts.config.ledger else { return };
    let mut times = times(*proof);
    loop {
        times.tick().await;
        let folder = folder.clone();
        match spawn_blocking(move || verify_naming(&folder, None, named)).await {
            Ok(proved) => take_down(&parts, &proved),
            Err(error) => {
                tracing::error!(%error, "the proof of the book was cut short; it is begun anew when the next is due");
            }
        }
    }
}

/// What is shown until the first proof.
pub(super) fn at_start(ledger: Option<&LedgerConfig>) -> State {
    State::Good(match ledger {
        None => "there is no book".to_owned(),
        Some(LedgerConfig { proof: ProofConfig { every_hours, first_after_minutes }, .. }) => {
            format!(
                "the book is read again {first_after_minutes} minutes after the start, then every {every_hours} hours"
            )
        }
    })
}

fn times(proof: ProofConfig) -> Interval {
    let first = Duration::from_secs(60 * u64::from(proof.first_after_minutes));
    let every = Duration::from_secs(3600 * u64::from(proof.every_hours.get()));
    let mut times = interval_at(Instant::now() + first, every);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    times
}

fn take_down(parts: &Parts, proved: &Result<Report, VerifyError>) {
    let now = (parts.gate.clock)();
    let Some(origin) = parts.gate.book.ledger().map(|ledger| ledger.origin().to_string()) else { return };
    parts.proof.store(Some(Arc::new(BookProof::of(&origin, proved, now))));
    tell(proved, now, &parts.health, &parts.metrics);
}

fn tell(proved: &Result<Report, VerifyError>, now: Timestamp, health: &Health, metrics: &Metrics) {
    match proved {
        Ok(report) => {
            let text = format!("the book was whole at {now:.0}, {} records", report.records());
            tracing::info!("{text}");
            health.set(Part::Proof, State::Good(text));
            metrics.ledger_proved(now);
        }
        Err(error) => {
            let text = format!("at {now:.0} {}; `portreeve ledger verify` tells all of it", chain(error));
            tracing::error!("{text}");
            health.set(Part::Proof, State::Kept(text));
            metrics.ledger_not_proved();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroU32;
    use std::path::Path;

    use portreeve_ledger::{Ledger, Options};

    use super::*;
    use crate::metrics::Exposition;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn book(folder: &Path) {
        let ledger = Ledger::open(folder, Options::new("test/one".parse().unwrap())).unwrap();
        ledger.close().unwrap();
    }

    fn told(folder: &Path) -> (String, String) {
        let (health, metrics) = (Health::default(), Metrics::default());
        tell(&verify_naming(folder, None, named), NOW, &health, &metrics);
        (health.report(), metrics.text(Exposition::OpenMetrics).unwrap())
    }

    #[test]
    fn a_whole_book_is_told_with_the_time_of_its_proof() {
        let folder = tempfile::tempdir().unwrap();
        book(folder.path());
        let (report, metrics) = told(folder.path());
        assert!(report.contains("[+] proof: the book was whole at 2027-01-15T08:00:00Z, "), "{report}");
        assert!(metrics.contains("portreeve_ledger_proved_timestamp_seconds 1800000000.0\n"), "{metrics}");
        assert!(metrics.contains("portreeve_ledger_proof_failed 0\n"), "{metrics}");
    }

    #[test]
    fn a_book_with_a_fault_is_told_with_its_place_and_serves_on() {
        let folder = tempfile::tempdir().unwrap();
        book(folder.path());
        let checkpoint = folder.path().join("epochs/0000000001/checkpoint");
        fs::write(&checkpoint, "test/one\n").unwrap();
        let (report, metrics) = told(folder.path());
        assert!(report.contains("[!] proof: at 2027-01-15T08:00:00Z the book in "), "{report}");
        assert!(report.contains(&checkpoint.display().to_string()), "{report}");
        assert!(metrics.contains("portreeve_ledger_proof_failed 1\n"), "{metrics}");
        assert!(metrics.contains("portreeve_ledger_proved_timestamp_seconds 0.0\n"), "{metrics}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_proof_comes_soon_after_the_start_and_the_next_when_it_is_due() {
        let begun = Instant::now();
        let proof = ProofConfig { every_hours: NonZeroU32::MIN, ..ProofConfig::default() };
        let mut times = times(proof);
        times.tick().await;
        assert_eq!(begun.elapsed().as_secs(), 600);
        times.tick().await;
        assert_eq!(begun.elapsed().as_secs(), 600 + 3600);
    }
}
