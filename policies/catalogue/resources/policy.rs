//! Every container says what it needs: requests are there or are given, limits where they are asked for, and no limit
//! is above what is allowed. A limit of the pod as a whole is one of each container that has none of its own; a request
//! of the pod limits nothing.
//!
//! A request is never given beside a limit, which stands for it, nor where the pod as a whole says what it needs, nor
//! where the namespace's LimitRange gives its own; a limit is never given below a request. A request that was given
//! goes where a limit comes below it: that is in `outgrown`. What settings say is in `settings`.

mod outgrown;
mod settings;

use std::str::FromStr;

use portreeve_sdk::quantity::Quantity;
use portreeve_sdk::view::{Container, ContainerKind, Pod, find};
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict, pointer};

pub(crate) use settings::Settings;
use settings::{Amount, Amounts, Class, LimitRange, Resource};

const REQUESTS: &str = "/resources/requests";
const LIMITS: &str = "/resources/limits";

/// The policy.
pub(crate) struct Resources {
    settings: Settings,
}

impl Policy for Resources {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "Requests and limits",
            description: "Every container requests the CPU and memory that it needs, so that nodes are not filled \
                          past what they have; limits are asked for and bounded by setting.",
            can: Can::MUTATE,
            schema: include_str!("schema.json"),
            controls: &["A1.1", "CC7.2"],
            ..Manifest::new("resources", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        let Some(pod) = case.pod() else { return Ok(verdict) };
        let mut above = Vec::new();
        for container in case.containers() {
            let Some(kind) = self.kind(container.kind) else { continue };
            let class = self.class(pod, container);
            for resource in Resource::ALL {
                let defaults = Defaults {
                    request: class.and_then(|own| own.requests.get(&resource)).or(kind.requests.get(&resource)),
                    limit: class.and_then(|own| own.limits.get(&resource)).or(kind.limits.get(&resource)),
                };
                let state = State::of(pod, container, resource, &self.settings.limit_range);
                self.request(container, &state, &defaults, &mut verdict);
                outgrown::remove(case, container, &state, defaults.request, &mut verdict);
                self.limit(container, &state, &defaults, &mut verdict);
                above.extend(self.bound(container, &state, &mut verdict));
            }
        }
        above.sort_unstable();
        above.dedup();
        above.iter().for_each(|above| above.tell(&mut verdict));
        Ok(verdict)
    }
}

/// What a container and its pod say about one resource.
struct State<'a> {
    resource: Resource,
    request: Option<&'a str>,
    limit: Option<&'a str>,
    /// What the pod as a whole requests: its containers share that, and the API server refuses those that say more.
    pod_request: Option<&'a str>,
    /// What the pod as a whole is limited to: the limit of every container that has none of its own.
    pod_limit: Option<&'a str>,
    /// What gives pods of the namespace a request and a limit where they have none.
    range: &'a LimitRange,
}

/// What the settings give a container of one resource.
struct Defaults<'a> {
    request: Option<&'a Amount>,
    limit: Option<&'a Amount>,
}

impl<'a> State<'a> {
    fn of(pod: &'a Pod, container: &'a Container, resource: Resource, range: &'a LimitRange) -> Self {
        let name = resource.name();
        Self {
            resource,
            request: find(&container.requests, name),
            limit: find(&container.limits, name),
            pod_request: find(&pod.requests, name),
            pod_limit: find(&pod.limits, name),
            range,
        }
    }

    /// Whether the pod as a whole says something of it, which is left to it.
    fn is_shared(&self) -> bool {
        self.pod_request.is_some() || self.pod_limit.is_some()
    }

    /// A limit stands for a request that is not written: the API server makes it one.
    fn lacks_request(&self) -> bool {
        let is_given = self.is_shared() || self.range.gives_request(self.resource);
        self.request.is_none() && self.limit.is_none() && !is_given
    }

    fn lacks_limit(&self) -> bool {
        self.limit.is_none() && self.pod_limit.is_none() && !self.range.gives_limit(self.resource)
    }

    fn at(&self, container: &Container, list: &str) -> String {
        pointer::child(&container.field(list), self.resource.name())
    }
}

