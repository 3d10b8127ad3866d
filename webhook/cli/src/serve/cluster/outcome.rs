//! What became of a resource, in the words of its status.

use jiff::Timestamp;
use portreeve_admission::api::{Mode, Resource};
use portreeve_cluster::report::Outcome;
use portreeve_cluster::resources::Known;
use portreeve_cluster::status::Readiness;
use portreeve_server::serve::Became;
use portreeve_server::set::{PolicySet, Problem};

/// What became of a resource.
pub(super) fn outcome(known: &Known, became: &Became, now: Timestamp) -> Outcome {
    let set = match &became.made {
        Ok(set) => set,
        Err(error) => return Outcome { readiness: refused(known, &error.problems), digest: None },
    };
    if let Some(message) = said_of(known, set.left_out()) {
        return Outcome { readiness: Readiness::Refused { message }, digest: None };
    }
    match &known.resource {
        Resource::ClusterPolicy(policy) => {
            let somewhere = policy.spec.modes().find(|mode| *mode != Mode::Off);
            of_policy(set, &policy.metadata.name, somewhere.unwrap_or(Mode::Off))
        }
        Resource::Policy(policy) => {
            let namespace = policy.metadata.namespace.as_deref().unwrap_or_default();
            of_policy(set, &format!("{namespace}/{}", policy.metadata.name), policy.spec.mode)
        }
        Resource::PolicySet(_) => Outcome { readiness: Readiness::InForce, digest: Some(set.digest().to_owned()) },
        Resource::PolicyException(exception) => {
            let at = exception.spec.expires;
            let readiness = if at <= now { Readiness::Expired { at } } else { Readiness::InForce };
            Outcome { readiness, digest: None }
        }
    }
}

fn of_policy(set: &PolicySet, id: &str, mode: Mode) -> Outcome {
    let module = set.modules().iter().find(|module| module.carries(id));
    let readiness = match (module, mode) {
        (_, Mode::Off) => Readiness::NotAsked { message: "its mode is off".to_owned() },
        (None, _) => Readiness::NotAsked { message: "the PolicySet does not name it".to_owned() },
        (Some(_), _) => Readiness::InForce,
    };
    Outcome { readiness, digest: module.map(|module| module.digest()) }
}

/// What is wrong with this resource; or that something is wrong with another, and all stays as it was.
fn refused(known: &Known, problems: &[Problem]) -> Readiness {
    let message = said_of(known, problems).unwrap_or_else(|| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        format!("the set as a whole is refused, and what was in force before stays: {first}")
    });
    Readiness::Refused { message }
}

/// All that is said of this resource.
fn said_of(known: &Known, problems: &[Problem]) -> Option<String> {
    let reference = known.place.to_string();
    let own = problems.iter().filter(|problem| problem.is_of(&reference));
    let own: Vec<&str> = own.map(|problem| problem.reason.as_str()).collect();
    (!own.is_empty()).then(|| own.join("; "))
}
