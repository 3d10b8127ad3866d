//! One round of a scan: which kinds it goes through, where it is, what came of it so far. It outlives an error and a
//! loss of leadership, so that what was looked at is not looked at again.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use portreeve_admission::case::GroupVersionKind;
use tokio::time::Instant;

use super::kinds::ScannedKind;
use crate::reports::Inventory;

/// How often a page is asked for before its kind is left for the round.
const TRIED: u32 = 6;

/// Where a round is. A page is done when all its objects are: one that was broken off is judged again as a whole.
#[derive(Debug)]
pub(super) struct Round {
    kinds: Vec<ScannedKind>,
    at: usize,
    continued: Option<String>,
    began_anew: bool,
    /// How often in a row the page at hand was answered with an error.
    refused: u32,
    unlisted: Vec<GroupVersionKind>,
    excluded: Vec<String>,
    /// When it began.
    pub(super) began: Instant,
    reports: Reported,
    counts: Counts,
}

/// What is known of the reports that there are.
#[derive(Debug)]
enum Reported {
    /// Nothing yet, or no longer; what was said in this round all the same.
    Unknown(Option<Inventory>),
    /// There can be none.
    Impossible,
    /// These.
    Known(Inventory),
}

/// A round that is done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finished {
    /// What came of it.
    pub counts: Counts,
    /// Kinds that could not be listed.
    pub unlisted: Vec<GroupVersionKind>,
    /// How long it took, pauses included.
    pub took: Duration,
}

/// What a round came to, in objects and their reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects that were judged.
    pub judged: u64,
    /// Objects that are judged at their owner.
    pub owned: u64,
    /// Objects that have something to tell.
    pub telling: u64,
    /// Reports that were written.
    pub written: u64,
    /// Reports that said so already.
    pub as_before: u64,
    /// Reports that were taken away.
    pub removed: u64,
    /// Reports that could not be written or taken away.
    pub failed: u64,
    /// Objects without a report, since there are too many.
    pub left_out: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { judged, owned, telling, written, as_before, removed, failed, left_out } = self;
        write!(
            f,
            "judged {judged}, at their owner {owned}, with something to tell {telling}; reports written {written}, as before \
             {as_before}, removed {removed}, failed {failed}, left out {left_out}"
        )
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.judged += other.judged;
        self.owned += other.owned;
        self.telling += other.telling;
        self.written += other.written;
        self.as_before += other.as_before;
        self.removed += other.removed;
        self.failed += other.failed;
        self.left_out += other.left_out;
    }
}

impl Round {
    /// One through these kinds, with those that may not be listed.
    pub(super) fn of(kinds: Vec<ScannedKind>, unlisted: Vec<GroupVersionKind>, excluded: Vec<String>) -> Self {
        Self {
            kinds,
            at: 0,
            continued: None,
            began_anew: false,
            refused: 0,
            unlisted,
            excluded,
            began: Instant::now(),
            reports: Reported::Unknown(None),
            counts: Counts::default(),
        }
    }

    /// The kind that is looked at, with the continuation of its next page; none when all are done.
    pub(super) fn place(&self) -> Option<(&ScannedKind, Option<&str>)> {
        Some((self.kinds.get(self.at)?, self.continued.as_deref()))
    }

    /// All kinds of the round that can be listed.
    pub(super) fn kinds(&self) -> &[ScannedKind] {
        &self.kinds
    }

    /// Kinds that can't be listed.
    pub(super) fn unlisted(&self) -> &[GroupVersionKind] {
        &self.unlisted
    }

    /// Namespaces that it does not look into.
    pub(super) fn excluded(&self) -> &[String] {
        &self.excluded
    }

    /// Puts down what there is to report to; none where nothing can be.
    pub(super) fn reports_are(&mut self, inventory: Option<Inventory>) {
        let before = std::mem::replace(&mut self.reports, Reported::Impossible);
        if let Some(mut inventory) = inventory {
            if let Reported::Unknown(Some(before)) = before {
                inventory.keep_as(&before);
            }
            self.reports = Reported::Known(inventory);
        }
    }

    /// Forgets what reports say, but not which of them are to stay.
    pub(super) fn reports_may_have_changed(&mut self) {
        let before = std::mem::replace(&mut self.reports, Reported::Impossible);
        self.reports = Reported::Unknown(match before {
            Reported::Known(inventory) => Some(inventory),
            Reported::Unknown(before) => before,
            Reported::Impossible => None,
        });
    }

    pub(super) fn reports_are_unknown(&self) -> bool {
        matches!(self.reports, Reported::Unknown(_))
    }

    pub(super) fn inventory(&self) -> Option<&Inventory> {
        if let Reported::Known(inventory) = &self.reports { Some(inventory) } else { None }
    }

    pub(super) fn inventory_mut(&mut self) -> Option<&mut Inventory> {
        if let Reported::Known(inventory) = &mut self.reports { Some(inventory) } else { None }
    }

    pub(super) fn count(&mut self, counts: Counts) {
        self.counts += counts;
    }

    pub(super) fn has_failed(&self) -> bool {
        self.counts.failed > 0
    }

