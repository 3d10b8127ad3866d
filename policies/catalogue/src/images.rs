//! Where a template names images: in its containers of every kind and in its image volumes. What an image has to be like
//! is the policies' to say.

use portreeve_sdk::image::Reference;
use portreeve_sdk::view::{Container, Volume};
use portreeve_sdk::{Case, Finding, pointer};

/// A field that names an image.
pub(crate) struct Place<'a> {
    owner: Owner<'a>,
    /// The image as written; never empty.
    pub(crate) written: &'a str,
    /// Into the template.
    pub(crate) pointer: String,
}

/// What an image is for.
enum Owner<'a> {
    Container(&'a Container),
    Volume(&'a Volume),
}

impl<'a> Place<'a> {
    /// The image, taken apart.
    pub(crate) fn image(&self) -> Reference<'a> {
        Reference::parse(self.written)
    }

    /// The container; none for a volume.
    pub(crate) fn container(&self) -> Option<&'a Container> {
        match self.owner {
            Owner::Container(container) => Some(container),
            Owner::Volume(_) => None,
        }
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
}

/// Every place of the template, containers first.
pub(crate) fn places<'a>(case: &Case<'a>) -> impl Iterator<Item = Place<'a>> {
    let containers = case.containers().iter().map(|container| Place {
        owner: Owner::Container(container),
        written: &container.image,
        pointer: container.field("/image"),
    });
    let volumes = case.volumes().iter().filter(|volume| volume.source == "image").filter_map(|volume| {
        let pointer = pointer::join(&volume.pointer, "/image/reference");
        Some(Place { owner: Owner::Volume(volume), written: volume.target.as_deref()?, pointer })
    });
    containers.chain(volumes).filter(|place| !place.written.is_empty())
}
