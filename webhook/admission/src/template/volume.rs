//! Views of volumes.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::shape::only_objects;

only_objects!(Source);

/// One of `spec.volumes`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Volume {
    /// `name`.
    pub name: String,
    /// Where it stands in the template, such as `/spec/volumes/0`.
    pub pointer: String,
    /// The field that holds its source, such as `emptyDir`; empty if there is none.
    pub source: String,
    /// `hostPath.path`, `persistentVolumeClaim.claimName` or `image.reference`.
    pub target: Option<String>,
}

/// What of a source is worth a view.
#[derive(Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
struct Source {
    path: Option<Text>,
    claim_name: Option<Text>,
    reference: Option<Text>,
}

/// A string, or something else that is passed over: `path` means other things in other sources.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Other(IgnoredAny),
}

impl Source {
    fn target(self, field: &str) -> Option<String> {
        let text = match field {
            "hostPath" => self.path,
            "persistentVolumeClaim" => self.claim_name,
            "image" => self.reference,
            _ => None,
        };
        text.and_then(|text| match text {
            Text::Text(text) => Some(text),
            Text::Other(_) => None,
        })
    }
}

// A volume's source is whichever field stands beside its name, so that the set of fields is open.
impl<'de> Deserialize<'de> for Volume {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Volume;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a volume")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Volume, A::Error> {
                let mut volume = Volume::default();
                while let Some(field) = map.next_key::<String>()? {
                    if field == "name" {
                        volume.name = map.next_value::<Option<String>>()?.unwrap_or_default();
                    } else if let Some(source) = map.next_value::<Option<Source>>()? {
                        volume.target = source.target(&field);
                        volume.source = field;
                    }
                }
                Ok(volume)
            }
        }
        json.deserialize_map(Fields)
    }
}
