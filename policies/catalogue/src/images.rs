//! Where a template names images: in its containers of every kind and in its image volumes; and what is said of a text
//! that names none. What an image has to be like is the policies' to say.

use portreeve_sdk::image::{Reference, Unreadable};
use portreeve_sdk::view::{Container, Operation, Volume};
use portreeve_sdk::{Case, Finding, Verdict, pointer};

use crate::injected::is_chosen_by_mesh;

/// A field that names an image.
pub(crate) struct Place<'a> {
    /// What the image is for.
    pub(crate) owner: Owner<'a>,
    /// The image as written; never empty.
    pub(crate) written: &'a str,
    /// The same as container runtimes read it.
    pub(crate) image: Result<Reference<'a>, Unreadable>,
    /// Into the template.
    pub(crate) pointer: String,
}

/// What an image is for.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// A container that runs it.
    Container(&'a Container),
    /// A volume that holds its files.
    Volume(&'a Volume),
}

impl<'a> Place<'a> {
    fn new(owner: Owner<'a>, written: &'a str, pointer: String) -> Self {
        Self { owner, written, image: Reference::read(written), pointer }
    }

    /// The container; none for a volume.
    pub(crate) fn container(&self) -> Option<&'a Container> {
        match self.owner {
            Owner::Container(container) => Some(container),
            Owner::Volume(_) => None,
        }
    }

    /// Whether the image runs in a Pod already, under this very name: another name would end the container and start it
    /// anew.
    pub(crate) fn is_running(&self, case: &Case<'_>) -> bool {
        let request = case.request();
        let is_pod = request.operation() == Operation::Update && request.kind().kind == "Pod";
        let same =
            |now: &Container| case.old_containers().iter().any(|old| old.name == now.name && old.image == now.image);
        is_pod && self.container().is_none_or(same)
    }

    /// Such as `container "web"`, for messages.
    pub(crate) fn who(&self) -> String {
        match self.owner {
            Owner::Container(container) => format!("container {:?}", container.name),
            Owner::Volume(volume) => format!("volume {:?}", volume.name),
        }
    }

    /// Says of a finding that it is about this container.
    pub(crate) fn at_fault<'v>(&self, finding: Finding<'v>) -> Finding<'v> {
        match self.container() {
            Some(container) => finding.container(container),
            None => finding,
        }
    }

    /// What no runtime reads as an image is a violation in the same words wherever images are judged.
    pub(crate) fn judge_unreadable(&self, why: Unreadable, verdict: &mut Verdict) {
        self.at_fault(verdict.violation("unreadable"))
            .at(self.pointer.as_str())
            .says(format!("{} uses {:?}, which is no name of an image: {why}", self.who(), self.written))
            .mend(match why {
                Unreadable::Name | Unreadable::Tag => "name it registry/repository:tag, without .. or empty parts",
                Unreadable::Id => "name the image as a registry has it: registry/repository:tag",
                Unreadable::Digest => "write the whole digest as the registry gives it, or the tag alone",
            });
    }
}

/// Every place of the template, containers first. Where a mesh is yet to choose the image, none is named so far.
pub(crate) fn places<'a>(case: &Case<'a>) -> impl Iterator<Item = Place<'a>> {
    let pod = case.pod();
    let is_open = move |image: &str| image.is_empty() || pod.is_some_and(|pod| is_chosen_by_mesh(pod, image));
    let containers = case.containers().iter();
    let containers = containers
        .filter(move |container| !is_open(&container.image))
        .map(|container| Place::new(Owner::Container(container), &container.image, container.field("/image")));
    let volumes = case.volumes().iter().filter(|volume| volume.source == "image").filter_map(|volume| {
        let written = volume.target.as_deref().filter(|written| !written.is_empty())?;
        Some(Place::new(Owner::Volume(volume), written, pointer::join(&volume.pointer, "/image/reference")))
    });
    containers.chain(volumes)
}

/// A Pod in which a mesh was to choose an image and did not: once all webhooks have edited it, what stands there is
/// what runs. Whatever is found before that is not told.
pub(crate) fn judge_unchosen(case: &Case<'_>, verdict: &mut Verdict) {
    let request = case.request();
    let (kind, pod) = (request.kind(), case.pod());
    let Some(pod) = pod.filter(|_| kind.group.is_empty() && kind.kind == "Pod") else { return };
    for container in case.containers().iter().filter(|container| is_chosen_by_mesh(pod, &container.image)) {
        verdict
            .violation("unreadable")
            .container(container)
            .at(container.field("/image"))
            .says(format!("container {:?} uses \"auto\", and no mesh chose an image in its place", container.name))
            .mend("name an image, or let the mesh's injector see the pods of this namespace");
    }
}
