//! The words of Pod Security: the built-in controller's reasons and details, made from what the checks find. People
//! search and alert on these words, so they are the same here for the same pod.

use std::collections::BTreeSet;
use std::slice;

/// What one check finds wrong with a pod.
#[derive(Debug)]
pub(super) struct Fault {
    /// Such as `hostPort`.
    pub(super) reason: String,
    /// Such as `container "a" uses hostPort 80`.
    pub(super) detail: String,
    /// Every field at fault.
    pub(super) places: Vec<Place>,
}

/// One field at fault.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The container that holds it; none for the pod.
    pub(super) container: Option<String>,
    /// Into the template.
    pub(super) pointer: String,
    /// Reason and detail, of this field alone.
    pub(super) message: String,
    /// What to change there.
    pub(super) remedy: String,
}

/// Who holds a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    Pod,
    Container(&'a str),
    Volume(&'a str),
    /// An annotation that speaks of the container of this name.
    Annotation(&'a str),
}

/// A field at fault, with what the check needs to word it.
#[derive(Debug)]
pub(super) struct Found<'a, V> {
    pub(super) holder: Holder<'a>,
    pub(super) pointer: String,
    pub(super) value: V,
}

/// The fault made of all that was found, none if nothing was. `detail` words any part of it, the whole included.
pub(super) fn fault<V>(
    reason: &str,
    found: &[Found<'_, V>],
    detail: impl Fn(&[Found<'_, V>]) -> String,
    remedy: &str,
) -> Option<Fault> {
    let place = |one: &Found<'_, V>| Place {
        container: one.holder.container().map(String::from),
        pointer: one.pointer.clone(),
        message: [reason, " (", &detail(slice::from_ref(one)), ")"].concat(),
        remedy: remedy.into(),
    };
    let places: Vec<_> = found.iter().map(place).collect();
    (!places.is_empty()).then(|| Fault { reason: reason.into(), detail: detail(found), places })
}

/// The built-in controller's words for all that is wrong.
pub(super) fn in_one_line<'f>(faults: impl IntoIterator<Item = &'f Fault>) -> String {
    let words = faults.into_iter().map(|fault| [&fault.reason, " (", &fault.detail, ")"].concat());
    words.collect::<Vec<_>>().join(", ")
}

/// What to change, each thing once.
pub(super) fn remedies<'f>(faults: impl IntoIterator<Item = &'f Fault>) -> String {
    let mut remedies: Vec<&str> = Vec::new();
    for place in faults.into_iter().flat_map(|fault| &fault.places) {
        if !remedies.contains(&place.remedy.as_str()) {
            remedies.push(&place.remedy);
        }
    }
    remedies.join("; ")
}

/// Two faults of one check, worded one after the other under the first one's reason.
pub(super) fn both(first: Option<Fault>, second: Option<Fault>) -> Option<Fault> {
    match (first, second) {
        (Some(mut first), Some(second)) => {
            first.detail = [&first.detail, "; ", &second.detail].concat();
            first.places.extend(second.places);
            Some(first)
        }
        (first, second) => first.or(second),
    }
}

/// `pod and containers "a", "b"`: the holders, each named once.
pub(super) fn who<V>(found: &[Found<'_, V>]) -> String {
    let containers = containers(found);
    let volumes = distinct(found, |holder| if let Holder::Volume(name) = holder { Some(name) } else { None });
    let annotations = found.iter().filter(|one| matches!(one.holder, Holder::Annotation(_))).count();
    let mut parts = Vec::new();
    if found.iter().any(|one| one.holder == Holder::Pod) {
        parts.push("pod".to_owned());
    }
    if !containers.is_empty() {
        parts.push([plural(containers.len(), "container", "containers"), " ", &quoted(&containers)].concat());
    }
    if !volumes.is_empty() {
        parts.push([plural(volumes.len(), "volume", "volumes"), " ", &quoted(&volumes)].concat());
    }
    if annotations > 0 {
        parts.push(plural(annotations, "annotation", "annotations").into());
    }
    parts.join(" and ")
}

/// Names of the containers, each once, in the order found.
pub(super) fn containers<'a, V>(found: &[Found<'a, V>]) -> Vec<&'a str> {
    distinct(found, |holder| if let Holder::Container(name) = holder { Some(name) } else { None })
}

fn distinct<'a, V>(found: &[Found<'a, V>], name: impl Fn(Holder<'a>) -> Option<&'a str>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for name in found.iter().filter_map(|one| name(one.holder)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Each value once, in the order of the alphabet.
pub(super) fn sorted<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    values.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// `"a", "b"`.
pub(super) fn quoted(names: &[&str]) -> String {
    let mut text = String::new();
    for name in names {
        text.push_str(if text.is_empty() { "\"" } else { ", \"" });
        text.push_str(name);
        text.push('"');
    }
    text
}

/// The word for that many.
pub(super) fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

impl Place {
    /// Whether it is the other field, or a part of it.
    pub(super) fn lies_within(&self, other: &Self) -> bool {
        let below = self.pointer.strip_prefix(&other.pointer);
        self.container == other.container && below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

impl<'a> Holder<'a> {
    fn container(self) -> Option<&'a str> {
        match self {
            Self::Container(name) | Self::Annotation(name) => Some(name),
            Self::Pod | Self::Volume(_) => None,
        }
    }
}
