//! A cluster as it was last seen: its namespaces and the objects that facts are made of. Who watches it tells of them
//! one by one; what nobody told of yet is unknown, and never an empty list. Until then namespaces may be known from
//! before a restart (`around::kept`).

mod known;

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use portreeve_admission::case::Fact;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::timeout;

use known::Known;

use super::Cluster;
use crate::set::{KnownFrom, Listed, Namespace};

/// How long a namespace that is known from before is asked for all the same: an API server that is there answers
/// sooner.
const ASKED: Duration = Duration::from_millis(500);

/// A cluster as it was last seen.
pub struct Seen {
    ask: Box<dyn Ask>,
    known: RwLock<Known>,
    /// Whenever something was told of namespaces.
    told: Notify,
}

/// Whoever reads a namespace that nobody told of yet.
pub trait Ask: Send + Sync {
    /// The Namespace of this name as it stands; none if there is none.
    ///
    /// # Errors
    /// Why it can't be read.
    fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Value>, String>>;
}

/// A kind that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// Namespaces.
    Namespaces,
    /// A kind that facts are made of.
    Objects(Listed),
}

/// What somebody who watches a kind sees.
#[derive(Debug, Clone)]
pub enum Sight {
    /// All objects are told of anew; until then what was known holds.
    Begun,
    /// One of all objects.
    One(Value),
    /// That were all.
    Complete,
    /// An object as it stands now.
    Now(Value),
    /// An object that is gone, as it stood.
    Gone(Value),
}

impl Seen {
    /// A cluster that nothing is known of yet.
    #[must_use]
    pub fn new(ask: Box<dyn Ask>) -> Self {
        Self { ask, known: RwLock::new(Known::nothing()), told: Notify::new() }
    }

    /// The same, with namespaces as they were before a restart. They count for as long as the cluster tells nothing.
    #[must_use]
    pub fn remembering(self, before: HashMap<String, Namespace>) -> Self {
        self.known.write().unwrap_or_else(PoisonError::into_inner).before = before;
        self
    }

    /// How many namespaces are known from before a restart alone.
    #[must_use]
    pub fn remembers(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).before.len()
    }

    /// Whether all objects of this kind were told of.
    #[must_use]
    pub fn knows(&self, kind: Watched) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match kind {
            Watched::Namespaces => known.namespaces.is_some(),
            Watched::Objects(kind) => known.objects.lists(kind),
        }
    }

    /// Names and labels of all namespaces; none until they were told of.
    #[must_use]
    pub fn namespaces(&self) -> Option<BTreeMap<String, BTreeMap<String, String>>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let named = |(name, namespace): (&String, &Namespace)| (name.clone(), namespace.labels.clone());
        known.namespaces.as_ref().map(|namespaces| namespaces.iter().map(named).collect())
    }

    /// Forgets a kind that nobody tells of any more: it is unknown until it is told of anew.
    pub fn forget(&self, kind: Watched) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).forget(kind);
    }

    /// Puts down what was seen.
    ///
    /// # Errors
    /// Of an object that has not the shape that the API server gives it: it is passed over.
    pub fn tell(&self, kind: Watched, sight: Sight) -> Result<(), String> {
        let changes = kind == Watched::Namespaces && !matches!(sight, Sight::Begun | Sight::One(_));
        let taken = self.known.write().unwrap_or_else(PoisonError::into_inner).take(kind, sight);
        if changes {
            self.told.notify_one();
        }
        taken
    }

    /// Waits until something is told of namespaces, or was since the last time. For one who waits.
    pub(super) async fn namespaces_told(&self) {
        self.told.notified().await;
    }

    /// Lets the next who waits go on at once.
    pub(super) fn tell_namespaces_again(&self) {
        self.told.notify_one();
    }

    /// All namespaces; none until they were told of.
    pub(super) fn copied_namespaces(&self) -> Option<BTreeMap<String, Namespace>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let copied = |(name, namespace): (&String, &Namespace)| (name.clone(), namespace.clone());
        known.namespaces.as_ref().map(|namespaces| namespaces.iter().map(copied).collect())
    }

    /// A namespace as it stands.
    async fn asked(&self, name: &str) -> Result<Namespace, String> {
        found(name, self.ask.namespace(name).await)
    }

    /// A namespace as it stands, or as it was before where that can't be learned soon.
    async fn asked_or(&self, name: &str, before: Namespace, deadline: Instant) -> Result<Namespace, String> {
        let left = deadline.saturating_duration_since(Instant::now()) / 2;
        match timeout(ASKED.min(left), self.ask.namespace(name)).await {
            Ok(Ok(answer)) => found(name, Ok(answer)),
            Ok(Err(_)) | Err(_) => Ok(before),
        }
    }
}

