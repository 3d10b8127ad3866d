//! A field that names an image, with the image; which images stood in such fields before the request; and how a pinned
//! image is written.

use std::borrow::Cow;

use portreeve_sdk::Case;
use portreeve_sdk::image::Reference;
use portreeve_sdk::view::{ContainerKind, Operation};
use serde_json::Value;

use super::is_same_tag;
use crate::images::{self, Owner};

/// A field that names an image.
pub(super) struct Place<'a> {
    /// The field.
    pub(super) field: images::Place<'a>,
    /// What it names.
    pub(super) image: Reference<'a>,
}

impl<'a> Place<'a> {
    /// As a list of images names it: the container's name, or `volume/` and the volume's; no container's name holds a
    /// slash.
    pub(super) fn name(&self) -> Cow<'a, str> {
        match self.field.owner {
            Owner::Container(container) => container.name.as_str().into(),
            Owner::Volume(volume) => of_volume(&volume.name),
        }
    }

    /// Ephemeral containers come without a template that could be restarted.
    pub(super) fn can_be_restarted(&self) -> bool {
        self.field.container().is_none_or(|container| container.kind != ContainerKind::Ephemeral)
    }

    /// The image with this digest, in the writer's spelling: the tag stays, so that people can read it.
    pub(super) fn pinned(&self, digest: &str) -> String {
        match self.image.effective_tag() {
            Some(tag) => [self.image.name, ":", tag, "@", digest].concat(),
            None => [self.image.name, "@", digest].concat(),
        }
    }

    /// The image without its digest; none if nothing would be left to say which is meant.
    pub(super) fn by_tag(&self) -> Option<String> {
        self.image.tag.map(|tag| [self.image.name, ":", tag].concat())
    }
}

fn of_volume(name: &str) -> Cow<'static, str> {
    ["volume/", name].concat().into()
}

/// What is known of the template before the request.
pub(super) struct Before<'a> {
    pub(super) case: &'a Case<'a>,
    /// Whether the request is a restart.
    pub(super) restarted: bool,
    named: Vec<Named<'a>>,
}

/// What stood in a field, by the name of its place.
struct Named<'a> {
    place: Cow<'a, str>,
    written: Cow<'a, str>,
}

impl<'a> Before<'a> {
    pub(super) fn new(case: &'a Case<'a>, restarted: bool) -> Self {
        let containers = case.old_containers().iter();
        let mut named: Vec<_> = containers
            .map(|container| Named { place: (&*container.name).into(), written: (&*container.image).into() })
            .collect();
        let has_image = || case.volumes().iter().any(|volume| volume.source == "image");
        if case.request().operation() == Operation::Update && has_image() {
            named.extend(old_volumes(case));
        }
        Self { case, restarted, named }
    }

    /// The digest that the same tag had before: in this place, or else in any.
    pub(super) fn digest(&self, place: &Place<'_>) -> Option<String> {
        let pinned = |old: &Named<'_>| {
            let image = Reference::read(&old.written).ok()?;
            is_same_tag(&place.image, &image).then_some(image.digest)?.map(String::from)
        };
        let here = self.named.iter().filter(|old| old.place == place.name()).find_map(pinned);
        here.or_else(|| self.named.iter().find_map(pinned))
    }
}

/// No view shows the volumes before the request.
fn old_volumes(case: &Case<'_>) -> Vec<Named<'static>> {
    let Some(Value::Array(volumes)) = case.read_old("/spec/volumes") else { return Vec::new() };
    let named = |volume: &Value| {
        let written = volume.get("image")?.get("reference")?.as_str()?.to_owned().into();
        Some(Named { place: of_volume(volume.get("name")?.as_str()?), written })
    };
    volumes.iter().filter_map(named).collect()
}
