//! How a policy ended, as the host takes it: a verdict that keeps to the contract, or why there is none.

use portreeve_admission::verdict::{Failure, Outcome, Verdict as Taken, Violation as TakenViolation};

use super::convert::{edits, taken_root};
use crate::policy::Stop;
use crate::verdict::Verdict;
use crate::view::Violation;

/// What the host makes of the answer of a policy. A verdict that breaks the contract is a failure, as in a component.
#[must_use]
pub fn outcome(answer: Result<Verdict, Stop>) -> Outcome {
    match answer {
        Ok(verdict) => match taken(&verdict) {
            Ok(verdict) => Outcome::Verdict(verdict),
            Err(breach) => Outcome::Failed(Failure::Contract(breach)),
        },
        Err(Stop::MissingFact(missing)) => Outcome::Failed(Failure::MissingFact {
            kind: missing.kind.to_owned(),
            key: missing.key,
            reason: missing.reason,
        }),
        Err(Stop::Failed(reason)) => Outcome::Failed(Failure::Reported(reason)),
    }
}

fn taken(verdict: &Verdict) -> Result<Taken, String> {
    Ok(Taken {
        violations: verdict.violations().iter().map(violation).collect::<Result<_, _>>()?,
        advisories: verdict.advisories().iter().map(violation).collect::<Result<_, _>>()?,
        edits: edits(verdict).map_err(|error| error.to_string())?,
        summary: verdict.summary().map(ToOwned::to_owned),
    })
}

fn violation(violation: &Violation) -> Result<TakenViolation, String> {
    let Violation { rule, container, root, pointer, message, remedy, details } = violation;
    let json = |text: &String| serde_json::from_str(text);
    Ok(TakenViolation {
        rule: rule.clone(),
        container: container.clone(),
        root: taken_root(*root),
        pointer: pointer.parse().map_err(|error| format!("the pointer of {rule}: {error}"))?,
        message: message.clone(),
        remedy: remedy.clone(),
        details: details.as_ref().map(json).transpose().map_err(|error| format!("the details of {rule}: {error}"))?,
    })
}
