//! From when to when a certificate holds. The clock is always handed in; nothing here reads one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How far before its making a certificate begins, so that a client whose clock runs behind accepts it at once.
pub const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// The validity of a certificate, both ends included and in whole seconds ([RFC 5280, 4.1.2.5]).
///
/// [RFC 5280, 4.1.2.5]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Validity {
    /// A validity for something made at `now` that is meant to hold for `lifetime`; it begins [`BACKDATE`] earlier.
    ///
    /// # Errors
    /// When `now` is before 1970, when the end lies past the year 9999, or when the lifetime is under a second.
    pub fn starting(now: Timestamp, lifetime: Duration) -> Result<Self, ValidityError> {
        let now = whole_seconds(now);
        if lifetime < Duration::from_secs(1) {
            return Err(ValidityError::TooShort);
        }
        if now < Timestamp::UNIX_EPOCH {
            return Err(ValidityError::OutOfRange { now, lifetime });
        }
        let not_after = now.checked_add(lifetime).map(whole_seconds);
        let not_before = now.checked_sub(BACKDATE);
        match (not_before, not_after) {
            (Ok(not_before), Ok(not_after)) => Ok(Self { not_before, not_after }),
            _ => Err(ValidityError::OutOfRange { now, lifetime }),
        }
    }

    /// The validity that a certificate states, whoever made it.
    pub(crate) fn stated(not_before: Timestamp, not_after: Timestamp) -> Self {
        Self { not_before, not_after }
    }

    /// The first second at which it holds.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second at which it holds.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether it holds at `now`.
    pub fn covers(&self, now: Timestamp) -> bool {
        let now = whole_seconds(now);
        self.not_before <= now && now <= self.not_after
    }

    /// When two thirds of it are over: time to renew, with a third of its life left to notice that renewal fails.
    pub fn two_thirds(&self) -> Timestamp {
        let life = self.not_after.duration_since(self.not_before);
        let two_thirds = SignedDuration::from_secs(life.as_secs().saturating_mul(2) / 3);
        self.not_before.saturating_add(two_thirds).unwrap_or(self.not_after)
    }

    /// When something with this validity was made, if it was made by [`Validity::starting`].
    pub(crate) fn issued_at(&self) -> Timestamp {
        self.not_before.saturating_add(BACKDATE).unwrap_or(self.not_before)
    }

    /// The same, cut to end no later than `limit` does: nothing outlives what signed it.
    pub(crate) fn within(self, limit: &Self) -> Self {
        Self { not_after: self.not_after.min(limit.not_after), ..self }
    }
}

/// X.509 has no fractions of a second.
pub(crate) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// A validity that no certificate can state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidityError {
    /// Under a second.
    #[error("a lifetime under one second makes no certificate; give at least an hour")]
    TooShort,
    /// Before 1970 or past the year 9999.
    #[error(
        "a certificate made at {now} for {lifetime:?} lies outside the years 1970 to 9999; check the clock and the lifetime"
    )]
    OutOfRange {
        /// The time handed in.
        now: Timestamp,
        /// The lifetime asked for.
        lifetime: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn begins_five_minutes_early_and_ends_after_its_lifetime() {
        let validity = Validity::starting(at("2030-01-01T00:00:00.9Z"), Duration::from_secs(3600)).unwrap();
        assert_eq!(validity.not_before(), at("2029-12-31T23:55:00Z"));
        assert_eq!(validity.not_after(), at("2030-01-01T01:00:00Z"));
    }

    #[test]
    fn covers_both_of_its_ends_and_nothing_beyond() {
        let validity = Validity::starting(at("2030-01-01T00:00:00Z"), Duration::from_secs(3600)).unwrap();
        assert!(validity.covers(at("2029-12-31T23:55:00Z")));
        assert!(validity.covers(at("2030-01-01T01:00:00.5Z")));
        assert!(!validity.covers(at("2029-12-31T23:54:59Z")));
        assert!(!validity.covers(at("2030-01-01T01:00:01Z")));
    }

    #[test]
    fn two_thirds_are_counted_from_its_stated_beginning() {
        let validity = Validity::stated(at("2030-01-01T00:00:00Z"), at("2030-01-04T00:00:00Z"));
        assert_eq!(validity.two_thirds(), at("2030-01-03T00:00:00Z"));
    }

    #[test]
    fn refuses_a_lifetime_past_the_year_9999() {
        let refused = Validity::starting(at("9999-01-01T00:00:00Z"), Duration::from_secs(400 * 86_400));
        assert!(matches!(refused, Err(ValidityError::OutOfRange { .. })));
    }

    #[test]
    fn refuses_a_clock_before_1970() {
        let refused = Validity::starting(at("1969-12-31T23:59:59Z"), Duration::from_secs(3600));
        assert!(matches!(refused, Err(ValidityError::OutOfRange { .. })));
    }

    #[test]
    fn refuses_a_lifetime_under_a_second() {
        let refused = Validity::starting(at("2030-01-01T00:00:00Z"), Duration::from_millis(10));
        assert_eq!(refused, Err(ValidityError::TooShort));
    }
}
