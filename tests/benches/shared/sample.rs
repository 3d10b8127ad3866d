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

    /// `p50 …  p99 …  p99.9 …`
    pub(crate) fn quantiles(&mut self) -> String {
        self.0.sort_unstable();
        let at = |share: f64| self.0.get((self.0.len() as f64 * share) as usize).copied().unwrap_or_default();
        let shown = |took: Duration| format!("{:>9.3} ms", took.as_secs_f64() * 1e3);
        format!("p50 {}  p99 {}  p99.9 {}", shown(at(0.5)), shown(at(0.99)), shown(at(0.999)))
    }
}
