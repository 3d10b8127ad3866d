//! Where pod templates sit: by group and kind, for the kinds that ship as data (`subject::ready`) and for those that
//! the administrator adds. A subject is found by the kind of the object, never by the resource alone: a scale request
//! keeps its resource. How a template is read is told in `template`.

mod inference;
mod path;
mod ready;
mod seat;
mod workflow;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::value::RawValue;

pub use path::{Holds, TemplatePath};
pub use ready::{Changes, Edited};
pub use seat::Seat;

use path::Stop;

use crate::case::{GroupVersionKind, Subject};
use crate::document::Document;
use crate::pointer::Pointer;
use crate::shape::ShapeError;
use crate::template::Template;

/// The kinds that have pod templates.
#[derive(Debug, Clone)]
pub struct TemplatePaths(HashMap<(String, String), Kind>);

/// A template with what it was before the request.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The template.
    pub subject: Subject,
    /// The same template before, if the object had it: the one of the same name where a list keeps several.
    pub before: Option<Subject>,
}

/// An object whose template can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// A template of the wrong shape.
    #[error("the pod template{} can't be read: {error}", seated(at))]
    Template {
        /// Where it sits in the object.
        at: Pointer,
        /// Where the field that is wrong stands in the object.
        place: Pointer,
        /// What is wrong.
        error: Box<ShapeError>,
    },
    /// Too deep to be read as a whole.
    #[error("the object is nested deeper than 120 levels")]
    TooDeep,
}

/// What is known of a kind.
#[derive(Debug, Clone, Default)]
struct Kind {
    paths: Vec<TemplatePath>,
    edited: Edited,
    changes: Changes,
}

/// A template's seat, and what makes it the same template in another version of the object.
type Keyed = (String, Seat);

/// The deepest object that is taken apart. `serde_json` stops at 128.
const DEEPEST: usize = 120;

impl SubjectError {
    /// Where the field that is wrong stands in the object, if it is one.
    #[must_use]
    pub fn place(&self) -> Option<&Pointer> {
        match self {
            Self::Template { place, .. } => Some(place),
            Self::TooDeep => None,
        }
    }
}

impl Default for TemplatePaths {
    /// The kinds that every cluster has, and those of the well-known controllers.
    fn default() -> Self {
        let kinds = ready::all().map(|ready| {
            let paths = ready.paths.iter().filter_map(|path| TemplatePath::new(path, ready.holds).ok()).collect();
            let kind = Kind { paths, edited: ready.edited, changes: ready.changes };
            ((ready.group.to_owned(), ready.kind.to_owned()), kind)
        });
        Self(kinds.collect())
    }
}

impl TemplatePaths {
    /// Adds a place where a kind keeps templates; one that is known already changes nothing.
    pub fn add(&mut self, group: &str, kind: &str, path: TemplatePath) {
        let known = self.0.entry((group.to_owned(), kind.to_owned())).or_default();
        if !known.paths.contains(&path) {
            known.paths.push(path);
        }
    }

    /// Leaves the templates of a kind as they are, and puts defaults into their Pods alone.
    pub fn edit_at_pods(&mut self, group: &str, kind: &str) {
        self.0.entry((group.to_owned(), kind.to_owned())).or_default().edited = Edited::AtPods;
    }

    /// Group and kind of all that has pod templates, in their order.
    #[must_use]
    pub fn kinds(&self) -> Vec<(&str, &str)> {
        let mut kinds: Vec<(&str, &str)> = self.0.keys().map(|(group, kind)| (group.as_str(), kind.as_str())).collect();
        kinds.sort_unstable();
        kinds
    }

    /// Whether objects of this kind have pod templates.
    #[must_use]
    pub fn has(&self, kind: &GroupVersionKind) -> bool {
        self.kind(kind).is_some()
    }

    /// Where defaults are put in for this kind.
    #[must_use]
    pub fn edited(&self, kind: &GroupVersionKind) -> Edited {
        self.kind(kind).map(|kind| kind.edited).unwrap_or_default()
    }

    /// Whether the templates of this kind may change.
    #[must_use]
    pub fn changes(&self, kind: &GroupVersionKind) -> Changes {
        self.kind(kind).map(|kind| kind.changes).unwrap_or_default()
    }

    /// The parts of an object that make up its templates, for a kind that keeps each in one place as a whole: while
    /// they stay as they are, so do the templates. None for other kinds.
    #[must_use]
    pub fn whole_parts(&self, group: &str, kind: &str) -> Option<Vec<Pointer>> {
        let kind = self.0.get(&(group.to_owned(), kind.to_owned()))?;
        kind.paths.iter().map(|path| path.plain().map(|at| at.join(&path::counted(at)))).collect()
    }

