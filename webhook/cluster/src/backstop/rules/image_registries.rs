//! image-registries: images come from allowed places. What a mirror holds would be renamed by the webhook, and passes.

use std::rc::Rc;

use serde::Deserialize;

use super::Drafted;
use crate::backstop::cel::field_or;
use crate::backstop::image::{Repositories, is_readable};
use crate::backstop::left_out::Why;
use crate::backstop::rule::Rule;
use crate::backstop::subject::Side;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Settings {
    allowed: Option<Vec<String>>,
    mirrors: Vec<Mirror>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Mirror {
    from: String,
    to: Option<String>,
}

pub(super) fn draft(settings: &Settings) -> Result<Drafted, Why> {
    let Some(allowed) = &settings.allowed else {
        return Err(Why::NothingToRefuse("settings.allowed is not given: images may come from everywhere"));
    };
    let mirrored = settings.mirrors.iter().filter(|mirror| mirror.to.is_some()).map(|mirror| mirror.from.as_str());
    let places = Repositories::of(allowed.iter().map(String::as_str).chain(mirrored));
    let elsewhere = move |image: &str| format!("(!{} || !{})", is_readable(image), places.take(image));
    Ok(Drafted::of(of_images(Places {
        rule: "registry",
        fault: Box::new(elsewhere),
        says: "nothing may come from there",
        remedy: "use an image from an allowed place",
    })))
}

/// What is asked of images, wherever a template names one.
pub(super) struct Places {
    /// The rule.
    pub(super) rule: &'static str,
    /// Whether an image is at fault: of an expression that is its name, one that says so.
    pub(super) fault: Box<dyn Fn(&str) -> String>,
    /// What is wrong.
    pub(super) says: &'static str,
    /// What to change.
    pub(super) remedy: &'static str,
}

/// Images of containers, and those that volumes hold the files of.
pub(super) fn of_images(places: Places) -> Vec<Rule> {
    let Places { rule, fault, says, remedy } = places;
    let fault: Rc<dyn Fn(&str) -> String> = fault.into();
    let of_container = Rc::clone(&fault);
    let runs = move |side: Side| {
        let image = field_or(side.container(), "image", "''");
        format!("({} && !({image} == 'auto' && {}))", named(&image, &*of_container), side.is_injected())
    };
    let held = named(&field_or("v", "image.reference", "''"), &*fault);
    let volumes = format!("{}.filter(v, {held}).map(v, v.name).join(', ')", Side::New.volumes());
    let holds = move |side: Side| format!("{}.exists(v, {held})", side.volumes());
    vec![
        Rule::of_container(rule, runs, "", remedy).saying(format!("'uses the image \"' + c.image + '\": {says}'")),
        Rule::of_pod(rule, holds, "", remedy).saying(format!("'the image of the volume ' + {volumes} + ': {says}'")),
    ]
}

/// Whether an image is named and at fault.
fn named(image: &str, fault: &dyn Fn(&str) -> String) -> String {
    format!("({image} != '' && {})", fault(image))
}
