//! A field that names an image, with the image; which images stood in such fields before the request; and how a pinned
//! image is written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use portreeve_sdk::Case;
use portreeve_sdk::image::Reference;
use portreeve_sdk::view::{ContainerKind, Operation};
use serde_json::Value;

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

/// What is known of the template before the request. A template may have many containers, so that all of it is found by
/// name.
pub(super) struct Before<'a> {
    pub(super) case: &'a Case<'a>,
    /// Whether the request may be a restart.
    pub(super) restarted: bool,
    /// The digest of each tag, by place.
    here: BTreeMap<(String, Tag), String>,
    /// The first digest of each tag.
    anywhere: BTreeMap<Tag, String>,
    /// Each place with its digests.
    digests: BTreeSet<(String, String)>,
}

/// What stood in a field, by the name of its place.
struct Named<'a> {
    place: Cow<'a, str>,
    written: Cow<'a, str>,
}

/// A tag of a repository, however it is spelt.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Tag {
    repository: String,
    tag: String,
}

impl Tag {
    fn of(image: &Reference<'_>) -> Option<Self> {
        Some(Self { repository: image.full_name().into_owned(), tag: image.effective_tag()?.to_owned() })
    }
}

impl<'a> Before<'a> {
    pub(super) fn new(case: &'a Case<'a>, restarted: bool) -> Self {
        let mut before =
            Self { case, restarted, here: BTreeMap::new(), anywhere: BTreeMap::new(), digests: BTreeSet::new() };
        for container in case.old_containers() {
            before.note(Named { place: (&*container.name).into(), written: (&*container.image).into() });
        }
        let has_image = || case.volumes().iter().any(|volume| volume.source == "image");
        if case.request().operation() == Operation::Update && has_image() {
            old_volumes(case).into_iter().for_each(|named| before.note(named));
        }
        before
    }

    /// The first that is noted counts.
    fn note(&mut self, Named { place, written }: Named<'_>) {
        let Ok(image) = Reference::read(&written) else { return };
        let Some(digest) = image.digest else { return };
        self.digests.insert((place.clone().into_owned(), digest.to_owned()));
        if let Some(tag) = Tag::of(&image) {
            self.here.entry((place.into_owned(), tag.clone())).or_insert_with(|| digest.to_owned());
            self.anywhere.entry(tag).or_insert_with(|| digest.to_owned());
        }
    }

    /// The digest that the same tag had before: in this place, or else in any.
    pub(super) fn digest(&self, place: &Place<'_>) -> Option<String> {
        let tag = Tag::of(&place.image)?;
        let here = self.here.get(&(place.name().into_owned(), tag.clone()));
        here.or_else(|| self.anywhere.get(&tag)).cloned()
    }

    /// Whether this digest stood in this place.
    pub(super) fn had(&self, place: &Place<'_>, digest: &str) -> bool {
        self.digests.contains(&(place.name().into_owned(), digest.to_owned()))
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