    /// The templates of an object, in the order of the paths. A path that leads nowhere gives none.
    ///
    /// # Errors
    /// If a template is there and can't be read.
    pub fn subjects(&self, kind: &GroupVersionKind, object: &Document) -> Result<Vec<Subject>, SubjectError> {
        Ok(self.keyed_subjects(kind, object)?.into_iter().map(|(_, subject)| subject).collect())
    }

    /// The templates of an object as it stands `now`, with what they were in `old`. Of several, those that the request
    /// left as they were are left out (`came` is the object as it came): nothing in them is new, and an edit would
    /// begin a rollout that nobody asked for. If it left all as they were, all are there.
    ///
    /// # Errors
    /// If a template is there now and can't be read. One that could not be read before was none.
    pub fn compared(
        &self,
        kind: &GroupVersionKind,
        now: &Document,
        came: &Document,
        old: Option<&Document>,
    ) -> Result<Vec<Compared>, SubjectError> {
        let subjects = self.keyed_subjects(kind, now)?;
        let Some(old) = old else {
            return Ok(subjects.into_iter().map(|(_, subject)| Compared { subject, before: None }).collect());
        };
        let mut before = by_key(self.keyed_subjects(kind, old).unwrap_or_default());
        let left = if subjects.len() > 1 { self.left_as_they_were(kind, came, old) } else { HashSet::new() };
        let all = left.len() == subjects.len();
        let twice = twice(subjects.iter().map(|(key, _)| key));
        let judged = subjects.into_iter().filter(|(_, subject)| all || !left.contains(subject.at.pointer()));
        let compared = |(key, subject): (String, Subject)| {
            let before = before.remove(&key).flatten().filter(|_| !twice.contains(&key));
            Compared { subject, before }
        };
        Ok(judged.map(compared).collect())
    }

    /// Whether two objects of this kind have equal templates at the same places. A Pod's template is its spec alone:
    /// its metadata starts nothing.
    #[must_use]
    pub fn same_templates(&self, kind: &GroupVersionKind, new: &Document, old: &Document) -> bool {
        self.kind(kind).is_none_or(|kind| kind.paths.iter().all(|path| kind.same(path, new, old)))
    }

    fn kind(&self, kind: &GroupVersionKind) -> Option<&Kind> {
        // A map keyed by two strings can't be asked by two `&str`; the clones are short.
        self.0.get(&(kind.group.clone(), kind.kind.clone()))
    }

    fn keyed_subjects(
        &self,
        kind: &GroupVersionKind,
        object: &Document,
    ) -> Result<Vec<(String, Subject)>, SubjectError> {
        let Some(kind) = self.kind(kind) else { return Ok(Vec::new()) };
        if object.text().is_some_and(|text| deeper_than(text, DEEPEST)) {
            return Err(SubjectError::TooDeep);
        }
        let mut found = Vec::new();
        for path in &kind.paths {
            kind.read(path, object, &mut found)?;
        }
        Ok(found)
    }

    /// Where the templates stand that are the same in both. Of two with one name only that one can be which stands
    /// where it stood.
    fn left_as_they_were(&self, kind: &GroupVersionKind, came: &Document, old: &Document) -> HashSet<Pointer> {
        let Some(kind) = self.kind(kind) else { return HashSet::new() };
        let seats = |object: &Document| kind.paths.iter().flat_map(|path| kind.seats(path, object)).collect::<Vec<_>>();
        let (before, now) = (by_key(seats(old)), seats(came));
        let twice = twice(now.iter().map(|(key, _)| key));
        let same = |(key, seat): &&Keyed| {
            let before = before.get(key).and_then(Option::as_ref);
            let before = before.filter(|before| !twice.contains(key) || before.pointer() == seat.pointer());
            before.is_some_and(|before| path::compared(seat, came) == path::compared(before, old))
        };
        now.iter().filter(same).map(|(_, seat)| seat.pointer().clone()).collect()
    }
}

