//! What a guest can reach: the functions of the contract, answered from one case. Nothing here does I/O but the
//! log, reads a clock or draws a random number.

mod budget;
mod journal;
mod stop;
mod views;

use std::sync::Arc;

use portreeve_admission::case::{Case, FactKind, Subject};
use portreeve_admission::document::Document;
use portreeve_admission::pointer::Pointer;
use portreeve_admission::template::Template;

pub(crate) use budget::Budget;
pub(crate) use journal::Journal;
pub(crate) use stop::{Stop, failure};

use crate::Limits;
use crate::bindings::portreeve::policy::{facts, log, request, subject, types};
use crate::instance::Instances;

/// What belongs to one instance of a component, and goes when it goes.
pub(crate) struct Host {
    pub(crate) budget: Budget,
    pub(crate) journal: Journal,
    judged: Option<Judged>,
}

/// The case at hand and who may ask for its facts.
struct Judged {
    case: Case,
    instances: Arc<Instances>,
}

impl Host {
    /// Of a guest that is being set up: there is no case yet, and asking for one stops the guest.
    pub(crate) fn new(limits: &Limits, journal: Journal) -> Self {
        Self { budget: Budget::new(limits), journal, judged: None }
    }

    /// Opens the case. From here on the guest may ask.
    pub(crate) fn judge(&mut self, case: Case, instances: Arc<Instances>) {
        self.judged = Some(Judged { case, instances });
    }

    /// Counts a call and answers what it may read.
    fn ask(&mut self) -> Result<&Judged, Stop> {
        self.budget.host_call()?;
        self.judged.as_ref().ok_or_else(|| {
            Stop::Contract(
                "it asked for the request before there was one: nothing can be judged while it is set up".into(),
            )
        })
    }
}

impl Judged {
    fn template(&self) -> Option<&Template> {
        self.case.subject.as_ref().map(|subject| subject.template.as_ref())
    }

    /// Part of the template in `document`, by a pointer that starts at the template.
    fn template_part(
        subject: Option<&Subject>,
        document: Option<&Arc<Document>>,
        at: &str,
    ) -> Result<Option<String>, Stop> {
        let at = pointer(at)?;
        let (Some(subject), Some(document)) = (subject, document) else { return Ok(None) };
        Ok(subject.at.read_text(document, &at))
    }

    fn fact(&self, id: &str, kind: &str, key: &str) -> Result<Result<String, facts::Unavailable>, Stop> {
        let asking = self.instances.find(id).ok_or_else(|| {
            Stop::Contract(format!("it asked for a fact as {id:?}, which is not one of its instances"))
        })?;
        let Some(kind) = FactKind::named(kind).filter(|kind| asking.declared.contains(kind)) else {
            return Ok(Err(facts::Unavailable::Undeclared));
        };
        if !asking.granted.contains(&kind) {
            return Ok(Err(facts::Unavailable::Ungranted));
        }
        Ok(match self.case.facts.get(kind, key) {
            Some(Ok(value)) => Ok(value.to_string()),
            Some(Err(reason)) => Err(facts::Unavailable::Missing(reason.clone())),
            None => Err(facts::Unavailable::Missing("it was not gathered".into())),
        })
    }
}

fn pointer(text: &str) -> Result<Pointer, Stop> {
    text.parse().map_err(|error| Stop::Contract(format!("it asked to read at {error}")))
}

impl types::Host for Host {}

impl request::Host for Host {
    fn operation(&mut self) -> wasmtime::Result<request::OperationType> {
        Ok(views::operation(self.ask()?.case.request.operation))
    }

    fn kind(&mut self) -> wasmtime::Result<request::GroupVersionKind> {
        Ok(views::kind(&self.ask()?.case.request.kind))
    }

    fn resource(&mut self) -> wasmtime::Result<request::GroupVersionResource> {
        Ok(views::resource(&self.ask()?.case.request.resource))
    }

    fn subresource(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.ask()?.case.request.subresource.clone())
    }

    fn namespace(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.ask()?.case.request.namespace.clone())
    }

    fn name(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.ask()?.case.request.name.clone())
    }

    fn user_name(&mut self) -> wasmtime::Result<String> {
        Ok(self.ask()?.case.request.user_name.clone())
    }

    fn read(&mut self, at: String) -> wasmtime::Result<Option<String>> {
        let object = &self.ask()?.case.object;
        let at = pointer(&at)?;
        Ok(object.as_ref().and_then(|object| object.read(&at)))
    }

    fn read_old(&mut self, at: String) -> wasmtime::Result<Option<String>> {
        let object = &self.ask()?.case.old_object;
        let at = pointer(&at)?;
        Ok(object.as_ref().and_then(|object| object.read(&at)))
    }
}

impl subject::Host for Host {
    fn present(&mut self) -> wasmtime::Result<bool> {
        Ok(self.ask()?.template().is_some())
    }

    fn pod(&mut self) -> wasmtime::Result<Option<subject::PodView>> {
        Ok(self.ask()?.template().map(|template| views::pod(&template.pod)))
    }

    fn containers(&mut self) -> wasmtime::Result<Vec<subject::Container>> {
        Ok(each(self.ask()?.template(), |template| &template.containers, views::container))
    }

    fn programs(&mut self) -> wasmtime::Result<Vec<subject::Program>> {
        Ok(each(self.ask()?.template(), |template| &template.containers, views::program))
    }

    fn volumes(&mut self) -> wasmtime::Result<Vec<subject::Volume>> {
        Ok(each(self.ask()?.template(), |template| &template.volumes, views::volume))
    }

    fn tolerations(&mut self) -> wasmtime::Result<Vec<subject::Toleration>> {
        Ok(each(self.ask()?.template(), |template| &template.tolerations, views::toleration))
    }

    fn old_containers(&mut self) -> wasmtime::Result<Vec<subject::Container>> {
        let judged = self.ask()?;
        let before = judged.case.old_subject.as_ref().map(|subject| subject.template.as_ref());
        Ok(each(before, |template| &template.containers, views::container))
    }

    fn read(&mut self, at: String) -> wasmtime::Result<Option<String>> {
        let judged = self.ask()?;
        Ok(Judged::template_part(judged.case.subject.as_ref(), judged.case.object.as_ref(), &at)?)
    }

    fn read_old(&mut self, at: String) -> wasmtime::Result<Option<String>> {
        let judged = self.ask()?;
        Ok(Judged::template_part(judged.case.old_subject.as_ref(), judged.case.old_object.as_ref(), &at)?)
    }
}

fn each<T, V>(template: Option<&Template>, list: fn(&Template) -> &Vec<T>, view: fn(&T) -> V) -> Vec<V> {
    template.map_or_else(Vec::new, |template| list(template).iter().map(view).collect())
}

impl facts::Host for Host {
    fn get(&mut self, id: String, kind: String, key: String) -> wasmtime::Result<Result<String, facts::Unavailable>> {
        Ok(self.ask()?.fact(&id, &kind, &key)?)
    }
}

impl log::Host for Host {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.budget.host_call()?;
        self.journal.write(level, &message);
        Ok(())
    }
}
