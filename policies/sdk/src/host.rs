//! The views as the host's imports give them.

use crate::case::Source;
use crate::generated::portreeve::policy::{facts, log, request, subject};
use crate::view::{
    Container, GroupVersionKind, GroupVersionResource, LogLevel, Operation, Pod, Program, Root, Toleration, Volume,
};

/// The request of the running `evaluate`.
pub(crate) struct Host;

impl Source for Host {
    fn pod(&self) -> Option<Pod> {
        subject::pod()
    }

    fn containers(&self) -> Vec<Container> {
        subject::containers()
    }

    fn programs(&self) -> Vec<Program> {
        subject::programs()
    }

    fn volumes(&self) -> Vec<Volume> {
        subject::volumes()
    }

    fn tolerations(&self) -> Vec<Toleration> {
        subject::tolerations()
    }

    fn old_containers(&self) -> Vec<Container> {
        subject::old_containers()
    }

    fn read(&self, root: Root, at: &str) -> Option<String> {
        match root {
            Root::Template => subject::read(at),
            Root::Object => request::read(at),
        }
    }

    fn read_old(&self, root: Root, at: &str) -> Option<String> {
        match root {
            Root::Template => subject::read_old(at),
            Root::Object => request::read_old(at),
        }
    }

    fn operation(&self) -> Operation {
        request::operation()
    }

    fn kind(&self) -> GroupVersionKind {
        request::kind()
    }

    fn resource(&self) -> GroupVersionResource {
        request::resource()
    }

    fn subresource(&self) -> Option<String> {
        request::subresource()
    }

    fn namespace(&self) -> Option<String> {
        request::namespace()
    }

    fn name(&self) -> Option<String> {
        request::name()
    }

    fn user_name(&self) -> String {
        request::user_name()
    }

    fn fact(&self, id: &str, kind: &str, key: &str) -> Result<String, facts::Unavailable> {
        facts::get(id, kind, key)
    }

    fn log(&self, level: LogLevel, message: &str) {
        log::write(level, message);
    }
}
