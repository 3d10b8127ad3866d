//! How often something may happen: so many at once, and one more after each while. No clock is read here.

use std::time::Duration;

use tokio::time::Instant;

/// So many at once, then one each while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Until there may be one more.
    pub each: Duration,
}

/// What is left of a rate: by when all that was taken is given back.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    rate: Rate,
    whole_at: Instant,
}

impl Bucket {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, whole_at: now }
    }

    /// Whether there is one beside so many that are kept for others.
    pub(super) fn has(&self, now: Instant, kept: u32) -> bool {
        self.after_one(now) - now <= self.rate.each * self.rate.burst.saturating_sub(kept)
    }

    /// Takes one, if there is one beside those.
    pub(super) fn take(&mut self, now: Instant, kept: u32) -> bool {
        let has = self.has(now, kept);
        if has {
            self.whole_at = self.after_one(now);
        }
        has
    }

    /// Half of what there may be at once.
    pub(super) fn half(&self) -> u32 {
        self.rate.burst / 2
    }

    fn after_one(&self, now: Instant) -> Instant {
        self.whole_at.max(now) + self.rate.each
    }

    /// Whether all is given back.
    pub(super) fn is_whole(&self, now: Instant) -> bool {
        self.whole_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_at_once_and_one_more_after_each_while() {
        let (now, each) = (Instant::now(), Duration::from_secs(1));
        let mut bucket = Bucket::new(Rate { burst: 3, each }, now);
        let taken = |bucket: &mut Bucket, now| (0..10).filter(|_| bucket.take(now, 0)).count();
        assert_eq!(taken(&mut bucket, now), 3);
        assert_eq!(taken(&mut bucket, now + each), 1);
        assert!(!bucket.is_whole(now + each));
        assert_eq!(taken(&mut bucket, now + each * 60), 3);
    }

    #[test]
    fn what_is_kept_for_others_is_left() {
        let (now, each) = (Instant::now(), Duration::from_secs(1));
        let mut bucket = Bucket::new(Rate { burst: 3, each }, now);
        assert_eq!((0..10).filter(|_| bucket.take(now, 2)).count(), 1);
        assert_eq!((0..10).filter(|_| bucket.take(now, 0)).count(), 2);
    }
}
