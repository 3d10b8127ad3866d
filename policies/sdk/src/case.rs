//! What a policy is asked to judge. Each view is fetched from the host when the first policy of a call asks for it,
//! and kept for the others: a catalogue of ten lifts each view once.

use std::cell::OnceCell;

use serde::Deserialize;
use serde_json::Value;

use crate::fact::{Fact, Missing};
use crate::generated::portreeve::policy::facts::Unavailable;
use crate::view::{
    Container, GroupVersionKind, GroupVersionResource, LogLevel, Operation, Pod, Program, Root, Toleration, Volume,
};

/// Where an object names its owners.
const OWNERS: &str = "/metadata/ownerReferences";

/// One request as one policy instance sees it.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    views: &'a Views,
    id: &'a str,
}

impl<'a> Case<'a> {
    pub(crate) fn new(views: &'a Views, id: &'a str) -> Self {
        Self { views, id }
    }

    /// What holds for the whole pod; none if the object has no pod template.
    #[must_use]
    pub fn pod(&self) -> Option<&'a Pod> {
        self.views.pod.get_or_init(|| self.views.source.pod()).as_ref()
    }

    /// Init containers first, then regular, then ephemeral ones, each in the order written.
    #[must_use]
    pub fn containers(&self) -> &'a [Container] {
        self.views.containers.get_or_init(|| self.views.source.containers())
    }

    /// Each container with what it runs and is told.
    pub fn programs(&self) -> impl Iterator<Item = (&'a Container, &'a Program)> {
        let programs = self.views.programs.get_or_init(|| self.views.source.programs());
        self.containers().iter().zip(programs)
    }

    /// Volumes in the order written.
    #[must_use]
    pub fn volumes(&self) -> &'a [Volume] {
        self.views.volumes.get_or_init(|| self.views.source.volumes())
    }

    /// Tolerations in the order written.
    #[must_use]
    pub fn tolerations(&self) -> &'a [Toleration] {
        self.views.tolerations.get_or_init(|| self.views.source.tolerations())
    }

    /// The containers of the template before the request, empty if there was none.
    #[must_use]
    pub fn old_containers(&self) -> &'a [Container] {
        self.views.old_containers.get_or_init(|| self.views.source.old_containers())
    }

    /// The part of the template at the JSON pointer, for what no view shows; none if nothing is there.
    #[must_use]
    pub fn read(&self, at: &str) -> Option<Value> {
        parse(self.views.source.read(Root::Template, at))
    }

    /// The same for the template before the request.
    #[must_use]
    pub fn read_old(&self, at: &str) -> Option<Value> {
        parse(self.views.source.read_old(Root::Template, at))
    }

    /// The call of the API server, and the whole object.
    #[must_use]
    pub fn request(&self) -> Request<'a> {
        Request { views: self.views }
    }

    /// A fact that the host gathered, such as `case.fact::<ImageConfig>(image)`.
    ///
    /// # Errors
    /// [`Missing`] says which and why; `?` makes a [`Stop`](crate::Stop) of it.
    pub fn fact<F: Fact>(&self, key: &str) -> Result<F, Missing> {
        let missing = |reason: String| Missing { kind: F::KIND, key: key.into(), reason };
        let text = self.views.source.fact(self.id, F::KIND, key);
        let text = text.map_err(|unavailable| missing(why(unavailable, F::KIND)))?;
        serde_json::from_str(&text).map_err(|error| missing(format!("its value can't be read: {error}")))
    }

    /// Writes a line to the host's tracing, for operators. Never log what stands in an object.
    pub fn log(&self, level: LogLevel, message: &str) {
        self.views.source.log(level, message);
    }
}

/// The call of the API server.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    views: &'a Views,
}

impl<'a> Request<'a> {
    /// What is being done.
    #[must_use]
    pub fn operation(&self) -> Operation {
        *self.views.operation.get_or_init(|| self.views.source.operation())
    }

    /// Kind of the object.
    #[must_use]
    pub fn kind(&self) -> &'a GroupVersionKind {
        self.views.kind.get_or_init(|| self.views.source.kind())
    }

    /// The resource that was asked for.
    #[must_use]
    pub fn resource(&self) -> GroupVersionResource {
        self.views.source.resource()
    }

    /// Such as `ephemeralcontainers`; none for the object itself.
    #[must_use]
    pub fn subresource(&self) -> Option<&'a str> {
        self.views.subresource.get_or_init(|| self.views.source.subresource()).as_deref()
    }

    /// None for cluster-scoped objects.
    #[must_use]
    pub fn namespace(&self) -> Option<&'a str> {
        self.views.namespace.get_or_init(|| self.views.source.namespace()).as_deref()
    }

    /// The owner that controls the object; none if no controller does.
    #[must_use]
    pub fn controller(&self) -> Option<&'a Controller> {
        self.views.controller.get_or_init(|| Controller::among(self.views.source.read(Root::Object, OWNERS))).as_ref()
    }

    /// None where the API server has yet to make it up.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.views.source.name()
    }

    /// As the API server authenticated the caller.
    #[must_use]
    pub fn user_name(&self) -> String {
        self.views.source.user_name()
    }

    /// The part of the whole object at the JSON pointer; none if nothing is there.
    #[must_use]
    pub fn read(&self, at: &str) -> Option<Value> {
        parse(self.views.source.read(Root::Object, at))
    }

    /// The same for the object before the request.
    #[must_use]
    pub fn read_old(&self, at: &str) -> Option<Value> {
        parse(self.views.source.read_old(Root::Object, at))
    }
}

