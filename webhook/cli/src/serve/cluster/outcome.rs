//! What became of a resource, in the words of its status. While the set that all resources make is refused, a resource
//! is told what is in force by it still: another's mistake takes nothing from it, and exceptions and break-glass come
//! and go meanwhile.

use std::sync::Arc;

use jiff::Timestamp;
use portreeve_admission::api::{Mode, Resource};
use portreeve_admission::break_glass::BreakGlass;
use portreeve_cluster::crd::Kind;
use portreeve_cluster::report::Outcome;
use portreeve_cluster::resources::{Known, Place, Unreadable};
use portreeve_cluster::status::Readiness;
use portreeve_server::serve::{Became, Refused};
use portreeve_server::set::{LoadedModule, PolicySet, Problem};

/// What became of a resource.
pub(super) fn outcome(known: &Known, became: &Became, now: Timestamp) -> Outcome {
    match &became.made {
        Ok(set) => in_set(known, set, now),
        Err(refused) => while_refused(known, refused, now),
    }
}

/// What became of a resource that can't be read.
pub(super) fn unread(Unreadable { stored, reason }: &Unreadable, became: &Became) -> Outcome {
    let set = match &became.made {
        Ok(set) => Some(set),
        Err(refused) => refused.stays.as_ref(),
    };
    let message = format!("can't be read: {reason}");
    Outcome { readiness: Readiness::Refused { message }, digest: set.and_then(|set| digest(&stored.place, set)) }
}

/// What became of a resource by the set that was made of it and the others.
fn in_set(known: &Known, set: &PolicySet, now: Timestamp) -> Outcome {
    let place = &known.stored.place;
    if let Some(message) = said_of(place, set.left_out()) {
        return Outcome { readiness: Readiness::Refused { message }, digest: digest(place, set) };
    }
    let readiness = match &known.resource {
        Resource::ClusterPolicy(policy) => {
            let somewhere = policy.spec.modes().find(|mode| *mode != Mode::Off);
            of_policy(place, set, somewhere.unwrap_or(Mode::Off))
        }
        Resource::Policy(policy) => of_policy(place, set, policy.spec.mode),
        Resource::PolicySet(_) => Readiness::InForce,
        Resource::PolicyException(exception) if exception.spec.expires <= now => {
            Readiness::Expired { at: exception.spec.expires }
        }
        Resource::PolicyException(_) => Readiness::InForce,
    };
    Outcome { readiness, digest: digest(place, set) }
}

fn of_policy(place: &Place, set: &PolicySet, mode: Mode) -> Readiness {
    match (module(place, set), mode) {
        (_, Mode::Off) => Readiness::NotAsked { message: "its mode is off".to_owned() },
        (None, _) => Readiness::NotAsked { message: "the PolicySet does not name it".to_owned() },
        (Some(_), _) => Readiness::InForce,
    }
}

/// What is wrong with this resource; else whether it is in force as before, and what else is wrong.
fn while_refused(known: &Known, Refused { error, stays }: &Refused, now: Timestamp) -> Outcome {
    let place = &known.stored.place;
    let digest = stays.as_ref().and_then(|set| digest(place, set));
    if let Some(message) = said_of(place, &error.problems) {
        return Outcome { readiness: Readiness::Refused { message }, digest };
    }
    let refused = error.problems.first().map(ToString::to_string).unwrap_or_default();
    let stays = stays.as_ref();
    let Some(set) =
        stays.filter(|set| set.written(&place.to_string()).is_some_and(|as_was| same(as_was, &known.resource)))
    else {
        let before = match stays {
            Some(_) => "what was in force before stays, but for exceptions and break-glass",
            None => "nothing is in force yet",
        };
        let message = format!("the set as a whole is refused, and {before}: {refused}");
        return Outcome { readiness: Readiness::HeldUp { message }, digest };
    };
    let Outcome { readiness, digest } = in_set(known, set, now);
    let readiness = match readiness {
        Readiness::InForce => Readiness::Kept { refused },
        Readiness::NotAsked { message } => Readiness::NotAsked { message: beside(&message, &refused) },
        Readiness::Refused { message } => Readiness::Refused { message: beside(&message, &refused) },
        other => other,
    };
    Outcome { readiness, digest }
}

fn beside(message: &str, refused: &str) -> String {
    format!("{message}; newer changes are refused: {refused}")
}

