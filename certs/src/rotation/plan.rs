//! What is due next, and when: a pure function of the folder's state, the clock and the policy.

use jiff::{SignedDuration, Timestamp};

use super::{LeafReason, Renewal, RotationPolicy, State, Upcoming};
use crate::certificate::Certificate;

/// The first step that is due at `now`, in the order in which they must be taken; when none is, the earliest to come.
pub(super) fn upcoming(state: &State, now: Timestamp, policy: &RotationPolicy) -> Upcoming {
    let leaf = leaf(state, now, policy);
    let in_order = [
        bundle(state, now),
        authority(state, now, policy),
        Some(leaf.clone()),
        retirement(state),
        token(state, now),
        token_end(state),
    ];
    let steps: Vec<Upcoming> = in_order.into_iter().flatten().collect();
    let due = steps.iter().find(|step| step.at <= now);
    due.or_else(|| steps.iter().min_by_key(|step| step.at)).cloned().unwrap_or(leaf)
}

fn bundle(state: &State, now: Timestamp) -> Option<Upcoming> {
    let missing = !state.bundle.contains(&state.authority);
    missing.then_some(Upcoming { at: now, what: Renewal::BundleRepaired })
}

fn authority(state: &State, now: Timestamp, policy: &RotationPolicy) -> Option<Upcoming> {
    let own = state.authority.validity();
    match announced(state, now) {
        Some(next) => {
            let known = later(next.validity().issued_at(), policy);
            // A CA that has ended serves nobody: then there is no overlap to wait for.
            let at = if own.covers(now) { known.min(own.not_after()) } else { now };
            Some(Upcoming { at, what: Renewal::AuthorityPromoted })
        }
        None => {
            let waits = own.covers(now) && !policy.asks_for_authority(own, now);
            Some(Upcoming { at: if waits { own.two_thirds() } else { now }, what: Renewal::AuthorityAnnounced })
        }
    }
}

/// The announced CA, if it can be relied upon. One that never reached the bundle is announced again, since nobody knows
/// since when it lay there.
fn announced(state: &State, now: Timestamp) -> Option<&Certificate> {
    state.announced.as_ref().filter(|next| state.bundle.contains(next) && next.validity().covers(now))
}

fn leaf(state: &State, now: Timestamp, policy: &RotationPolicy) -> Upcoming {
    let at_once = |reason| Upcoming { at: now, what: Renewal::LeafIssued(reason) };
    let Some(leaf) = &state.leaf else { return at_once(LeafReason::Missing) };
    if !leaf.validity().covers(now) {
        return at_once(LeafReason::NotValid);
    }
    if !leaf.signed_by(&state.authority) {
        return at_once(LeafReason::AuthorityChanged);
    }
    if !policy.names().same_as(leaf.names()) {
        return at_once(LeafReason::NamesChanged);
    }
    if policy.asks_for_leaf(leaf.validity(), now) {
        return at_once(LeafReason::Asked);
    }
    // A leaf that was cut to its CA's end would be cut again: it is replaced when the next CA signs.
    let cut = leaf.validity().not_after() >= state.authority.validity().not_after();
    let at = if cut { leaf.validity().not_after() } else { leaf.validity().two_thirds() };
    Upcoming { at, what: Renewal::LeafIssued(LeafReason::TwoThirdsOver) }
}

fn retirement(state: &State) -> Option<Upcoming> {
    let ends = state.retiring().map(|authority| Upcoming {
        at: needed_until(state, authority).saturating_add(SECOND).unwrap_or(Timestamp::MAX),
        what: Renewal::AuthorityRetired(authority.fingerprint()),
    });
    ends.min_by_key(|step| step.at)
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The last second of the last leaf that `authority` signed. Where the list is lost, the CA's own end, which no leaf
/// outlives.
fn needed_until(state: &State, authority: &Certificate) -> Timestamp {
    let own = authority.validity().not_after();
    let Some(issued) = &state.issued else { return own };
    let signed = issued.iter().chain(&state.leaf).filter(|leaf| leaf.signed_by(authority));
    signed.map(|leaf| leaf.validity().not_after()).max().unwrap_or(Timestamp::UNIX_EPOCH).min(own)
}

fn token(state: &State, now: Timestamp) -> Option<Upcoming> {
    let announce = Upcoming { at: now, what: Renewal::TokenAnnounced };
    let promote = |at| Upcoming { at, what: Renewal::TokenPromoted };
    let (Some(newest), Some(current)) = (state.tokens.newest(), state.tokens.current(now)) else {
        return Some(announce);
    };
    let issued = state.leaf.as_ref().map(|leaf| leaf.validity().issued_at());
    if issued.is_some_and(|issued| issued > newest.registered_from) {
        return Some(announce);
    }
    if state.registered.as_deref() != Some(current.token.as_str()) {
        return Some(promote(now));
    }
    (newest.registered_from > now).then(|| promote(newest.registered_from))
}

fn token_end(state: &State) -> Option<Upcoming> {
    state.tokens.next_end().map(|at| Upcoming { at, what: Renewal::TokenRetired })
}

fn later(from: Timestamp, policy: &RotationPolicy) -> Timestamp {
    from.saturating_add(policy.overlap()).unwrap_or(Timestamp::MAX)
}
