//! What happens again and again, counted: which happenings are worth an event, which raise a count, which there is no
//! room for. Pure but for the times that are given; who writes is told in the module above.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::EventLimits;
use super::happening::{ObjectRef, Weight};
use super::limit::{Bucket, Rate};

/// A series ends when it did not happen for so long, as with Kubernetes' own events.
const END: Duration = Duration::from_secs(360);

/// What makes two happenings the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) object: ObjectRef,
    pub(super) weight: Weight,
    pub(super) policy: String,
    pub(super) rule: Option<String>,
}

/// What is to be done about a happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observed {
    /// An event is to be written.
    First,
    /// It was counted.
    Again,
    /// There is no room for it.
    TooMany,
}

/// A count that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) key: Key,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) count: i32,
    pub(super) last: Timestamp,
}

/// All series.
#[derive(Debug)]
pub(super) struct Series {
    running: HashMap<Key, Running>,
    most: usize,
    in_all: Bucket,
    by_object: HashMap<ObjectRef, Bucket>,
    each_object: Rate,
}

#[derive(Debug)]
struct Running {
    count: i32,
    /// The count that stands in the event.
    told: i32,
    last: Timestamp,
    seen: Instant,
    /// Namespace and name of the event, once it is written.
    event: Option<(String, String)>,
}

impl Series {
    pub(super) fn new(limits: &EventLimits, now: Instant) -> Self {
        Self {
            running: HashMap::new(),
            most: limits.series,
            in_all: Bucket::new(limits.in_all, now),
            by_object: HashMap::new(),
            each_object: limits.by_object,
        }
    }

    /// Counts a happening.
    pub(super) fn observe(&mut self, key: &Key, at: Timestamp, now: Instant) -> Observed {
        if let Some(running) = self.running.get_mut(key) {
            running.count = running.count.saturating_add(1);
            (running.last, running.seen) = (at, now);
            return Observed::Again;
        }
        let room = match key.weight {
            Weight::Denied => self.most,
            Weight::Warned => self.most / 2,
        };
        if self.running.len() >= room || !self.may_begin(key, now) {
            return Observed::TooMany;
        }
        self.running.insert(key.clone(), Running { count: 1, told: 1, last: at, seen: now, event: None });
        Observed::First
    }

    /// An object that has had its share takes nothing from others; where nobody may, no object is remembered.
    fn may_begin(&mut self, key: &Key, now: Instant) -> bool {
        let kept = kept_from(key.weight, &self.in_all);
        if !self.in_all.has(now, kept) {
            return false;
        }
        let rate = self.each_object;
        let own = self.by_object.entry(key.object.clone()).or_insert_with(|| Bucket::new(rate, now));
        own.take(now, 0) && self.in_all.take(now, kept)
    }

    /// Puts down the event of a series.
    pub(super) fn is_written(&mut self, key: &Key, namespace: String, name: String) {
        if let Some(running) = self.running.get_mut(key) {
            running.event = Some((namespace, name));
        }
    }

    /// Puts down which count stands in the event.
    pub(super) fn is_told(&mut self, key: &Key, count: i32) {
        if let Some(running) = self.running.get_mut(key) {
            running.told = count;
        }
    }

    /// Ends a series: what happens next begins another.
    pub(super) fn forget(&mut self, key: &Key) {
        self.running.remove(key);
    }

    /// The counts that events do not have yet, as many as may be written now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for (key, running) in self.running.iter().filter(|(_, running)| running.count > running.told) {
            let Some((namespace, name)) = running.event.clone() else { continue };
            if !self.in_all.take(now, kept_from(key.weight, &self.in_all)) {
                continue;
            }
            due.push(Due { key: key.clone(), namespace, name, count: running.count, last: running.last });
        }
        due
    }

    /// Ends what did not happen for a while, even if its count could not be written: it would take a place for ever.
    /// Forgets limits that nobody is near.
    pub(super) fn end_idle(&mut self, now: Instant) {
        self.running.retain(|_, running| now.duration_since(running.seen) < END);
        self.by_object.retain(|_, bucket| !bucket.is_whole(now));
    }
}