impl Resources {
    /// What containers of a kind are given; none for ephemeral ones, which may have no resources.
    fn kind(&self, kind: ContainerKind) -> Option<&Amounts> {
        match kind {
            ContainerKind::Regular => Some(&self.settings.defaults.regular),
            ContainerKind::Init => Some(&self.settings.defaults.init),
            ContainerKind::Sidecar => Some(&self.settings.defaults.sidecar),
            ContainerKind::Ephemeral => None,
        }
    }

    /// The class that a container belongs to.
    fn class(&self, pod: &Pod, container: &Container) -> Option<&Class> {
        self.settings.classes.iter().find(|class| class.select.takes(pod, container))
    }

    fn request(&self, container: &Container, state: &State<'_>, defaults: &Defaults<'_>, verdict: &mut Verdict) {
        if !state.lacks_request() {
            return;
        }
        let (name, rule) = (state.resource.name(), state.resource.request_rule());
        let at = state.at(container, REQUESTS);
        if self.settings.require_requests.contains(&state.resource) {
            verdict
                .violation(rule)
                .container(container)
                .at(at.as_str())
                .says(format!("container {:?} requests no {name}", container.name))
                .mend(format!("set resources.requests.{name} to what it usually needs"));
        }
        if let Some(amount) = defaults.request {
            verdict.set_default(rule, at, amount.as_str());
        }
    }

    fn limit(&self, container: &Container, state: &State<'_>, defaults: &Defaults<'_>, verdict: &mut Verdict) {
        if !state.lacks_limit() {
            return;
        }
        let (name, rule) = (state.resource.name(), state.resource.limit_rule());
        let at = state.at(container, LIMITS);
        if self.settings.require_limits.contains(&state.resource) {
            verdict
                .violation(rule)
                .container(container)
                .at(at.as_str())
                .says(format!("container {:?} has no limit of {name}", container.name))
                .mend(format!("set resources.limits.{name} to the most that it may use"));
        }
        // It would stand for a request, which can be more than the pod as a whole requests.
        let room = |limit: &&Amount| !state.is_shared() && leaves_room(limit, state, defaults);
        if let Some(amount) = defaults.limit.filter(room) {
            verdict.set_default(rule, at, amount.as_str());
        }
    }

    /// Tells of what a container may have above the highest; what it has from its pod is answered, to be told once.
    fn bound<'a>(&'a self, container: &Container, state: &State<'a>, verdict: &mut Verdict) -> Option<Above<'a>> {
        let resource = state.resource;
        let most = self.settings.max_limits.get(&resource)?;
        let (written, list, word) = match (state.limit, state.pod_limit, state.request, state.pod_request) {
            (Some(limit), ..) => (limit, LIMITS, "has a limit of"),
            (None, Some(written), ..) => {
                return is_above(written, most).then_some(Above {
                    resource,
                    list: LIMITS,
                    written,
                    most: most.as_str(),
                });
            }
            (None, None, Some(request), _) => (request, REQUESTS, "requests"),
            (None, None, None, written) => {
                let written = written.filter(|written| is_above(written, most))?;
                return Some(Above { resource, list: REQUESTS, written, most: most.as_str() });
            }
        };
        if is_above(written, most) {
            let (name, most) = (resource.name(), most.as_str());
            verdict
                .violation(resource.max_rule())
                .container(container)
                .at(state.at(container, list))
                .says(format!("container {:?} {word} {written} {name}, more than {most}", container.name))
                .mend(format!("use at most {most}"));
        }
        None
    }
}

/// What a pod as a whole says of a resource, above the highest that a container may have: each of its containers that
/// says nothing itself may take all of it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Above<'a> {
    resource: Resource,
    list: &'static str,
    written: &'a str,
    most: &'a str,
}

impl Above<'_> {
    fn tell(&self, verdict: &mut Verdict) {
        let Self { resource, list, written, most } = self;
        let (name, word) = (resource.name(), if *list == LIMITS { "has a limit of" } else { "requests" });
        verdict
            .violation(resource.max_rule())
            .at(pointer::child(&["/spec", list].concat(), name))
            .says(format!(
                "the pod {word} {written} {name} for its containers together, more than one may have: {most}"
            ))
            .mend(format!("give each container a limit of its own, {most} at most, or the pod"));
    }
}

/// What is no quantity is above everything.
fn is_above(written: &str, most: &Amount) -> bool {
    !Quantity::from_str(written).is_ok_and(|written| written <= most.quantity())
}

