//! What stands around the objects that are judged: namespaces, and of other objects those that some policy in force
//! knows of. Nothing else is watched, and what they no longer know of is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_admission::case::GroupVersionKind;
use portreeve_cluster::connection::Connection;
use portreeve_cluster::refusal::plainly;
use portreeve_cluster::surroundings::{Detail, Event, Told, namespace, watch as watch_objects};
use portreeve_server::around::{Ask, KeptNamespaces, Seen, Sight, Watched};
use portreeve_server::health::{Health, Part, State};
use portreeve_server::serve::Parts;
use portreeve_server::set::{Listed, PolicySet};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;

use super::{Patience, Tie};

/// How long a kind is watched on that the policies in force no longer know of: calls that came before may be judged by
/// those that did, and no API server waits longer for them.
const LAST_CALLS: Duration = Duration::from_secs(30);

/// What is said where not all is known.
const NOT_YET: &str = "the API server did not tell yet of";

/// What is seen of the cluster.
#[derive(Clone)]
pub(super) struct Surroundings {
    connection: Connection,
    /// As the server asks it.
    pub(super) seen: Arc<Seen>,
    /// Whenever all of a kind was told, or none of it is known any more.
    told: Arc<Notify>,
}

/// The watch of each kind, alone in a set that ends with it.
type Watches = BTreeMap<Watched, JoinSet<()>>;

/// Begins to watch namespaces. With a state folder they are kept there, and known from there until they are told of.
pub(super) fn begin(connection: &Connection, state: Option<&Path>, tie: &mut Tie) -> Surroundings {
    let kept = state.map(KeptNamespaces::in_folder);
    let before = kept.as_ref().map(KeptNamespaces::load).unwrap_or_default();
    let seen = Arc::new(Seen::new(Box::new(Live(connection.clone()))).remembering(before));
    let surroundings = Surroundings { connection: connection.clone(), seen, told: Arc::default() };
    tie.spawn(surroundings.watched(Watched::Namespaces));
    if let Some(kept) = kept {
        tie.spawn(kept.follow(Arc::clone(&surroundings.seen)));
    }
    surroundings
}

/// Reads what nobody told of yet.
struct Live(Connection);

impl Ask for Live {
    fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Value>, String>> {
        let found = async move {
            namespace(self.0.client.clone(), name).await.map_err(|error| {
                let cause: &(dyn Error + 'static) = &error;
                tracing::debug!(name, error = cause, "a namespace can't be read");
                plainly(&error)
            })
        };
        found.boxed()
    }
}

impl Surroundings {
    /// Watches what the policies in force know of, now and later. Returns once all of it is known, or once that took
    /// too long; how much is known is shown as it is from then on.
    pub(super) async fn ready(self, parts: &Parts, patience: &mut Patience, tie: &mut Tie) {
        let sets = parts.sets.subscribe();
        let needed = needed(&sets.borrow());
        let mut watches = Watches::new();
        self.watch(&needed, &mut watches);
        let health = Arc::clone(&parts.health);
        if !patience.wait_for(self.are_known(&needed, true)).await {
            let unknown = unknown(&self.seen, &needed).join(", ");
            tracing::warn!("{NOT_YET}: {unknown}; what needs to know them is answered as where nothing is known");
        }
        show(&self.seen, &needed, &health);
        tie.spawn(self.follow(sets, health, watches));
    }

    /// Watches what the set in force knows of, and for no longer than it is needed what those before knew of; shows how
    /// much is known.
    async fn follow(self, mut sets: watch::Receiver<Arc<PolicySet>>, health: Arc<Health>, mut watches: Watches) {
        loop {
            let needed = needed(&sets.borrow_and_update());
            self.watch(&needed, &mut watches);
            let complete = show(&self.seen, &needed, &health);
            let is_any_spare = watches.keys().any(|kind| !needed.contains(kind));
            tokio::select! {
                changed = sets.changed() => if changed.is_err() { return },
                ended = ended(&mut watches) => super::pass_on(ended),
                () = self.are_known(&needed, !complete) => {}
                () = sleep(LAST_CALLS), if is_any_spare => self.leave(&needed, &mut watches).await,
            }
        }
    }

    /// Begins the watches that are needed and not there.
    fn watch(&self, needed: &BTreeSet<Watched>, watches: &mut Watches) {
        for kind in needed {
            watches.entry(*kind).or_insert_with(|| JoinSet::from_iter([self.watched(*kind)]));
        }
    }

