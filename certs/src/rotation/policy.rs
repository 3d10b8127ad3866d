//! What is ours to renew, and how long it lives. Checked once, so that the plan can rely on the order of the times.

use std::time::Duration;

use jiff::Timestamp;

use crate::names::ServerNames;
use crate::validity::{Validity, whole_seconds};

/// What the leaf is for and how long CA, leaf and overlap last; or, where the certificate is somebody else's, how long
/// the token does.
#[derive(Debug, Clone)]
pub struct RotationPolicy {
    names: Option<ServerNames>,
    authority: Duration,
    leaf: Duration,
    overlap: Duration,
    asked: Asked,
}

/// What somebody asked to be renewed before two thirds of its life are over: whatever was issued before a time. A time
/// that is yet to come asks for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// A CA that was. Its leaves and the token follow it, when it signs.
    pub authority: Option<Timestamp>,
    /// A serving certificate that was. The token follows it, or is what is renewed where it is all that is ours.
    pub leaf: Option<Timestamp>,
}

impl RotationPolicy {
    /// Lifetimes that suit a webhook: a CA for a year, a leaf for 90 days, one day's overlap.
    pub fn new(names: ServerNames) -> Self {
        Self { names: Some(names), ..Self::of_tokens() }
    }

    /// Where the certificate is somebody else's: the token alone is renewed, when a leaf of our own would be.
    pub fn of_tokens() -> Self {
        Self { names: None, authority: 365 * DAY, leaf: 90 * DAY, overlap: DAY, asked: Asked::default() }
    }

    /// Other lifetimes. `overlap` is how long clients have to take up a new bundle or path before it is used.
    ///
    /// # Errors
    /// When a leaf is for under an hour or outlives its CA, or the overlap is under a minute or over a third of the
    /// leaf's life (what is left of it at renewal).
    pub fn with_lifetimes(self, authority: Duration, leaf: Duration, overlap: Duration) -> Result<Self, PolicyError> {
        if leaf < SHORTEST_LEAF {
            return Err(PolicyError::LeafTooShort { leaf });
        }
        if leaf > authority {
            return Err(PolicyError::LeafOutlivesAuthority { leaf, authority });
        }
        if overlap < SHORTEST_OVERLAP || overlap > leaf / 3 {
            return Err(PolicyError::Overlap { overlap, longest: leaf / 3 });
        }
        Ok(Self { authority, leaf, overlap, ..self })
    }

    /// The same with what somebody asked to be renewed sooner.
    #[must_use]
    pub fn asked(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    /// Whether a CA of this validity is to be renewed, since somebody asked.
    pub(super) fn asks_for_authority(&self, validity: &Validity, now: Timestamp) -> bool {
        is_asked(self.asked.authority, validity.issued_at(), now)
    }

    /// The same of a leaf.
    pub(super) fn asks_for_leaf(&self, validity: &Validity, now: Timestamp) -> bool {
        is_asked(self.asked.leaf, validity.issued_at(), now)
    }

    /// The same of a token that goes with no certificate of ours: with no CA either, whatever is asked for means it.
    pub(super) fn asks_for_token(&self, registered_from: Timestamp, now: Timestamp) -> bool {
        [self.asked.leaf, self.asked.authority].into_iter().any(|before| is_asked(before, registered_from, now))
    }

    /// The names that the leaf is for; none where the certificate is somebody else's, and the token alone is ours.
    pub fn names(&self) -> Option<&ServerNames> {
        self.names.as_ref()
    }

    /// How long a CA holds.
    pub fn authority(&self) -> Duration {
        self.authority
    }

    /// How long a leaf holds, or would: tokens come as often.
    pub fn leaf(&self) -> Duration {
        self.leaf
    }

    /// How long something new is known before it is used.
    pub fn overlap(&self) -> Duration {
        self.overlap
    }
}

fn is_asked(before: Option<Timestamp>, issued: Timestamp, now: Timestamp) -> bool {
    // The clock is read in whole seconds, and nobody who asks should wait for the next look for the rest of one.
    before.map(whole_seconds).is_some_and(|before| before <= now && issued < before)
}

const DAY: Duration = Duration::from_secs(86_400);
/// Shorter, and the five minutes of backdating would be a good part of the life.
const SHORTEST_LEAF: Duration = Duration::from_secs(3_600);
/// A mounted Secret takes up to a minute and a half to reach its pod; under one minute nobody is helped.
const SHORTEST_OVERLAP: Duration = Duration::from_secs(60);

/// Lifetimes that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Under an hour.
    #[error("a leaf for {leaf:?} is too short; give it at least an hour")]
    LeafTooShort {
        /// As asked for.
        leaf: Duration,
    },
    /// The leaf would end after its CA.
    #[error("a leaf for {leaf:?} would outlive its CA ({authority:?}); shorten the one or lengthen the other")]
    LeafOutlivesAuthority {
        /// As asked for.
        leaf: Duration,
        /// As asked for.
        authority: Duration,
    },
    /// No overlap to speak of, or more than renewal leaves time for.
    #[error(
        "an overlap of {overlap:?} does not fit; give between one minute and a third of the leaf's life ({longest:?})"
    )]
    Overlap {
        /// As asked for.
        overlap: Duration,
        /// The longest that fits.
        longest: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetimes(authority: Duration, leaf: Duration, overlap: Duration) -> Result<RotationPolicy, PolicyError> {
        RotationPolicy::new(ServerNames::parse(["localhost"]).unwrap()).with_lifetimes(authority, leaf, overlap)
    }

    #[test]
    fn its_defaults_pass_its_own_check() {
        let policy = RotationPolicy::new(ServerNames::parse(["localhost"]).unwrap());
        assert!(lifetimes(policy.authority(), policy.leaf(), policy.overlap()).is_ok());
    }

    #[test]
    fn refuses_a_leaf_under_an_hour() {
        assert!(matches!(lifetimes(DAY, SHORTEST_LEAF / 2, DAY), Err(PolicyError::LeafTooShort { .. })));
    }

    #[test]
    fn refuses_a_leaf_that_outlives_its_ca() {
        assert!(matches!(lifetimes(DAY, 2 * DAY, DAY / 4), Err(PolicyError::LeafOutlivesAuthority { .. })));
    }

    #[test]
    fn refuses_an_overlap_that_renewal_leaves_no_time_for() {
        assert!(matches!(lifetimes(10 * DAY, 3 * DAY, 2 * DAY), Err(PolicyError::Overlap { .. })));
        assert!(matches!(lifetimes(10 * DAY, 3 * DAY, Duration::ZERO), Err(PolicyError::Overlap { .. })));
        assert!(lifetimes(10 * DAY, 3 * DAY, DAY).is_ok());
    }
}