/// Whether a limit would not be below the request that is there or will be, nor what the LimitRange takes.
fn leaves_room(limit: &Amount, state: &State<'_>, defaults: &Defaults<'_>) -> bool {
    if !state.range.takes_limit(state.resource, limit) {
        return false;
    }
    match state.request {
        Some(request) => Quantity::from_str(request).is_ok_and(|request| request <= limit.quantity()),
        // The LimitRange gives a request after this limit is there, which stands for one.
        None if state.range.gives_request(state.resource) => true,
        None => defaults.request.is_none_or(|request| request.quantity() <= limit.quantity()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: &str) -> Option<String> {
        let registration = portreeve_sdk::export::Registration::of::<Resources>();
        registration.configure(settings).err().map(|error| format!("{}: {}", error.at, error.reason))
    }

    #[test]
    fn amounts_that_contradict_each_other_are_refused() {
        let above_limit = r#"{"defaults": {"init": {"requests": {"cpu": 2}, "limits": {"cpu": "1900m"}}}}"#;
        assert_eq!(refused(above_limit).unwrap(), "/defaults/init/requests/cpu: 2 is above the limit, 1900m");
        let above_most = r#"{"maxLimits": {"memory": "1Gi"}, "classes": [{"select": {"containers": ["a"]}, "limits": {"memory": "2Gi"}}]}"#;
        assert_eq!(refused(above_most).unwrap(), "/classes/0/limits/memory: 2Gi is above what maxLimits allows, 1Gi");
    }

    #[test]
    fn a_default_request_above_the_highest_is_refused_written_or_built_in() {
        let written = r#"{"defaults": {"regular": {"requests": {"cpu": "2"}}}, "maxLimits": {"cpu": "1"}}"#;
        assert_eq!(refused(written).unwrap(), "/defaults/regular/requests/cpu: 2 is above what maxLimits allows, 1");
        let of_a_class =
            r#"{"maxLimits": {"cpu": 1}, "classes": [{"select": {"containers": ["a"]}, "requests": {"cpu": 2}}]}"#;
        assert_eq!(refused(of_a_class).unwrap(), "/classes/0/requests/cpu: 2 is above what maxLimits allows, 1");
        let built_in = r#"{"maxLimits": {"memory": "48Mi"}}"#;
        let error = "/defaults/regular/requests/memory: 64Mi is above what maxLimits allows, 48Mi";
        assert_eq!(refused(built_in).unwrap(), error);
    }

    #[test]
    fn an_amount_below_zero_is_refused_wherever_it_stands() {
        for (settings, at) in [
            (r#"{"defaults": {"regular": {"requests": {"cpu": "-1"}}}}"#, "/defaults/regular/requests/cpu: -1"),
            (r#"{"classes": [{"select": {"containers": ["a"]}, "limits": {"cpu": -1}}]}"#, "/classes/0/limits/cpu: -1"),
            (r#"{"maxLimits": {"cpu": "-1m"}}"#, "/maxLimits/cpu: -1m"),
            (r#"{"limitRange": {"max": {"memory": "-1Gi"}}}"#, "/limitRange/max/memory: -1Gi"),
        ] {
            assert_eq!(refused(settings).unwrap(), format!("{at} is below zero"));
        }
        assert_eq!(refused(r#"{"defaults": {"regular": {"requests": {"cpu": "-0"}}}}"#), None);
    }

    #[test]
    fn what_is_no_quantity_is_refused_by_its_place() {
        let error = refused(r#"{"defaults": {"regular": {"requests": {"memory": "1gb"}}}}"#).unwrap();
        assert!(error.starts_with("/defaults/regular/requests: \"1gb\" is not a quantity"), "{error}");
    }

    #[test]
    fn a_misspelt_field_of_a_class_is_refused() {
        assert!(refused(r#"{"classes": [{"select": {}, "request": {}}]}"#).unwrap().contains("request"));
    }

    #[test]
    fn a_class_of_every_container_is_refused() {
        let error = refused(r#"{"classes": [{"select": {}, "requests": {"cpu": 1}}]}"#).unwrap();
        assert!(error.starts_with("/classes/0/select: "), "{error}");
    }

    #[test]
    fn a_limit_range_that_contradicts_itself_is_refused() {
        let error = refused(r#"{"limitRange": {"min": {"cpu": 2}, "max": {"cpu": "1900m"}}}"#).unwrap();
        assert_eq!(error, "/limitRange/min/cpu: 2 is above the highest, 1900m");
    }
}
