//! How long a call may take. The API server says how long it waits; the answer leaves with room to spare, and facts
//! and policies stop earlier still, so that there is time to record what came of them.

use std::time::{Duration, Instant};

/// The moments of one call.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Facts and policies stop here.
    pub judged: Instant,
    /// The record is there, or the answer is a failure.
    pub recorded: Instant,
}

/// What the API server waits if it does not say.
const ASSUMED: Duration = Duration::from_secs(10);
/// The most that the API server allows.
const MOST: Duration = Duration::from_secs(30);

/// A `timeout` that is not a duration as Go writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("timeout={0:?} is not a duration such as 10s or 1m30s or 500ms")]
pub struct DurationError(String);

impl Deadlines {
    /// For a call that came at `begun`, whose caller waits `timeout` (as in `?timeout=10s`).
    ///
    /// # Errors
    /// If the timeout is no duration.
    pub fn of(begun: Instant, timeout: Option<&str>) -> Result<Self, DurationError> {
        let whole = timeout.map(duration).transpose()?.unwrap_or(ASSUMED).min(MOST);
        // A twentieth, and at least what a busy machine takes to send an answer.
        let margin = (whole / 20).max(Duration::from_millis(50)).min(whole / 2);
        let recorded = begun + (whole - margin);
        Ok(Self { judged: begun + (whole - margin) * 3 / 4, recorded })
    }
}

/// A duration as Go writes it: numbers with units, such as `1m30s`, `1.5s`, `500ms`.
///
/// # Errors
/// If the text is none.
pub fn duration(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError(text.to_owned());
    let mut rest = text;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(error());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(letters);
        let seconds = number.parse::<f64>().map_err(|_| error())? * seconds_in(unit).ok_or_else(error)?;
        let part = Duration::try_from_secs_f64(seconds).map_err(|_| error())?;
        total = total.checked_add(part).ok_or_else(error)?;
        rest = next;
    }
    Ok(total)
}

fn seconds_in(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-9),
        "us" | "µs" => Some(1e-6),
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_as_go_writes_them() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in ["", "10", "s", "1x", "-1s", "1.2.3s", "9e9h", "5000000000000000h5000000000000000h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn judging_ends_before_recording_and_recording_before_the_caller_gives_up() {
        for timeout in ["1ms", "100ms", "1s", "10s", "30s"] {
            let begun = Instant::now();
            let deadlines = Deadlines::of(begun, Some(timeout)).unwrap();
            assert!(begun < deadlines.judged && deadlines.judged < deadlines.recorded, "{timeout}");
            assert!(deadlines.recorded < begun + duration(timeout).unwrap(), "{timeout}");
        }
    }

    #[test]
    fn no_caller_waits_longer_than_the_api_server_allows() {
        let begun = Instant::now();
        assert!(Deadlines::of(begun, Some("10m")).unwrap().recorded < begun + MOST);
    }
}
