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

    /// Whether there is one.
    pub(super) fn has(&self, now: Instant) -> bool {
        self.after_one(now) - now <= self.rate.each * self.rate.burst
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let has = self.has(now);
        if has {
            self.whole_at = self.after_one(now);
        }
        has
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
        let taken = |bucket: &mut Bucket, now| (0..10).filter(|_| bucket.take(now)).count();
        assert_eq!(taken(&mut bucket, now), 3);
        assert_eq!(taken(&mut bucket, now + each), 1);
        assert!(!bucket.is_whole(now + each));
        assert_eq!(taken(&mut bucket, now + each * 60), 3);
    }
}