    /// Ends the others, and forgets what they told: what nobody tells of any more is not known.
    async fn leave(&self, needed: &BTreeSet<Watched>, watches: &mut Watches) {
        let spare: Vec<Watched> = watches.keys().filter(|kind| !needed.contains(kind)).copied().collect();
        for kind in spare {
            if let Some(mut watch) = watches.remove(&kind) {
                watch.shutdown().await;
            }
            self.seen.forget(kind);
        }
    }

    /// The watch of a kind.
    fn watched(&self, kind: Watched) -> impl Future<Output = ()> + Send + use<> {
        let surroundings = self.clone();
        async move {
            let client = surroundings.connection.client.clone();
            let (named, detail) = described(kind);
            let tell = |told| match told {
                Told::Event(event) => surroundings.tell(kind, sight(event)),
                Told::Refused => surroundings.forget(kind),
            };
            watch_objects(client, &named, detail, tell).await;
        }
    }

    /// Puts down what was seen of a kind.
    fn tell(&self, kind: Watched, sight: Sight) {
        let is_all = matches!(sight, Sight::Complete);
        if let Err(reason) = self.seen.tell(kind, sight) {
            tracing::warn!(kind = name(kind), reason, "an object is passed over");
        }
        if is_all {
            self.told.notify_waiters();
        }
    }

    /// Lets go of a kind that the API server no longer tells of.
    fn forget(&self, kind: Watched) {
        self.seen.forget(kind);
        self.told.notify_waiters();
    }