/// How many of all writes are kept from such happenings: denials have half of them to themselves, since they answer why
/// nothing is there.
fn kept_from(weight: Weight, all: &Bucket) -> u32 {
    match weight {
        Weight::Denied => 0,
        Weight::Warned => all.half(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::happening::tests::{denied, place};
    use super::*;

    fn key(name: &str, rule: &str) -> Key {
        denied(place("Deployment", name), rule).key()
    }

    /// With two events at once about one object, four in all and five series.
    fn series(now: Instant) -> Series {
        let rate = |burst| Rate { burst, each: Duration::from_secs(1) };
        let limits = EventLimits { in_all: rate(4), by_object: rate(2), series: 5, ..EventLimits::default() };
        Series::new(&limits, now)
    }

    fn observe(series: &mut Series, name: &str, rule: &str, now: Instant) -> Observed {
        series.observe(&key(name, rule), Timestamp::UNIX_EPOCH, now)
    }

    #[test]
    fn what_happens_again_raises_a_count_that_is_told_once() {
        let now = Instant::now();
        let mut series = series(now);
        assert_eq!(observe(&mut series, "web", "a", now), Observed::First);
        series.is_written(&key("web", "a"), "shop".to_owned(), "event".to_owned());
        assert_eq!(series.due(now), []);
        assert_eq!(observe(&mut series, "web", "a", now), Observed::Again);
        assert_eq!(observe(&mut series, "web", "a", now), Observed::Again);
        let due = series.due(now);
        assert_eq!((due.len(), due[0].count, due[0].name.as_str()), (1, 3, "event"));
        series.is_told(&key("web", "a"), 3);
        assert_eq!(series.due(now), []);
    }

    #[test]
    fn one_object_can_not_take_the_room_of_all() {
        let now = Instant::now();
        let mut series = series(now);
        let began = ["a", "b", "c", "d"].map(|rule| observe(&mut series, "web", rule, now));
        assert_eq!(began, [Observed::First, Observed::First, Observed::TooMany, Observed::TooMany]);
        assert_eq!(observe(&mut series, "other", "a", now), Observed::First);
    }

    #[test]
    fn warnings_leave_half_of_the_room_to_denials() {
        let now = Instant::now();
        let mut series = series(now);
        let mut began = |weight: Weight| {
            let keys = (0..6).map(|number| Key { weight, ..key(&format!("{weight:?}-{number}"), "a") });
            keys.filter(|key| series.observe(key, Timestamp::UNIX_EPOCH, now) == Observed::First).count()
        };
        assert_eq!((began(Weight::Warned), began(Weight::Denied)), (2, 2));
    }

    #[test]
    fn in_all_there_are_no_more_than_may_be() {
        let now = Instant::now();
        let mut series = series(now);
        let began = (0..6).filter(|number| observe(&mut series, &number.to_string(), "a", now) == Observed::First);
        assert_eq!(began.count(), 4);
        assert_eq!(observe(&mut series, "late", "a", now + Duration::from_secs(1)), Observed::First);
        assert_eq!(observe(&mut series, "too late", "a", now + Duration::from_secs(60)), Observed::TooMany);
    }

    #[test]
    fn a_series_ends_when_it_did_not_happen_for_a_while() {
        let now = Instant::now();
        let mut series = series(now);
        observe(&mut series, "web", "a", now);
        series.end_idle(now + END / 2);
        assert_eq!(observe(&mut series, "web", "a", now + END / 2), Observed::Again);
        series.is_told(&key("web", "a"), 2);
        series.end_idle(now + END * 2);
        assert_eq!(observe(&mut series, "web", "a", now + END * 2), Observed::First);
    }

    #[test]
    fn a_series_whose_count_can_not_be_written_ends_too() {
        let now = Instant::now();
        let mut series = series(now);
        observe(&mut series, "web", "a", now);
        assert_eq!(observe(&mut series, "web", "a", now), Observed::Again);
        series.end_idle(now + END);
        assert_eq!(observe(&mut series, "web", "a", now + END), Observed::First);
    }
}
