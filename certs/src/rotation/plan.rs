//! What is due next, and when: a pure function of the folder's state, the clock and the policy.

use jiff::{SignedDuration, Timestamp};

use super::{LeafReason, Renewal, RotationPolicy, State, Tokens, Upcoming};
use crate::certificate::Certificate;

/// The first step that is due at `now`, in the order in which they must be taken; when none is, the earliest to come.
pub(super) fn upcoming(state: &State, now: Timestamp, policy: &RotationPolicy) -> Upcoming {
    let leaf = leaf(state, now, policy);
    let issued = state.leaf.as_ref().map(|leaf| leaf.validity().issued_at());
    let in_order = [
        bundle(state, now),
        authority(state, now, policy),
        Some(leaf.clone()),
        retirement(state),
        token(&state.tokens, issued, now),
        token_end(&state.tokens),
    ];
    first(in_order, now).unwrap_or(leaf)
}

/// The same where the certificate is somebody else's: a token has a leaf's life then, from its registration on.
pub(super) fn upcoming_of_tokens(tokens: &Tokens, now: Timestamp, policy: &RotationPolicy) -> Upcoming {
    let renewal = token_renewal(tokens, now, policy);
    let in_order = [token(tokens, None, now), Some(renewal.clone()), token_end(tokens)];
    first(in_order, now).unwrap_or(renewal)
}

/// The first that is due at `now`, else the earliest.
fn first(in_order: impl IntoIterator<Item = Option<Upcoming>>, now: Timestamp) -> Option<Upcoming> {
    let steps: Vec<Upcoming> = in_order.into_iter().flatten().collect();
    let due = steps.iter().find(|step| step.at <= now);
    due.or_else(|| steps.iter().min_by_key(|step| step.at)).cloned()
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
    if policy.names().is_some_and(|names| !names.same_as(leaf.names())) {
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

fn token_renewal(tokens: &Tokens, now: Timestamp, policy: &RotationPolicy) -> Upcoming {
    let two_thirds = policy.leaf().saturating_mul(2) / 3;
    let at = match tokens.log.newest().map(|newest| newest.registered_from) {
        Some(from) if !policy.asks_for_token(from, now) => from.saturating_add(two_thirds).unwrap_or(Timestamp::MAX),
        _ => now,
    };
    Upcoming { at, what: Renewal::TokenAnnounced }
}

/// What the tokens lack; `issued` is when the leaf that they go with was.
fn token(tokens: &Tokens, issued: Option<Timestamp>, now: Timestamp) -> Option<Upcoming> {
    let announce = Upcoming { at: now, what: Renewal::TokenAnnounced };
    let promote = |at| Upcoming { at, what: Renewal::TokenPromoted };
    let (Some(newest), Some(current)) = (tokens.log.newest(), tokens.log.current(now)) else {
        return Some(announce);
    };
    if issued.is_some_and(|issued| issued > newest.registered_from) {
        return Some(announce);
    }
    if tokens.registered.as_deref() != Some(current.token.as_str()) {
        return Some(promote(now));
    }
    (newest.registered_from > now).then(|| promote(newest.registered_from))
}

fn token_end(tokens: &Tokens) -> Option<Upcoming> {
    tokens.log.next_end().map(|at| Upcoming { at, what: Renewal::TokenRetired })
}

fn later(from: Timestamp, policy: &RotationPolicy) -> Timestamp {
    from.saturating_add(policy.overlap()).unwrap_or(Timestamp::MAX)
}
