//! read-only-rootfs: nobody says himself that his image may be written to, where the settings mind.

use portreeve_admission::api::Mode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Drafted;
use crate::backstop::cel::field_or;
use crate::backstop::image::ImagePatterns;
use crate::backstop::left_out::Why;
use crate::backstop::rule::Rule;
use crate::backstop::select::{Judgement, is_one_of};
use crate::backstop::subject::Side;

/// What is not read says what is put in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[allow(dead_code, reason = "a setting that is known here and has no say is told from one that is not known")]
pub(super) struct Settings {
    explicit_false: Judgement,
    explicit_true: Option<IgnoredAny>,
    writable: Option<IgnoredAny>,
    size_limit: Option<IgnoredAny>,
    exempt_images: Vec<String>,
}

pub(super) fn draft(settings: &Settings) -> Result<Drafted, Why> {
    let at_most = match settings.explicit_false {
        Judgement::Deny => Mode::Enforce,
        Judgement::Warn => Mode::Warn,
        Judgement::Allow => {
            return Err(Why::NothingToRefuse(
                "what is missing the webhook puts in, and settings.explicitFalse allows the rest",
            ));
        }
    };
    let exempt = ImagePatterns::read("exemptImages", &settings.exempt_images)?;
    let writable = move |side: Side| {
        let read_only = field_or(side.container(), "securityContext.readOnlyRootFilesystem", "true");
        format!("(!({}) && !{read_only} && !{})", side.is_windows(), is_one_of(side, exempt.as_ref()))
    };
    let remedy = "set securityContext.readOnlyRootFilesystem to true and mount an emptyDir wherever the program writes";
    let rule = Rule::of_container("writable-root", writable, "sets readOnlyRootFilesystem: false", remedy);
    Ok(Drafted { at_most, ..Drafted::of(vec![rule]) })
}