    /// Goes on after a page that came to this, to the next page or the next kind.
    pub(super) fn turn(&mut self, next: Option<String>, counts: Counts) {
        self.count(counts);
        self.refused = 0;
        match next {
            Some(next) => self.continued = Some(next),
            None => self.leave_kind(),
        }
    }

    /// Goes on after a continuation that holds no longer: with the one that was given instead, or with the kind from
    /// its beginning. A kind that was begun anew once and fails again so is left for this round.
    pub(super) fn expired(&mut self, instead: Option<String>) {
        match instead {
            Some(instead) => self.continued = Some(instead),
            None if self.began_anew => self.skip_kind(),
            None => {
                self.began_anew = true;
                self.continued = None;
            }
        }
    }

    /// Counts a page that the API server answered with an error, and tells whether it was tried often enough: a kind
    /// whose conversion or own server fails must not keep all others from being judged.
    pub(super) fn refused_too_often(&mut self) -> bool {
        self.refused = self.refused.saturating_add(1);
        self.refused >= TRIED
    }

    /// Passes over a kind that can't be listed. What was reported of it stays, and nothing is left to it any more.
    pub(super) fn skip_kind(&mut self) {
        if self.at < self.kinds.len() {
            self.unlisted.push(self.kinds.remove(self.at).kind);
        }
        self.begin_kind();
    }

    fn leave_kind(&mut self) {
        self.at = self.at.saturating_add(1);
        self.begin_kind();
    }

    fn begin_kind(&mut self) {
        self.continued = None;
        self.began_anew = false;
        self.refused = 0;
    }

    pub(super) fn finished(self) -> Finished {
        Finished { counts: self.counts, unlisted: self.unlisted, took: self.began.elapsed() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use portreeve_admission::case::GroupVersionResource;
    use portreeve_admission::kinds::{Scope, resource};

    use super::*;
    use crate::registration::Seekers;

    /// A kind at which these policies look for its templates, and these because they named it.
    pub(in crate::scan) fn kind(group: &str, kind: &str, templates: &[&str], named: &[&str]) -> ScannedKind {
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let seekers = Seekers { templates: set(templates), named: set(named) };
        let kind = GroupVersionKind { group: group.into(), version: "v1".into(), kind: kind.into() };
        let resource: GroupVersionResource = resource(&kind);
        ScannedKind { kind, resource, scope: Scope::Namespaced, seekers }
    }

    fn round() -> Round {
        let kinds = vec![kind("apps", "Deployment", &["p"], &[]), kind("", "Pod", &["p"], &[])];
        Round::of(kinds, Vec::new(), Vec::new())
    }

    fn place(round: &Round) -> Option<(&str, Option<&str>)> {
        round.place().map(|(kind, continued)| (kind.kind.kind.as_str(), continued))
    }

    #[test]
    fn goes_from_page_to_page_and_from_kind_to_kind() {
        let mut round = round();
        assert_eq!(place(&round), Some(("Deployment", None)));
        round.turn(Some("b".to_owned()), Counts::default());
        assert_eq!(place(&round), Some(("Deployment", Some("b"))));
        round.turn(None, Counts::default());
        assert_eq!(place(&round), Some(("Pod", None)));
        round.turn(None, Counts::default());
        assert_eq!(place(&round), None);
    }

    #[test]
    fn goes_on_with_the_continuation_that_was_given_instead() {
        let mut round = round();
        round.turn(Some("b".to_owned()), Counts::default());
        round.expired(Some("c".to_owned()));
        assert_eq!(place(&round), Some(("Deployment", Some("c"))));
    }

    #[test]
    fn begins_a_kind_anew_once_where_nothing_was_given_instead() {
        let mut round = round();
        round.turn(Some("b".to_owned()), Counts::default());
        round.expired(None);
        assert_eq!(place(&round), Some(("Deployment", None)));
        round.turn(Some("b".to_owned()), Counts::default());
        round.expired(None);
        assert_eq!(place(&round), Some(("Pod", None)));
        assert_eq!(round.unlisted().len(), 1);
    }

    #[test]
    fn a_page_that_was_refused_too_often_in_a_row_is_given_up() {
        let mut round = round();
        let mut refused = |times: u32| (0..times).map(|_| round.refused_too_often()).collect::<Vec<_>>();
        assert!(!refused(TRIED - 1).contains(&true));
        round.turn(Some("b".to_owned()), Counts::default());
        let mut refused = |times: u32| (0..times).map(|_| round.refused_too_often()).collect::<Vec<_>>();
        assert!(!refused(TRIED - 1).contains(&true), "one came between");
        assert!(round.refused_too_often());
    }

    #[test]
    fn a_kind_that_can_not_be_listed_is_passed_over_and_told() {
        let mut round = round();
        round.skip_kind();
        assert_eq!(place(&round), Some(("Pod", None)));
        assert!(round.kinds().iter().all(|kind| kind.kind.kind != "Deployment"));
        round.turn(None, Counts::default());
        assert_eq!(round.finished().unlisted[0].kind, "Deployment");
    }
}
