//! Where a template names images, now and before the request, and how a pinned image is written.

use std::borrow::Cow;

use portreeve_sdk::image::Reference;
use portreeve_sdk::view::{Container, ContainerKind, Operation, Volume};
use portreeve_sdk::{Case, pointer};
use serde_json::Value;

use super::is_same_tag;

/// A field that names an image.
pub(super) struct Place<'a> {
    /// The container; none for a volume.
    pub(super) container: Option<&'a Container>,
    /// The container's name, or `volume/` and the volume's: no container's name holds a slash.
    pub(super) name: Cow<'a, str>,
    /// The image as written; never empty.
    pub(super) written: Cow<'a, str>,
    /// Into the template.
    pub(super) pointer: String,
}

impl Place<'_> {
    pub(super) fn image(&self) -> Reference<'_> {
        Reference::parse(&self.written)
    }

    /// For messages.
    pub(super) fn who(&self) -> String {
        match self.container {
            Some(container) => format!("container {:?}", container.name),
            None => format!("volume {:?}", self.name.strip_prefix("volume/").unwrap_or(&self.name)),
        }
    }

    /// Ephemeral containers come without a template that could be restarted.
    pub(super) fn can_be_restarted(&self) -> bool {
        self.container.is_none_or(|container| container.kind != ContainerKind::Ephemeral)
    }
}

/// Every place of the template, containers first.
pub(super) fn all<'a>(case: &Case<'a>) -> Vec<Place<'a>> {
    let volumes = case.volumes().iter().filter(|volume| names_image(volume));
    let volumes = volumes.filter_map(|volume| {
        Some(Place {
            container: None,
            name: ["volume/", &volume.name].concat().into(),
            written: volume.target.as_deref()?.into(),
            pointer: pointer::join(&volume.pointer, "/image/reference"),
        })
    });
    containers(case.containers()).chain(volumes).filter(|place| !place.written.is_empty()).collect()
}

fn containers<'a>(containers: &'a [Container]) -> impl Iterator<Item = Place<'a>> {
    containers.iter().map(|container| Place {
        container: Some(container),
        name: container.name.as_str().into(),
        written: container.image.as_str().into(),
        pointer: container.field("/image"),
    })
}

/// What is known of the template before the request.
pub(super) struct Before<'a> {
    pub(super) case: &'a Case<'a>,
    /// Whether the request is a restart.
    pub(super) restarted: bool,
    places: Vec<Place<'a>>,
}

impl<'a> Before<'a> {
    pub(super) fn new(case: &'a Case<'a>, restarted: bool) -> Self {
        let mut places: Vec<_> = containers(case.old_containers()).collect();
        if case.request().operation() == Operation::Update && case.volumes().iter().any(names_image) {
            places.extend(old_volumes(case));
        }
        Self { case, restarted, places }
    }

    /// The digest that the same tag had before: in this place, or else in any.
    pub(super) fn digest(&self, place: &Place<'_>) -> Option<String> {
        let wanted = place.image();
        let pinned = |old: &&Place<'_>| old.image().digest.is_some() && is_same_tag(&wanted, &old.image());
        let here = self.places.iter().filter(pinned).find(|old| old.name == place.name);
        let found = here.or_else(|| self.places.iter().find(pinned))?;
        found.image().digest.map(String::from)
    }
}

fn names_image(volume: &Volume) -> bool {
    volume.source == "image"
}

/// No view shows the volumes before the request.
fn old_volumes(case: &Case<'_>) -> Vec<Place<'static>> {
    let Some(Value::Array(volumes)) = case.read_old("/spec/volumes") else { return Vec::new() };
    let place = |volume: &Value| {
        Some(Place {
            container: None,
            name: ["volume/", volume.get("name")?.as_str()?].concat().into(),
            written: volume.get("image")?.get("reference")?.as_str()?.to_owned().into(),
            pointer: String::new(),
        })
    };
    volumes.iter().filter_map(place).collect()
}

/// The image with this digest, in the writer's spelling: the tag stays, so that people can read it.
pub(super) fn named(image: &Reference<'_>, digest: &str) -> String {
    match image.effective_tag() {
        Some(tag) => [image.name, ":", tag, "@", digest].concat(),
        None => [image.name, "@", digest].concat(),
    }
}

/// The image without its digest; none if nothing would be left to say which is meant.
pub(super) fn by_tag(image: &Reference<'_>) -> Option<String> {
    image.tag.map(|tag| [image.name, ":", tag].concat())
}