impl Kind {
    fn read(
        &self,
        path: &TemplatePath,
        object: &Document,
        found: &mut Vec<(String, Subject)>,
    ) -> Result<(), SubjectError> {
        if let (Some(text), Some(at)) = (object.text(), path.plain())
            && let Some(raw) = raw_at(text, at.tokens())
        {
            // The common case: only the template is parsed, straight from the text.
            let Some(raw) = raw else { return Ok(()) };
            let template = Template::parse(raw);
            let seat = Seat::from(at.clone()).named(self.name(path, at.tokens()));
            found.push((key(at.tokens()), subject(template, seat)?));
            return Ok(());
        }
        if let Some((place, reason)) = path.obstacle(object.value()) {
            return Err(no_way(path.pointer(), place, reason));
        }
        for (key, seat) in self.seats(path, object) {
            let value = seat.assembled().or_else(|| object.find(seat.pointer()));
            if let Some(value) = value {
                found.push((key, subject(Template::read(value), seat)?));
            }
        }
        Ok(())
    }

    /// The seats that a path leads to, each with its key.
    fn seats(&self, path: &TemplatePath, object: &Document) -> Vec<Keyed> {
        let stops = path.stops(object.value()).into_iter();
        let seat = |stop: Stop| {
            let seat = path.seat(object.value(), stop.at)?;
            Some((key(&stop.way), seat.named(self.name(path, &stop.way))))
        };
        stops.filter_map(seat).collect()
    }

    /// What tells a template from the object's others; nothing if there are none.
    fn name(&self, path: &TemplatePath, way: &[String]) -> String {
        if self.paths.len() > 1 || path.branches() { path::telling(way) } else { String::new() }
    }

    fn same(&self, path: &TemplatePath, new: &Document, old: &Document) -> bool {
        if let (Some(new), Some(old), Some(at)) = (new.text(), old.text(), path.plain()) {
            let part = path::counted(at);
            let part = at.join(&part);
            let now = raw_at(new, part.tokens());
            if now.is_some() && now == raw_at(old, part.tokens()) {
                return true;
            }
        }
        // What can't be read as a whole can't be told to be the same.
        if new.value().is_null() || old.value().is_null() {
            return false;
        }
        let (now, before) = (self.seats(path, new), self.seats(path, old));
        let same = |((key, seat), (old_key, old_seat)): (&Keyed, &Keyed)| {
            key == old_key && path::compared(seat, new) == path::compared(old_seat, old)
        };
        now.len() == before.len() && now.iter().zip(&before).all(same)
    }
}

fn key(way: &[String]) -> String {
    way.join("/")
}

/// By key; none where two have the same, since nobody can tell which of them is meant.
fn by_key<T>(keyed: Vec<(String, T)>) -> HashMap<String, Option<T>> {
    let mut known = HashMap::new();
    for (key, value) in keyed {
        known.entry(key).and_modify(|twice| *twice = None).or_insert(Some(value));
    }
    known
}

/// The keys that stand more than once.
fn twice<'a>(keys: impl Iterator<Item = &'a String>) -> HashSet<String> {
    let mut seen = HashSet::new();
    keys.filter(|key| !seen.insert(*key)).cloned().collect()
}

/// Where a template sits, in words; a Pod is one itself.
fn seated(at: &Pointer) -> String {
    if at.tokens().is_empty() { String::new() } else { format!(" at \"{at}\"") }
}

fn subject(template: Result<Template, ShapeError>, at: Seat) -> Result<Subject, SubjectError> {
    let template = template.map_err(|error| {
        let place = at.place_of(&error.pointer).unwrap_or_else(|| at.pointer().clone());
        SubjectError::Template { at: at.pointer().clone(), place, error: Box::new(error) }
    })?;
    Ok(Subject { template: Arc::new(template), at })
}

/// No template, since something that leads nowhere stands on the way to it.
fn no_way(template: &Pointer, place: Pointer, reason: String) -> SubjectError {
    let at = place.tokens().join(".");
    let error = ShapeError { at, pointer: place.clone(), reason };
    SubjectError::Template { at: template.clone(), place, error: Box::new(error) }
}

/// The text of the value at a path of field names, none inside if something on the way is missing or null; none if it
/// can't be had so, for something on the way is no object.
fn raw_at<'a>(text: &'a str, path: &[String]) -> Option<Option<&'a str>> {
    let mut text = text;
    for field in path {
        let fields: HashMap<std::borrow::Cow<'a, str>, &'a RawValue> = serde_json::from_str(text).ok()?;
        match fields.get(field.as_str()).map(|value| value.get()).filter(|value| *value != "null") {
            Some(value) => text = value,
            None => return Some(None),
        }
    }
    Some(Some(text))
}

fn deeper_than(text: &str, limit: usize) -> bool {
    // Nearly every object has fewer brackets than it may have levels, and those are counted in no time.
    if text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count() <= limit {
        return false;
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;
