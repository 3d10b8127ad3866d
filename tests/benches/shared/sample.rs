//! Samples of time and what is said of them.

use std::time::Duration;

/// Times of one thing.
#[derive(Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    /// Adds one.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// Adds those of another.
    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// p50, p99 and p99.9, in milliseconds.
    pub(crate) fn quantiles(&mut self) -> [f64; 3] {
        self.0.sort_unstable();
        let at = |share: f64| self.0.get((self.0.len() as f64 * share) as usize).copied().unwrap_or_default();
        [0.5, 0.99, 0.999].map(|share| at(share).as_secs_f64() * 1e3)
    }
}

/// `p50 …  p99 …  p99.9 …`
pub(crate) fn shown([p50, p99, p999]: [f64; 3]) -> String {
    format!("p50 {p50:>9.3} ms  p99 {p99:>9.3} ms  p99.9 {p999:>9.3} ms")
}
