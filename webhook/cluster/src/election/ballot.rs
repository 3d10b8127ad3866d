//! Whose turn it is, by what the lease says and how long it has said so. No clock is read here but for what is written
//! into the lease for people.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// What a candidate knows.
#[derive(Debug, Clone)]
pub(super) struct Ballot {
    identity: String,
    /// How long the lease is ours after we wrote it.
    term: Duration,
    seen: Option<Seen>,
}

/// What the lease said when we last looked, and since when.
#[derive(Debug, Clone)]
struct Seen {
    spec: LeaseSpec,
    since: Instant,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Turn {
    /// Another's.
    Others,
    /// Ours, if the lease can be written so.
    Ours(LeaseSpec),
}

impl Ballot {
    pub(super) fn new(identity: String, term: Duration) -> Self {
        Self { identity, term, seen: None }
    }

    /// The first lease.
    pub(super) fn first(&self) -> LeaseSpec {
        self.held(0, None)
    }

    /// Whose turn it is `now`, with the lease as it stands.
    pub(super) fn turn(&mut self, spec: Option<&LeaseSpec>, now: Instant) -> Turn {
        let spec = spec.cloned().unwrap_or_default();
        let ours = spec.holder_identity.as_deref() == Some(self.identity.as_str());
        let free = spec.holder_identity.as_deref().is_none_or(str::is_empty);
        let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = lasts.map_or(self.term, Duration::from_secs);
        let since = match &self.seen {
            Some(seen) if seen.spec == spec => seen.since,
            _ => now,
        };
        let transitions = spec.lease_transitions.unwrap_or_default();
        let turn = if ours {
            Turn::Ours(self.held(transitions, spec.acquire_time.clone()))
        } else if free || now.duration_since(since) >= lasts {
            Turn::Ours(self.held(transitions.saturating_add(1), None))
        } else {
            Turn::Others
        };
        self.seen = Some(Seen { spec, since });
        turn
    }

    /// The lease for whoever is first; none if it is no longer ours to give.
    pub(super) fn given_back(&self, spec: Option<&LeaseSpec>) -> Option<LeaseSpec> {
        let spec = spec.filter(|spec| spec.holder_identity.as_deref() == Some(self.identity.as_str()))?;
        Some(LeaseSpec { holder_identity: Some(String::new()), renew_time: Some(written_now()), ..spec.clone() })
    }

    fn held(&self, transitions: i32, since: Option<MicroTime>) -> LeaseSpec {
        let now = written_now();
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.term.as_secs()).ok(),
            lease_transitions: Some(transitions),
            acquire_time: since.or_else(|| Some(now.clone())),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }
}

fn written_now() -> MicroTime {
    MicroTime(Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(15);

    fn ballot(identity: &str) -> Ballot {
        Ballot::new(identity.to_owned(), TERM)
    }

    fn holder(turn: &Turn) -> Option<&str> {
        match turn {
            Turn::Ours(spec) => spec.holder_identity.as_deref(),
            Turn::Others => None,
        }
    }

    #[test]
    fn a_lease_that_is_ours_is_renewed() {
        let mut ours = ballot("a");
        let Turn::Ours(renewed) = ours.turn(Some(&ballot("a").first()), Instant::now()) else { panic!() };
        assert_eq!(renewed.lease_transitions, Some(0));
    }

    #[test]
    fn anothers_lease_is_left_alone_while_it_is_renewed() {
        let (mut ours, begun) = (ballot("a"), Instant::now());
        for half in 0..6_u32 {
            let lease = LeaseSpec {
                renew_time: Some(MicroTime(Timestamp::from_second(half.into()).unwrap())),
                ..ballot("b").first()
            };
            assert_eq!(ours.turn(Some(&lease), begun + TERM / 2 * half), Turn::Others);
        }
    }

    #[test]
    fn anothers_lease_is_taken_once_it_was_not_renewed_for_its_term() {
        let (mut ours, begun, lease) = (ballot("a"), Instant::now(), ballot("b").first());
        assert_eq!(ours.turn(Some(&lease), begun), Turn::Others);
        assert_eq!(ours.turn(Some(&lease), begun + TERM - Duration::from_millis(1)), Turn::Others);
        let turn = ours.turn(Some(&lease), begun + TERM);
        assert_eq!(holder(&turn), Some("a"));
        let Turn::Ours(taken) = turn else { panic!() };
        assert_eq!(taken.lease_transitions, Some(1));
    }

    #[test]
    fn the_clock_of_another_is_not_believed() {
        let long_ago = Some(MicroTime(Timestamp::from_second(0).unwrap()));
        let lease = LeaseSpec { renew_time: long_ago, ..ballot("b").first() };
        assert_eq!(ballot("a").turn(Some(&lease), Instant::now()), Turn::Others);
    }

    #[test]
    fn a_lease_that_was_given_back_is_taken_at_once() {
        let given = ballot("b").given_back(Some(&ballot("b").first())).unwrap();
        assert_eq!(holder(&ballot("a").turn(Some(&given), Instant::now())), Some("a"));
    }

    #[test]
    fn only_the_holder_gives_back() {
        assert_eq!(ballot("a").given_back(Some(&ballot("b").first())), None);
    }
}
