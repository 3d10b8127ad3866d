//! Which reports there are, and whether what is to be said stands in them already: of each a digest without its times,
//! so that ten thousand take a few megabytes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use portreeve_admission::case::GroupVersionKind;
use serde_json::json;

use super::shape::{Report, Tested};

/// The reports of ours in a cluster.
#[derive(Debug, Default)]
pub struct Inventory {
    known: HashMap<String, Known>,
    kept: usize,
}

/// What is remembered of a report.
#[derive(Debug)]
struct Known {
    namespace: Option<String>,
    uid: String,
    /// What it is about.
    object: Object,
    /// None if nobody knows what it says.
    digest: Option<u64>,
    /// Whether it is to stay.
    kept: bool,
}

/// The object of a report.
#[derive(Debug, Default)]
struct Object {
    group: String,
    kind: String,
    name: String,
}

/// What there is to do about a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// There is none yet.
    New,
    /// It says something else.
    Changed,
    /// It says so already.
    AsBefore,
    /// There are as many as there may be.
    TooMany,
}

/// A report that nothing was said for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Idle<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) uid: &'a str,
    pub(super) object: &'a str,
}

impl Inventory {
    /// Puts down a report that is there.
    pub(super) fn know(&mut self, report: &Report) {
        let known = Known {
            namespace: report.metadata.namespace.clone(),
            uid: report.metadata.uid.clone(),
            object: Object::of(report),
            digest: Some(digest(report)),
            kept: false,
        };
        self.known.insert(report.metadata.name.clone(), known);
    }

    /// Notes what is to be said, and tells what there is to do. With `most` reports there are no new ones.
    pub fn note(&mut self, report: &Report, most: usize) -> Noted {
        let digest = Some(digest(report));
        let Some(known) = self.known.get_mut(report.name()) else {
            if self.kept >= most {
                return Noted::TooMany;
            }
            self.kept = self.kept.saturating_add(1);
            let namespace = report.metadata.namespace.clone();
            let known = Known { namespace, uid: String::new(), object: Object::of(report), digest, kept: true };
            self.known.insert(report.name().to_owned(), known);
            return Noted::New;
        };
        if !std::mem::replace(&mut known.kept, true) {
            self.kept = self.kept.saturating_add(1);
        }
        if std::mem::replace(&mut known.digest, digest) == digest { Noted::AsBefore } else { Noted::Changed }
    }

    /// Forgets what a report says, since it could not be written.
    pub fn forget(&mut self, name: &str) {
        if let Some(known) = self.known.get_mut(name) {
            known.digest = None;
        }
    }

    /// Takes over from an earlier inventory which reports are to stay.
    pub fn keep_as(&mut self, earlier: &Self) {
        let kept = earlier.known.iter().filter(|(_, known)| known.kept);
        for (name, _) in kept {
            if let Some(known) = self.known.get_mut(name) {
                known.kept = true;
                self.kept = self.kept.saturating_add(1);
            }
        }
    }

    /// Reports that nothing was said for, but those of these kinds.
    pub(super) fn idle<'a>(&'a self, but: &'a [GroupVersionKind]) -> impl Iterator<Item = Idle<'a>> {
        let is_of =
            |known: &Known, kind: &GroupVersionKind| known.object.kind == kind.kind && known.object.group == kind.group;
        let idle =
            self.known.iter().filter(move |(_, known)| !known.kept && !but.iter().any(|kind| is_of(known, kind)));
        idle.map(|(name, known)| Idle {
            name,
            namespace: known.namespace.as_deref(),
            uid: &known.uid,
            object: &known.object.name,
        })
    }
}

impl Object {
    fn of(report: &Report) -> Self {
        let Some(owner) = report.metadata.owner_references.first() else { return Self::default() };
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        Self { group: group.to_owned(), kind: owner.kind.clone(), name: owner.name.clone() }
    }
}

/// Of all that we say, but for the times.
fn digest(report: &Report) -> u64 {
    let results = report.results.iter().map(|result| Tested { timestamp: None, source: None, ..result.clone() });
    let results: Vec<Tested> = results.collect();
    let said = json!([report.own_metadata(), report.scope, report.summary, results]);
    let mut hasher = DefaultHasher::new();
    said.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::made::tests::report;
    use super::*;

    /// As it is read again later.
    fn written(report: &Report, at: i64) -> Report {
        let mut written = report.clone();
        written.set_times(None, jiff::Timestamp::from_second(at).unwrap());
        written.source = Some("portreeve".to_owned());
        written
    }

    fn with(report: &Report) -> Inventory {
        let mut inventory = Inventory::default();
        inventory.know(report);
        inventory
    }

    #[test]
    fn what_stands_already_is_as_before_whatever_its_times() {
        assert_eq!(with(&written(&report(), 1)).note(&report(), 10), Noted::AsBefore);
    }

    #[test]
    fn what_says_something_else_is_changed() {
        let mut other = report();
        other.results[0].message = "another".to_owned();
        assert_eq!(with(&written(&report(), 1)).note(&other, 10), Noted::Changed);
    }

    #[test]
    fn what_could_not_be_written_is_changed_again() {
        let mut inventory = Inventory::default();
        assert_eq!(inventory.note(&report(), 10), Noted::New);
        inventory.forget(report().name());
        assert_eq!(inventory.note(&report(), 10), Noted::Changed);
    }

    #[test]
    fn there_are_no_more_reports_than_may_be_and_those_there_are_stay() {
        let mut other = report();
        other.metadata.name = "other".to_owned();
        let mut inventory = with(&report());
        assert_eq!(inventory.note(&report(), 1), Noted::AsBefore);
        assert_eq!(inventory.note(&other, 1), Noted::TooMany);
    }

    #[test]
    fn what_nothing_was_said_for_is_idle_unless_its_kind_was_not_looked_at() {
        let deployment = GroupVersionKind { group: "apps".into(), version: "v1".into(), kind: "Deployment".into() };
        let inventory = with(&report());
        assert_eq!(inventory.idle(&[]).count(), 1);
        assert_eq!(inventory.idle(&[deployment]).count(), 0);
        let mut noted = with(&report());
        noted.note(&report(), 10);
        assert_eq!(noted.idle(&[]).count(), 0);
        let mut read_again = with(&report());
        read_again.keep_as(&noted);
        assert_eq!(read_again.idle(&[]).count(), 0);
    }
}
