//! What was measured in several rounds, and its medians: what neighbours do to a machine falls on one round or another,
//! and not on one row of the table.

use crate::sample::shown;

/// What it took to create Pods in one round.
pub(crate) struct Round {
    /// Pods in a second.
    pub(crate) per_second: f64,
    /// p50, p99 and p99.9, in milliseconds.
    pub(crate) quantiles: [f64; 3],
    /// How much of the processors each process took for a Pod, in milliseconds.
    pub(crate) taken: Vec<(&'static str, f64)>,
}

/// The same thing measured again and again.
#[derive(Default)]
pub(crate) struct Rounds(Vec<Round>);

impl Rounds {
    /// Adds one.
    pub(crate) fn add(&mut self, round: Round) {
        self.0.push(round);
    }

    /// The medians of all, in words.
    pub(crate) fn medians(&self) -> String {
        let quantiles = [0, 1, 2].map(|which| self.median(|round| round.quantiles[which]));
        let taken: Vec<_> = self.0[0].taken.iter().enumerate().map(|(which, (name, _))| (which, *name)).collect();
        let taken = taken
            .into_iter()
            .map(|(which, name)| format!("{name} {:.2} ms", self.median(|round| round.taken[which].1)));
        format!(
            "{:>6.0}/s  {}  of the processors for a Pod: {}",
            self.median(|round| round.per_second),
            shown(quantiles),
            taken.collect::<Vec<_>>().join("  ")
        )
    }

    /// Beside the same rounds of another: its share of the other's Pods, and how much longer one takes at the median,
    /// in the middle round of each and in the outermost.
    pub(crate) fn beside(&self, other: &Self) -> String {
        let pairs = || self.0.iter().zip(&other.0);
        let share = Spread::of(pairs().map(|(this, other)| this.per_second / other.per_second * 100.0));
        let longer = Spread::of(pairs().map(|(this, other)| this.quantiles[0] - other.quantiles[0]));
        format!(
            "{:.0} % of its Pods ({:.0} to {:.0}), {:+.2} ms at p50 ({:+.2} to {:+.2})",
            share.middle, share.least, share.most, longer.middle, longer.least, longer.most
        )
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        Spread::of(self.0.iter().map(of)).middle
    }
}

struct Spread {
    least: f64,
    middle: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        Self { least: values[0], middle: values[values.len() / 2], most: values[values.len() - 1] }
    }
}
