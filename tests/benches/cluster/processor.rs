//! Who took how much of the processors while Pods were created.

use std::time::Duration;

/// Linux counts the processor's time in hundredths of a second, whatever the machine.
const TICK: Duration = Duration::from_millis(10);

/// Processes by name, and what each had taken when the watch began.
pub(crate) struct Watch(Vec<(&'static str, u32, Duration)>);

impl Watch {
    /// Begins.
    pub(crate) fn of(processes: impl IntoIterator<Item = (&'static str, u32)>) -> Self {
        Self(processes.into_iter().map(|(name, process)| (name, process, taken(process))).collect())
    }

    /// What each has taken since then, in milliseconds for each of so many Pods.
    pub(crate) fn per_pod(&self, pods: usize) -> Vec<(&'static str, f64)> {
        let of = |(name, process, before): &(&'static str, u32, Duration)| {
            let since = taken(*process).saturating_sub(*before);
            (*name, since.as_secs_f64() * 1e3 / pods as f64)
        };
        self.0.iter().map(of).collect()
    }
}

/// What a process has taken so far, in its own work and in the system's for it.
fn taken(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Its name, in parentheses, may have blanks.
    let (_, numbers) = stat.rsplit_once(')').unwrap();
    let ticks: u32 = numbers.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum();
    TICK * ticks
}
