//! What stands around the objects that are judged: namespaces, and of other objects those that some policy in force knows
//! of. Nothing else is watched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_admission::case::GroupVersionKind;
use portreeve_cluster::connection::Connection;
use portreeve_cluster::surroundings::{Detail, Event, namespace, watch};
use portreeve_server::around::{Ask, Seen, Sight, Watched};
use portreeve_server::health::State;
use portreeve_server::serve::Parts;
use portreeve_server::set::{Listed, PolicySet};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{PATIENCE, Tie};

/// How often it is looked whether all that is needed is known.
const LOOK: Duration = Duration::from_millis(50);

/// What is seen of the cluster.
pub(super) struct Surroundings {
    connection: Connection,
    /// As the server asks it.
    pub(super) seen: Arc<Seen>,
}

/// Begins to watch namespaces.
pub(super) fn begin(connection: &Connection, tie: &mut Tie) -> Surroundings {
    let seen = Arc::new(Seen::new(Box::new(Live(connection.clone()))));
    let surroundings = Surroundings { connection: connection.clone(), seen };
    tie.spawn(surroundings.watched(Watched::Namespaces));
    surroundings
}

/// Reads what nobody told of yet.
struct Live(Connection);

impl Ask for Live {
    fn namespace<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Value>, String>> {
        async move { namespace(self.0.client.clone(), name).await.map_err(|error| error.to_string()) }.boxed()
    }
}

impl Surroundings {
    /// Watches what the policies in force know of, now and later; how much is known once all of it is, or once that took
    /// too long.
    pub(super) async fn ready(self, parts: &Parts, tie: &mut Tie) -> State {
        let mut sets = parts.sets.subscribe();
        let mut watched = needed(&sets.borrow_and_update());
        let mut watches = JoinSet::new();
        for kind in &watched {
            watches.spawn(self.watched(*kind));
        }
        let state = self.wait(&watched).await;
        tie.spawn(async move {
            loop {
                tokio::select! {
                    changed = sets.changed() => if changed.is_err() { return },
                    Some(ended) = watches.join_next() => {
                        super::pass_on(ended);
                        continue;
                    }
                }
                let needed = needed(&sets.borrow_and_update());
                for kind in needed.difference(&watched) {
                    watches.spawn(self.watched(*kind));
                }
                watched.extend(needed);
            }
        });
        state
    }

    async fn wait(&self, needed: &BTreeSet<Watched>) -> State {
        let all = || [Watched::Namespaces].into_iter().chain(needed.iter().copied());
        let unknown = || all().filter(|kind| !self.seen.knows(*kind)).map(name).collect::<Vec<_>>();
        let deadline = Instant::now() + PATIENCE;
        while !unknown().is_empty() {
            if Instant::now() >= deadline {
                let text = format!("the API server did not tell yet of: {}", unknown().join(", "));
                tracing::warn!("{text}; what needs to know them is answered as where nothing is known");
                return State::Kept(text);
            }
            sleep(LOOK).await;
        }
        State::Good(format!("watched: {}", all().map(name).collect::<Vec<_>>().join(", ")))
    }

    /// The watch of a kind.
    fn watched(&self, kind: Watched) -> impl Future<Output = ()> + Send + use<> {
        let (client, seen) = (self.connection.client.clone(), Arc::clone(&self.seen));
        async move {
            let (named, detail) = described(kind);
            let tell = |event| {
                if let Err(reason) = seen.tell(kind, sight(event)) {
                    tracing::warn!(kind = named.kind, reason, "an object is passed over");
                }
            };
            watch(client, &named, detail, tell).await;
        }
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