/// Whether two say the same: by their spec, and a PolicySet by the switch that drops denials too.
fn same(one: &Resource, other: &Resource) -> bool {
    match (one, other) {
        (Resource::ClusterPolicy(one), Resource::ClusterPolicy(other)) => one.spec == other.spec,
        (Resource::Policy(one), Resource::Policy(other)) => one.spec == other.spec,
        (Resource::PolicyException(one), Resource::PolicyException(other)) => one.spec == other.spec,
        (Resource::PolicySet(one), Resource::PolicySet(other)) => {
            let [one_glass, other_glass] = [one, other].map(|set| BreakGlass::of(&set.metadata.annotations));
            one.spec == other.spec && one_glass == other_glass
        }
        _ => false,
    }
}

/// What is in force by the resource of this place: the digest of a policy's module, or of the whole set.
fn digest(place: &Place, set: &PolicySet) -> Option<String> {
    match place.kind {
        Kind::ClusterPolicy | Kind::Policy => module(place, set).map(|module| module.digest()),
        Kind::PolicySet => set.written(&place.to_string()).map(|_| set.digest().to_owned()),
        Kind::PolicyException => None,
    }
}

/// The module in force that carries the policy of this place.
fn module<'a>(place: &Place, set: &'a PolicySet) -> Option<&'a Arc<LoadedModule>> {
    let id = match &place.namespace {
        Some(namespace) => format!("{namespace}/{}", place.name),
        None => place.name.clone(),
    };
    set.modules().iter().find(|module| module.carries(&id))
}

/// All that is said of this resource.
fn said_of(place: &Place, problems: &[Problem]) -> Option<String> {
    let reference = place.to_string();
    let own = problems.iter().filter(|problem| problem.is_of(&reference));
    let own: Vec<&str> = own.map(|problem| problem.reason.as_str()).collect();
    (!own.is_empty()).then(|| own.join("; "))
}

#[cfg(test)]
mod tests {
    use portreeve_cluster::resources::{Resources, Stored};
    use portreeve_tests::gate::loader;
    use serde_json::{Value, json};

    use super::*;
    use crate::serve::cluster::sources_of;

    fn known(object: &Value) -> Known {
        let resource: Resource = serde_json::from_value(object.clone()).unwrap();
        let kind = Kind::ALL.into_iter().find(|kind| object["kind"] == kind.name()).unwrap();
        let [name, namespace] =
            ["name", "namespace"].map(|field| object["metadata"][field].as_str().map(str::to_owned));
        let place = Place { kind, namespace, name: name.unwrap() };
        Known { resource, stored: Stored { place, uid: None, generation: Some(1), status: Value::Null } }
    }