/// An owner with `controller: true`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Such as `apps/v1`, or `v1` of the core group.
    pub api_version: String,
    /// Such as `ReplicaSet`.
    pub kind: String,
}

impl Controller {
    /// The first of the owners that controls the object. The API server takes no second one.
    fn among(owners: Option<String>) -> Option<Self> {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct Owner {
            api_version: String,
            kind: String,
            controller: Option<bool>,
        }
        let owners: Vec<Owner> = serde_json::from_str(&owners?).ok()?;
        let owner = owners.into_iter().find(|owner| owner.controller == Some(true))?;
        Some(Self { api_version: owner.api_version, kind: owner.kind })
    }
}

/// The views of one request, shared by the policies that judge it.
pub struct Views {
    source: Box<dyn Source>,
    operation: OnceCell<Operation>,
    kind: OnceCell<GroupVersionKind>,
    subresource: OnceCell<Option<String>>,
    namespace: OnceCell<Option<String>>,
    controller: OnceCell<Option<Controller>>,
    pod: OnceCell<Option<Pod>>,
    containers: OnceCell<Vec<Container>>,
    programs: OnceCell<Vec<Program>>,
    volumes: OnceCell<Vec<Volume>>,
    tolerations: OnceCell<Vec<Toleration>>,
    old_containers: OnceCell<Vec<Container>>,
}

impl Views {
    /// Hosts and scenes are where views come from: a plain native build has neither.
    #[cfg(any(target_arch = "wasm32", feature = "native"))]
    pub(crate) fn new(source: impl Source + 'static) -> Self {
        Self {
            source: Box::new(source),
            operation: OnceCell::new(),
            kind: OnceCell::new(),
            subresource: OnceCell::new(),
            namespace: OnceCell::new(),
            controller: OnceCell::new(),
            pod: OnceCell::new(),
            containers: OnceCell::new(),
            programs: OnceCell::new(),
            volumes: OnceCell::new(),
            tolerations: OnceCell::new(),
            old_containers: OnceCell::new(),
        }
    }
}

/// Where views come from: the host's imports, or JSON in native tests. Texts are JSON.
pub(crate) trait Source {
    fn pod(&self) -> Option<Pod>;
    fn containers(&self) -> Vec<Container>;
    fn programs(&self) -> Vec<Program>;
    fn volumes(&self) -> Vec<Volume>;
    fn tolerations(&self) -> Vec<Toleration>;
    fn old_containers(&self) -> Vec<Container>;
    fn read(&self, root: Root, at: &str) -> Option<String>;
    fn read_old(&self, root: Root, at: &str) -> Option<String>;
    fn operation(&self) -> Operation;
    fn kind(&self) -> GroupVersionKind;
    fn resource(&self) -> GroupVersionResource;
    fn subresource(&self) -> Option<String>;
    fn namespace(&self) -> Option<String>;
    fn name(&self) -> Option<String>;
    fn user_name(&self) -> String;
    fn fact(&self, id: &str, kind: &str, key: &str) -> Result<String, Unavailable>;
    fn log(&self, level: LogLevel, message: &str);
}

/// Why a fact is not there, and what to do where that is for an administrator to mend.
fn why(unavailable: Unavailable, kind: &str) -> String {
    match unavailable {
        Unavailable::Undeclared => "the policy does not declare that it asks for such facts".into(),
        Unavailable::Ungranted => format!(
            "such facts are not granted to the policy: put `facts: [{kind}]` into the spec of its ClusterPolicy, or add \
             {kind} to those that stand there"
        ),
        Unavailable::Missing(reason) => reason,
    }
}

/// The host answers JSON, so that there is nothing to report here.
fn parse(text: Option<String>) -> Option<Value> {
    serde_json::from_str(&text?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_that_is_not_granted_says_how_to_grant_it() {
        let said = why(Unavailable::Ungranted, "network-policies");
        assert!(said.contains("put `facts: [network-policies]` into the spec of its ClusterPolicy"), "{said}");
    }

    #[test]
    fn a_reason_of_the_hosts_is_told_as_it_is() {
        assert_eq!(why(Unavailable::Missing("timed out".into()), "image-digest"), "timed out");
    }
}