fn found(name: &str, answer: Result<Option<Value>, String>) -> Result<Namespace, String> {
    match answer {
        Ok(Some(object)) => Namespace::read(&object, KnownFrom::Cluster).map(|(_, namespace)| namespace),
        Ok(None) => Err(format!("there is no namespace {name}")),
        Err(error) => Err(format!("namespace {name} can't be read: {error}")),
    }
}

impl Cluster for Seen {
    fn namespace<'a>(&'a self, name: &'a str, deadline: Instant) -> BoxFuture<'a, Result<Namespace, String>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(namespace) = known.namespaces.iter().find_map(|namespaces| namespaces.get(name)) {
            return ready(Ok(namespace.clone())).boxed();
        }
        match known.before.get(name) {
            Some(before) => self.asked_or(name, before.clone(), deadline).boxed(),
            None => self.asked(name).boxed(),
        }
    }

    fn fact(&self, kind: Listed, namespace: &str) -> Fact {
        self.known.read().unwrap_or_else(PoisonError::into_inner).objects.fact(kind, namespace)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    /// An API server with one namespace, `late`.
    struct Late;

    impl Ask for Late {
        fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Value>, String>> {
            let found = (name == "late").then(|| namespace("late", "restricted"));
            ready(Ok(found)).boxed()
        }
    }

    fn namespace(name: &str, level: &str) -> Value {
        json!({"metadata": {"name": name, "labels": {"level": level}}})
    }

    fn service(name: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": {"app": name}}})
    }

    fn seen(kind: Watched, sights: impl IntoIterator<Item = Sight>) -> Seen {
        let seen = Seen::new(Box::new(Late));
        sights.into_iter().for_each(|sight| seen.tell(kind, sight).unwrap());
        seen
    }

    async fn level(seen: &Seen, name: &str) -> Result<Option<String>, String> {
        let namespace = seen.namespace(name, Instant::now() + Duration::from_secs(1)).await?;
        assert_eq!(namespace.known_from, KnownFrom::Cluster);
        Ok(namespace.labels.get("level").cloned())
    }

    #[tokio::test]
    async fn a_namespace_is_as_it_was_last_seen() {
        let sights =
            [Sight::Begun, Sight::One(namespace("shop", "a")), Sight::Complete, Sight::Now(namespace("shop", "b"))];
        assert_eq!(level(&seen(Watched::Namespaces, sights), "shop").await, Ok(Some("b".to_owned())));
    }

    #[tokio::test]
    async fn a_namespace_that_nobody_told_of_is_asked_for() {
        let seen = seen(Watched::Namespaces, [Sight::Begun, Sight::Complete]);
        assert_eq!(level(&seen, "late").await, Ok(Some("restricted".to_owned())));
        assert_eq!(level(&seen, "nowhere").await, Err("there is no namespace nowhere".to_owned()));
    }

    /// An API server that is away.
    struct Away;

    impl Ask for Away {
        fn namespace<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Value>, String>> {
            ready(Err("the API server could not be reached".to_owned())).boxed()
        }
    }

    /// An API server that takes its time.
    struct Silent;

    impl Ask for Silent {
        fn namespace<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Value>, String>> {
            std::future::pending().boxed()
        }
    }

    fn before(name: &str) -> HashMap<String, Namespace> {
        let (name, namespace) = Namespace::read(&namespace(name, "before"), KnownFrom::LastSeen).unwrap();
        HashMap::from([(name, namespace)])
    }

    async fn known(seen: &Seen, name: &str) -> Result<(String, KnownFrom), String> {
        let namespace = seen.namespace(name, Instant::now() + Duration::from_secs(1)).await?;
        Ok((namespace.labels["level"].clone(), namespace.known_from))
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_api_server_is_away_a_namespace_is_as_it_was_before_the_restart() {
        let asked: [Box<dyn Ask>; 2] = [Box::new(Away), Box::new(Silent)];
        for ask in asked {
            let seen = Seen::new(ask).remembering(before("shop"));
            assert_eq!(known(&seen, "shop").await, Ok(("before".to_owned(), KnownFrom::LastSeen)));
        }
        let seen = Seen::new(Box::new(Away)).remembering(before("shop"));
        let unknown = "namespace other can't be read: the API server could not be reached".to_owned();
        assert_eq!(known(&seen, "other").await, Err(unknown));
    }

    #[tokio::test]
    async fn what_the_api_server_says_counts_before_what_was_known_before_the_restart() {
        let seen = Seen::new(Box::new(Late)).remembering(before("late"));
        assert_eq!(known(&seen, "late").await, Ok(("restricted".to_owned(), KnownFrom::Cluster)));
        let seen = Seen::new(Box::new(Late)).remembering(before("gone"));
        assert_eq!(known(&seen, "gone").await, Err("there is no namespace gone".to_owned()));
    }

    #[tokio::test]
    async fn nothing_from_before_counts_once_all_namespaces_were_told_of() {
        let seen = Seen::new(Box::new(Away)).remembering(before("shop"));
        assert_eq!(seen.remembers(), 1);
        for sight in [Sight::Begun, Sight::Complete] {
            seen.tell(Watched::Namespaces, sight).unwrap();
        }
        assert!(known(&seen, "shop").await.is_err());
        assert_eq!(seen.remembers(), 0);
    }

    #[test]
    fn a_kind_is_unknown_until_all_of_it_was_told() {
        let kind = Watched::Objects(Listed::Service);
        let begun = seen(kind, [Sight::Begun, Sight::One(service("web"))]);
        assert!(begun.fact(Listed::Service, "shop").unwrap_err().contains("not known yet"));
        begun.tell(kind, Sight::Complete).unwrap();
        assert!(begun.knows(kind) && !begun.knows(Watched::Objects(Listed::Pod)));
        assert!(begun.fact(Listed::Service, "shop").unwrap().contains("web"));
        assert_eq!(&*begun.fact(Listed::Service, "other").unwrap(), "[]");
    }

    #[test]
    fn a_kind_that_nobody_tells_of_any_more_is_unknown() {
        let kind = Watched::Objects(Listed::Service);
        let seen = seen(kind, [Sight::Begun, Sight::One(service("web")), Sight::Complete]);
        seen.forget(kind);
        assert!(!seen.knows(kind) && seen.fact(Listed::Service, "shop").is_err());
    }

    #[test]
    fn what_was_known_holds_until_all_was_told_anew() {
        let kind = Watched::Objects(Listed::Service);
        let seen = seen(kind, [Sight::Begun, Sight::One(service("web")), Sight::Complete, Sight::Begun]);
        assert!(seen.fact(Listed::Service, "shop").unwrap().contains("web"));
        seen.tell(kind, Sight::Complete).unwrap();
        assert_eq!(&*seen.fact(Listed::Service, "shop").unwrap(), "[]");
    }

    #[test]
    fn what_is_gone_is_no_longer_told_of() {
        let sights = [
            Sight::Begun,
            Sight::One(service("web")),
            Sight::Complete,
            Sight::Now(service("api")),
            Sight::Gone(service("web")),
        ];
        let fact = seen(Watched::Objects(Listed::Service), sights).fact(Listed::Service, "shop").unwrap();
        assert!(fact.contains("api") && !fact.contains("web"), "{fact}");
    }
}