    fn object(kind: &str, name: &str, spec: &Value) -> Value {
        json!({"apiVersion": "portreeve.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
    }

    fn policy(name: &str, builtin: &str) -> Value {
        object("ClusterPolicy", name, &json!({"module": {"builtin": builtin}}))
    }

    fn set(name: &str, policies: &[&str]) -> Value {
        object("PolicySet", name, &json!({"policies": policies}))
    }

    fn resources(objects: &[Value]) -> Resources {
        Resources { known: objects.iter().map(known).collect(), unreadable: Vec::new() }
    }

    /// What becomes of resources, with those before them in force if these make no set.
    fn became(before: Option<&[Value]>, now: &[Value]) -> Became {
        let loader = loader().unwrap();
        let stays = before.map(|before| Arc::new(loader.load_at_once(&sources_of(&resources(before))).unwrap()));
        let sources = Arc::new(sources_of(&resources(now)));
        let made = loader.load_at_once(&sources).map(Arc::new).map_err(|error| Refused { error, stays });
        Became { sources, made }
    }

    fn of(object: &Value, became: &Became) -> Outcome {
        outcome(&known(object), became, "2026-01-01T00:00:00Z".parse().unwrap())
    }

    fn said(outcome: &Outcome) -> String {
        outcome.readiness.to_string()
    }

    #[test]
    fn anothers_mistake_takes_nothing_from_what_is_in_force() {
        let (kept, named, wrong) = (policy("kept", "seccomp"), set("ours", &["kept"]), policy("wrong", "secomp"));
        let exception = json!({
            "apiVersion": "portreeve.dev/v1alpha1", "kind": "PolicyException",
            "metadata": {"name": "old", "namespace": "shop"},
            "spec": {"policy": "kept", "owner": "o", "ticket": "t", "reason": "r", "expires": "2025-01-01T00:00:00Z"},
        });
        let before = [kept.clone(), named.clone(), exception.clone()];
        let mut now = before.to_vec();
        now[1] = set("ours", &["kept", "wrong"]);
        now.push(wrong.clone());
        let became = became(Some(&before), &now);
        let outcome = of(&kept, &became);
        assert!(matches!(&outcome.readiness, Readiness::Kept { refused } if refused.contains("ClusterPolicy/wrong")));
        assert!(outcome.digest.is_some());
        assert!(matches!(of(&exception, &became).readiness, Readiness::Expired { .. }));
        let outcome = of(&wrong, &became);
        assert!(matches!(&outcome.readiness, Readiness::Refused { message } if message.contains("secomp")));
        assert_eq!(outcome.digest, None);
        // It is another than the one in force, of which it has the digest.
        let outcome = of(&now[1], &became);
        assert!(matches!(&outcome.readiness, Readiness::HeldUp { message } if message.contains("what was in force")));
        assert!(outcome.digest.is_some());
    }

    #[test]
    fn a_policy_that_is_gone_is_the_fault_of_the_set_that_names_it() {
        let (a, b, named) = (policy("a", "seccomp"), policy("b", "probes"), set("ours", &["a", "b"]));
        let became = became(Some(&[a.clone(), b, named.clone()]), &[a.clone(), named.clone()]);
        assert!(matches!(of(&a, &became).readiness, Readiness::Kept { .. }));
        let outcome = of(&named, &became);
        assert!(matches!(outcome.readiness, Readiness::Refused { .. }) && outcome.digest.is_some());
        assert!(said(&outcome).contains("names \"b\""), "{}", said(&outcome));
    }

    #[test]
    fn a_policy_that_the_set_in_force_does_not_name_is_told_why_it_stays_so() {
        let (a, b, wrong) = (policy("a", "seccomp"), policy("b", "probes"), policy("wrong", "secomp"));
        let before = [a.clone(), b.clone(), set("ours", &["a"])];
        let became = became(Some(&before), &[a, b.clone(), wrong, set("ours", &["a", "b", "wrong"])]);
        let outcome = of(&b, &became);
        assert!(matches!(outcome.readiness, Readiness::NotAsked { .. }));
        assert!(said(&outcome).contains("does not name it; newer changes are refused: "), "{}", said(&outcome));
    }

    #[test]
    fn denials_that_are_to_be_dropped_and_are_not_yet_are_told() {
        let (wrong, quiet) = (policy("wrong", "secomp"), set("ours", &[]));
        let mut open = quiet.clone();
        open["metadata"]["annotations"] = json!({
            "portreeve.dev/break-glass-until": "2030-01-01T12:00:00Z", "portreeve.dev/break-glass-reason": "a storm",
        });
        let became = became(Some(std::slice::from_ref(&quiet)), &[open.clone(), wrong]);
        assert!(matches!(of(&open, &became).readiness, Readiness::HeldUp { .. }));
        assert!(matches!(of(&quiet, &became).readiness, Readiness::Kept { .. }));
    }

    #[test]
    fn a_switch_that_nobody_may_set_is_told_of_the_set_that_is_in_force_without_it() {
        let mut open = set("ours", &[]);
        open["metadata"]["annotations"] = json!({
            "portreeve.dev/break-glass-until": "2030-01-01T12:00:00Z", "portreeve.dev/break-glass-reason": "a storm",
        });
        let sources = Arc::new(sources_of(&resources(std::slice::from_ref(&open))));
        let made = loader().unwrap().without_break_glass().load_at_once(&sources).unwrap();
        let outcome = of(&open, &Became { sources, made: Ok(Arc::new(made)) });
        assert!(matches!(outcome.readiness, Readiness::Refused { .. }) && outcome.digest.is_some());
        assert!(said(&outcome).contains("breakGlassGroup names no group"), "{}", said(&outcome));
    }

    #[test]
    fn a_start_without_a_set_in_force_says_so_and_names_the_offender() {
        let (first, second) = (set("platform", &[]), set("team", &[]));
        let became = became(None, &[first.clone(), second.clone()]);
        let (first, second) = (of(&first, &became), of(&second, &became));
        assert!(
            matches!(first.readiness, Readiness::HeldUp { .. }) && said(&first).contains("nothing is in force yet")
        );
        assert!(said(&first).contains("PolicySet/team"), "{}", said(&first));
        assert!(matches!(second.readiness, Readiness::Refused { .. }) && first.digest.is_none());
        assert!(said(&second).contains("a second PolicySet"), "{}", said(&second));
    }

    #[test]
    fn what_can_not_be_read_is_refused_with_the_reason() {
        let kept = policy("kept", "seccomp");
        let became = became(None, std::slice::from_ref(&kept));
        let unreadable = Unreadable { stored: known(&kept).stored, reason: "spec.mode: none".to_owned() };
        let outcome = unread(&unreadable, &became);
        assert_eq!(outcome.readiness, Readiness::Refused { message: "can't be read: spec.mode: none".to_owned() });
        assert!(outcome.digest.is_some(), "the module that is in force by what it said before");
    }
}
