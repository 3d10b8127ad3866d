//! The pod template as typed views: what policies ask about most, read once from the object's JSON. The views keep
//! what was written; unknown fields are passed over (they stay in the object). Where the template sits in an object
//! is told in `subject`.

mod container;
mod pod;
mod read;
mod volume;

pub use container::{Capabilities, Container, ContainerKind, ContainerSecurity, Mount, Port, Probe, ProbeKind};
pub use pod::{Pod, PodSecurity, Profile, SeLinux, Sysctl, Toleration};
pub use volume::Volume;

use serde::Deserialize;

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

/// A template that is not one: a field of the wrong type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {reason}")]
pub struct TemplateError {
    /// The field, such as `spec.containers[0].ports[1].containerPort`.
    pub at: String,
    /// What stands there and what should.
    pub reason: String,
}

impl Template {
    /// Reads the views from JSON: a `serde_json` deserializer over text, or a `&Value`.
    ///
    /// # Errors
    /// Names the first field that has the wrong type.
    pub fn read<'de, D: serde::Deserializer<'de>>(json: D) -> Result<Self, TemplateError> {
        serde_path_to_error::deserialize::<_, read::RawTemplate>(json)
            .map(Self::from)
            .map_err(|error| TemplateError { at: error.path().to_string(), reason: error.inner().to_string() })
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
