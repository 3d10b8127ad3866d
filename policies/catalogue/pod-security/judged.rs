//! Which requests are judged at all: subresources, updates that change nothing the standards look at, workloads as
//! against pods, exemptions. What they are judged by is in `policy`.

use portreeve_sdk::glob::Glob;
use portreeve_sdk::view::{Container, ContainerKind, Operation};
use portreeve_sdk::{Case, Request};

use super::settings::{Exemptions, Templates};
use crate::exact::Exact;

/// Subresources of Pods that carry no pod, or one that nobody can change through them. The others, whatever they will
/// be called, are judged.
const IGNORED: [&str; 8] = ["attach", "binding", "eviction", "exec", "log", "portforward", "proxy", "status"];

/// How faults are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    AsViolation,
    AsAdvisory,
}

/// How the faults of this request are told; none if it is not judged.
pub(super) fn told(case: &Case<'_>, templates: Templates) -> Option<Told> {
    let request = case.request();
    let kind = request.kind();
    let subresource = request.subresource();
    if kind.group.is_empty() && kind.kind == "Pod" {
        let ignored = subresource.is_some_and(|name| IGNORED.contains(&name));
        return (!ignored && is_significant(case)).then_some(Told::AsViolation);
    }
    match templates {
        _ if subresource.is_some() => None,
        Templates::Enforce => Some(Told::AsViolation),
        Templates::Warn => Some(Told::AsAdvisory),
        Templates::Ignore => None,
    }
}

/// Whether a request about a Pod changes what the standards look at: an update can change images and add containers,
/// and everything else was judged when the Pod was made.
fn is_significant(case: &Case<'_>) -> bool {
    let request = case.request();
    if request.operation() != Operation::Update {
        return true;
    }
    let (new, old) = (case.containers(), case.old_containers());
    let same = |is_in: fn(&Container) -> bool| images(new, is_in).eq(images(old, is_in));
    let known = |added: &&Container| old.iter().any(|old| old.name == added.name && old.image == added.image);
    let changed = !same(|container| container.kind == ContainerKind::Regular)
        || !same(|container| matches!(container.kind, ContainerKind::Init | ContainerKind::Sidecar))
        || !new.iter().filter(|container| container.kind == ContainerKind::Ephemeral).all(|added| known(&added));
    // With the same spec on both sides it is asked what was wrong before, so that only what is new denies.
    changed || request.read("/spec") == request.read_old("/spec")
}

fn images(containers: &[Container], is_in: fn(&Container) -> bool) -> impl Iterator<Item = &str> {
    containers.iter().filter(move |container| is_in(container)).map(|container| container.image.as_str())
}

impl Exemptions {
    /// Whether this request is nobody's concern.
    pub(super) fn take(&self, case: &Case<'_>) -> bool {
        let request = case.request();
        let runtime_class = case.pod().and_then(|pod| pod.runtime_class.as_deref());
        self.take_runtime_class(runtime_class) || self.take_user(request) || self.take_namespace(request)
    }

    /// Whether pods of this runtime class are.
    pub(super) fn take_runtime_class(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| Exact::any(&self.runtime_classes, name))
    }

    /// Whether all of the request's namespace is.
    pub(super) fn take_namespace(&self, request: Request<'_>) -> bool {
        !self.namespaces.is_empty()
            && request.namespace().is_some_and(|namespace| Glob::any(&self.namespaces, namespace))
    }

    fn take_user(&self, request: Request<'_>) -> bool {
        !self.usernames.is_empty() && Exact::any(&self.usernames, &request.user_name())
    }
}
