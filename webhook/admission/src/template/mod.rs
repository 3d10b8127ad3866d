//! The pod template as typed views: what policies ask about most, read once from the object's JSON. The views keep
//! what was written; unknown fields are passed over (they stay in the object). Where the template sits in an object
//! is told in `subject`.

mod container;
mod pod;
mod read;
mod volume;

pub use container::{
    Capabilities, Container, ContainerKind, ContainerSecurity, Mount, Port, Probe, ProbeHandler, ProbeKind, Program,
    Variable,
};
pub use pod::{Pod, PodSecurity, Profile, SeLinux, Sysctl, Toleration};
pub use volume::Volume;

use serde::Deserialize;

use crate::pointer::Pointer;
use crate::shape::{self, ShapeError};

/// A label, an annotation, a selector entry or a quantity: name and value as written.
pub type Entry = (String, String);

/// A pod template.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Template {
    /// What holds for the whole pod.
    pub pod: Pod,
    /// Init containers, regular ones, ephemeral ones, each in the order written.
    pub containers: Vec<Container>,
    /// Volumes in the order written.
    pub volumes: Vec<Volume>,
    /// Tolerations in the order written.
    pub tolerations: Vec<Toleration>,
}

impl Template {
    /// Reads the views from JSON text.
    ///
    /// # Errors
    /// As [`Template::read`].
    pub fn parse(text: &str) -> Result<Self, ShapeError> {
        shape::read::<read::RawTemplate>(text).map(Self::from)
    }

    /// Reads the views from JSON: a `serde_json` deserializer over text, or a `&Value`.
    ///
    /// # Errors
    /// Names the first field that has the wrong type.
    pub fn read<'de, D: serde::Deserializer<'de>>(json: D) -> Result<Self, ShapeError> {
        serde_path_to_error::deserialize::<_, read::RawTemplate>(json).map(Self::from).map_err(ShapeError::from)
    }

    /// Images of containers and of image volumes, as written. Empty ones are left out: the API server speaks of them.
    pub fn image_names(&self) -> impl Iterator<Item = &str> {
        self.placed_images().map(|(image, ..)| image)
    }

    /// The same, and where in the template each stands.
    pub fn images(&self) -> impl Iterator<Item = (&str, Pointer)> {
        self.placed_images().map(|(image, at, rest)| {
            // The views write these pointers themselves, so they can be read.
            let at: Pointer = at.parse().unwrap_or_default();
            (image, rest.iter().fold(at, |at, token| at.child(token)))
        })
    }

    /// Each with the pointer of what has it, and the way on from there.
    fn placed_images(&self) -> impl Iterator<Item = (&str, &str, &'static [&'static str])> {
        let of_containers = self
            .containers
            .iter()
            .map(|container| (container.image.as_str(), container.pointer.as_str(), &["image"][..]));
        let volumes = self.volumes.iter().filter(|volume| volume.source == "image");
        let of_volumes = volumes.filter_map(|volume| {
            Some((volume.target.as_deref()?, volume.pointer.as_str(), &["image", "reference"][..]))
        });
        of_containers.chain(of_volumes).filter(|(image, ..)| !image.is_empty())
    }
}

/// Missing and null are the same to Kubernetes: both stand for the empty value.
fn null_as_empty<'de, D, T>(json: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(json).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests;
