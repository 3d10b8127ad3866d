//! The views of a scene, read from its JSON.

use portreeve_admission::case::{Case, FactKind, Subject};
use portreeve_admission::document::Document;
use portreeve_admission::pointer::Pointer;

use super::convert;
use crate::case::Source;
use crate::generated::portreeve::policy::facts::Unavailable;
use crate::view::{
    Container, GroupVersionKind, GroupVersionResource, LogLevel, Operation, Pod, Program, Root, Toleration, Volume,
};

/// A case of the host, shown to a guest.
pub(super) struct Json(pub(super) Case);

impl Json {
    fn of_template<T>(&self, read: impl FnOnce(&portreeve_admission::template::Template) -> T) -> Option<T> {
        self.0.subject.as_ref().map(|subject| read(&subject.template))
    }

    fn find(subject: Option<&Subject>, document: Option<&Document>, root: Root, at: &str) -> Option<String> {
        let at: Pointer = at.parse().ok()?;
        let document = document?;
        match root {
            Root::Object => document.read(&at),
            Root::Template => subject?.at.read_text(document, &at),
        }
    }
}

impl Source for Json {
    fn pod(&self) -> Option<Pod> {
        self.of_template(|template| convert::pod(&template.pod))
    }

    fn containers(&self) -> Vec<Container> {
        self.of_template(|template| template.containers.iter().map(convert::container).collect()).unwrap_or_default()
    }

    fn programs(&self) -> Vec<Program> {
        self.of_template(|template| template.containers.iter().map(convert::program).collect()).unwrap_or_default()
    }

    fn volumes(&self) -> Vec<Volume> {
        self.of_template(|template| template.volumes.iter().map(convert::volume).collect()).unwrap_or_default()
    }

    fn tolerations(&self) -> Vec<Toleration> {
        self.of_template(|template| template.tolerations.iter().map(convert::toleration).collect()).unwrap_or_default()
    }

    fn old_containers(&self) -> Vec<Container> {
        let old = self.0.old_subject.as_ref();
        old.map(|old| old.template.containers.iter().map(convert::container).collect()).unwrap_or_default()
    }

    fn read(&self, root: Root, at: &str) -> Option<String> {
        Self::find(self.0.subject.as_ref(), self.0.object.as_deref(), root, at)
    }

    fn read_old(&self, root: Root, at: &str) -> Option<String> {
        Self::find(self.0.old_subject.as_ref(), self.0.old_object.as_deref(), root, at)
    }

    fn operation(&self) -> Operation {
        convert::operation(self.0.request.operation)
    }

    fn kind(&self) -> GroupVersionKind {
        let kind = self.0.request.kind.clone();
        GroupVersionKind { group: kind.group, version: kind.version, kind: kind.kind }
    }

    fn resource(&self) -> GroupVersionResource {
        let resource = self.0.request.resource.clone();
        GroupVersionResource { group: resource.group, version: resource.version, resource: resource.resource }
    }

    fn subresource(&self) -> Option<String> {
        self.0.request.subresource.clone()
    }

    fn namespace(&self) -> Option<String> {
        self.0.request.namespace.clone()
    }

    fn name(&self) -> Option<String> {
        self.0.request.name.clone()
    }

    fn user_name(&self) -> String {
        self.0.request.user_name.clone()
    }

    fn fact(&self, _: &str, kind: &str, key: &str) -> Result<String, Unavailable> {
        let kind = FactKind::named(kind).ok_or(Unavailable::Undeclared)?;
        match self.0.facts.get(kind, key) {
            Some(Ok(value)) => Ok(value.to_string()),
            Some(Err(reason)) => Err(Unavailable::Missing(reason.clone())),
            None => Err(Unavailable::Missing("it was not gathered".into())),
        }
    }

    fn log(&self, _: LogLevel, _: &str) {}
}
