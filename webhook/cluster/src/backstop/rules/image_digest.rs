//! image-digest, where somebody asks for it: every image is named by digest. With the webhook all are; without it,
//! those that nobody pinned are refused.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Drafted;
use super::image_registries::{Places, of_images};
use crate::backstop::image::ImagePatterns;
use crate::backstop::left_out::Why;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[allow(dead_code, reason = "a setting that is known here and has no say is told from one that is not known")]
pub(super) struct Settings {
    exempt_images: Vec<String>,
    unresolved: Option<IgnoredAny>,
}

pub(super) fn draft(settings: &Settings) -> Result<Drafted, Why> {
    let exempt = ImagePatterns::read("exemptImages", &settings.exempt_images)?;
    let unpinned = move |image: &str| {
        let exempt = exempt.as_ref().map(|exempt| format!(" && !{}", exempt.take(image))).unwrap_or_default();
        format!("(!{image}.contains('@'){exempt})")
    };
    let places = Places {
        rule: "unpinned",
        fault: Box::new(unpinned),
        says: "it is named by a tag, which can name another one tomorrow",
        remedy: "name it by digest: repository:tag@sha256:…",
    };
    Ok(Drafted::of(of_images(places)))
}
