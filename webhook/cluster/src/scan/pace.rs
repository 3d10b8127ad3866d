//! How fast objects are judged: no faster than the settings say, without making up for time that was lost.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Turns at even distances.
#[derive(Debug)]
pub(super) struct Pace {
    each: Duration,
    next: Instant,
}

impl Pace {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self { each: Duration::from_secs(1) / per_second.get(), next: Instant::now() }
    }

    /// Waits for the next turn. After a pause the turns go on from now: no burst follows it.
    pub(super) async fn turn(&mut self) {
        let now = Instant::now();
        if self.next > now {
            sleep_until(self.next).await;
        }
        self.next = self.next.max(now) + self.each;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_second(rate: u32) -> Pace {
        Pace::new(NonZeroU32::new(rate).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_no_more_turns_than_the_rate() {
        let (mut pace, began) = (per_second(100), Instant::now());
        for _ in 0..301 {
            pace.turn().await;
        }
        assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_millis(3100), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let mut pace = per_second(10);
        tokio::time::advance(Duration::from_secs(60)).await;
        let began = Instant::now();
        for _ in 0..11 {
            pace.turn().await;
        }
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    }
}