    /// Waits until all of it is known, or no longer all of it.
    async fn are_known(&self, needed: &BTreeSet<Watched>, all: bool) {
        loop {
            // Before the look: what is told after it is not missed.
            let told = self.told.notified();
            if unknown(&self.seen, needed).is_empty() == all {
                return;
            }
            told.await;
        }
    }
}

/// Waits for a watch that ends by itself, which none does but by a panic.
async fn ended(watches: &mut Watches) -> Result<(), JoinError> {
    poll_fn(|context| {
        let ended = watches.values_mut().find_map(|watch| match watch.poll_join_next(context) {
            Poll::Ready(ended) => ended,
            Poll::Pending => None,
        });
        ended.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Namespaces, and these kinds.
fn all(watched: &BTreeSet<Watched>) -> impl Iterator<Item = Watched> {
    [Watched::Namespaces].into_iter().chain(watched.iter().copied())
}

/// What of it nobody told of yet.
fn unknown(seen: &Seen, watched: &BTreeSet<Watched>) -> Vec<&'static str> {
    all(watched).filter(|kind| !seen.knows(*kind)).map(name).collect()
}

/// Shows how much of it is known; whether all of it is.
fn show(seen: &Seen, watched: &BTreeSet<Watched>, health: &Health) -> bool {
    let unknown = unknown(seen, watched);
    let state = if unknown.is_empty() {
        State::Good(format!("watched: {}", all(watched).map(name).collect::<Vec<_>>().join(", ")))
    } else {
        State::Kept(format!("{NOT_YET}: {}; the log says why{}", unknown.join(", "), from_before(seen)))
    };
    health.set(Part::Cluster, state);
    unknown.is_empty()
}

/// What stands in for what nobody told of yet.
fn from_before(seen: &Seen) -> String {
    match seen.remembers() {
        0 => String::new(),
        namespaces => format!("; {namespaces} namespaces are as they were seen before the restart"),
    }
}

/// The kinds that policies in force know of.
fn needed(set: &PolicySet) -> BTreeSet<Watched> {
    let facts = set.policies().iter().flat_map(|policy| &policy.facts);
    facts.filter_map(|fact| Listed::behind(*fact)).map(Watched::Objects).collect()
}

fn name(kind: Watched) -> &'static str {
    match kind {
        Watched::Namespaces => "Namespace",
        Watched::Objects(listed) => listed.name(),
    }
}

/// Which version of a kind is watched, and how much of it is needed.
fn described(kind: Watched) -> (GroupVersionKind, Detail) {
    let (group, version, detail) = match kind {
        Watched::Namespaces | Watched::Objects(Listed::Node) => ("", "v1", Detail::Metadata),
        Watched::Objects(listed @ Listed::HorizontalPodAutoscaler) => (listed.group(), "v2", Detail::Whole),
        Watched::Objects(listed) => (listed.group(), "v1", Detail::Whole),
    };
    let named = GroupVersionKind { group: group.to_owned(), version: version.to_owned(), kind: name(kind).to_owned() };
    (named, detail)
}

fn sight(event: Event<Value>) -> Sight {
    match event {
        Event::Init => Sight::Begun,
        Event::InitApply(object) => Sight::One(object),
        Event::InitDone => Sight::Complete,
        Event::Apply(object) => Sight::Now(object),
        Event::Delete(object) => Sight::Gone(object),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use portreeve_server::manifest::read_stream;
    use portreeve_server::set::Sources;
    use portreeve_tests::gate::loader;
    use portreeve_tests::server::until;
    use serde_json::json;

    use super::*;

    /// A connection that leads to nobody.
    pub(in crate::serve::cluster) async fn nobody(folder: &Path) -> Connection {
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "nobody",
            "clusters": [{"name": "nobody", "cluster": {"server": "http://127.0.0.1:1"}}],
            "contexts": [{"name": "nobody", "context": {"cluster": "nobody", "user": "nobody"}}],
            "users": [{"name": "nobody", "user": {}}],
        });
        let path = folder.join("kubeconfig");
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        Connection::of_server(Some(&path)).await.unwrap()
    }

    async fn surroundings() -> Surroundings {
        let connection = nobody(tempfile::tempdir().unwrap().path()).await;
        let seen = Arc::new(Seen::new(Box::new(Live(connection.clone()))));
        Surroundings { connection, seen, told: Arc::default() }
    }

    /// The set of these resources.
    fn set(yaml: &str) -> Arc<PolicySet> {
        let mut sources = Sources::default();
        for manifest in read_stream("test.yaml", yaml).unwrap() {
            sources.add(&manifest).unwrap();
        }
        Arc::new(loader().unwrap().load_at_once(&sources).unwrap())
    }

    fn told(surroundings: &Surroundings, kind: Watched) {
        for sight in [Sight::Begun, Sight::Complete] {
            surroundings.tell(kind, sight);
        }
    }

    #[tokio::test]
    async fn what_the_api_server_tells_of_after_the_start_is_shown_too() {
        let surroundings = surroundings().await;
        let (_tell, sets) = watch::channel(set(""));
        let health = Arc::new(Health::default());
        let following = tokio::spawn(surroundings.clone().follow(sets, Arc::clone(&health), Watches::new()));
        let shows = async |line: &str| health.report().contains(line);
        until("it waits", async || shows("[!] cluster: the API server did not tell yet of: Namespace").await)
            .await
            .unwrap();
        told(&surroundings, Watched::Namespaces);
        until("all is known", async || shows("[+] cluster: watched: Namespace").await).await.unwrap();
        following.abort();
    }

    #[tokio::test]
    async fn what_may_no_longer_be_watched_is_shown_too() {
        let surroundings = surroundings().await;
        told(&surroundings, Watched::Namespaces);
        let (_tell, sets) = watch::channel(set(""));
        let health = Arc::new(Health::default());
        let following = tokio::spawn(surroundings.clone().follow(sets, Arc::clone(&health), Watches::new()));
        let shows = async |line: &str| health.report().contains(line);
        until("all is known", async || shows("[+] cluster: watched: Namespace").await).await.unwrap();
        surroundings.forget(Watched::Namespaces);
        let lost = "[!] cluster: the API server did not tell yet of: Namespace";
        until("it is lost", async || shows(lost).await).await.unwrap();
        following.abort();
    }

    #[tokio::test]
    async fn what_the_policies_in_force_no_longer_know_of_is_forgotten_after_the_last_calls_by_those_that_did() {
        const KNOWING: &str = "
            apiVersion: portreeve.dev/v1alpha1
            kind: ClusterPolicy
            metadata: {name: network-policy}
            spec: {module: {builtin: network-policy}, facts: [network-policies]}";
        let (surroundings, kind) = (surroundings().await, Watched::Objects(Listed::NetworkPolicy));
        let (knowing, unknowing) = (set(KNOWING), set(""));
        tokio::time::pause();
        let (tell, sets) = watch::channel(knowing);
        let following = tokio::spawn(surroundings.clone().follow(sets, Arc::new(Health::default()), Watches::new()));
        // A turn for the watch to begin.
        sleep(Duration::from_millis(1)).await;
        told(&surroundings, kind);
        tell.send(unknowing).unwrap();
        sleep(LAST_CALLS - Duration::from_secs(1)).await;
        assert!(surroundings.seen.knows(kind));
        sleep(Duration::from_secs(2)).await;
        assert!(!surroundings.seen.knows(kind));
        following.abort();
    }
}
