//! A request that was given once, and that a limit has come below since. Whoever wrote the limit never wrote the
//! request, and the API server would refuse the two together: without it the limit stands for it, as in a workload
//! created anew.

use std::str::FromStr;

use portreeve_sdk::quantity::Quantity;
use portreeve_sdk::view::{Container, Operation, find};
use portreeve_sdk::{Case, Verdict};

use super::settings::Amount;
use super::{REQUESTS, State};

/// Takes the request out, where an update leaves it as it was given and writes a limit below it.
pub(super) fn remove(
    case: &Case<'_>,
    container: &Container,
    state: &State<'_>,
    given: Option<&Amount>,
    verdict: &mut Verdict,
) {
    let (Some(request), Some(limit), Some(given)) = (quantity(state.request), quantity(state.limit), given) else {
        return;
    };
    if request == given.quantity() && limit < request && stood_before(case, container, state) {
        verdict.remove(state.resource.request_rule(), state.at(container, REQUESTS));
    }
}

/// Whether the same request stood there before the update, beside another limit or none.
fn stood_before(case: &Case<'_>, container: &Container, state: &State<'_>) -> bool {
    if case.request().operation() != Operation::Update {
        return false;
    }
    let Some(was) = case.old_containers().iter().find(|was| was.name == container.name) else { return false };
    let name = state.resource.name();
    let (request, limit) = (find(&was.requests, name), find(&was.limits, name));
    quantity(request) == quantity(state.request) && quantity(limit) != quantity(state.limit)
}

fn quantity(written: Option<&str>) -> Option<Quantity> {
    written.and_then(|written| Quantity::from_str(written).ok())
}
