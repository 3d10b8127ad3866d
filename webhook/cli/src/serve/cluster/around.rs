//! What stands around the objects that are judged: namespaces, and of other objects those that some policy in force knows
//! of. Nothing else is watched.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_admission::case::GroupVersionKind;
use portreeve_cluster::connection::Connection;
use portreeve_cluster::refusal::plainly;
use portreeve_cluster::surroundings::{Detail, Event, namespace, watch as watch_objects};
use portreeve_server::around::{Ask, KeptNamespaces, Seen, Sight, Watched};
use portreeve_server::health::{Health, Part, State};
use portreeve_server::serve::Parts;
use portreeve_server::set::{Listed, PolicySet};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Patience, Tie};

/// How often it is looked whether all that is needed is known.
const LOOK: Duration = Duration::from_millis(50);

/// What is said where not all is known.
const NOT_YET: &str = "the API server did not tell yet of";

/// What is seen of the cluster.
pub(super) struct Surroundings {
    connection: Connection,
    /// As the server asks it.
    pub(super) seen: Arc<Seen>,
}

/// Begins to watch namespaces. With a state folder they are kept there, and known from there until they are told of.
pub(super) fn begin(connection: &Connection, state: Option<&Path>, tie: &mut Tie) -> Surroundings {
    let kept = state.map(KeptNamespaces::in_folder);
    let before = kept.as_ref().map(KeptNamespaces::load).unwrap_or_default();
    let seen = Arc::new(Seen::new(Box::new(Live(connection.clone()))).remembering(before));
    let surroundings = Surroundings { connection: connection.clone(), seen };
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
                tracing::debug!(name, error = &error as &dyn Error, "a namespace can't be read");
                plainly(&error)
            })
        };
        found.boxed()
    }
}

impl Surroundings {
    /// Watches what the policies in force know of, now and later. Returns once all of it is known, or once that took too
    /// long; how much is known is shown as it is from then on.
    pub(super) async fn ready(self, parts: &Parts, patience: &mut Patience, tie: &mut Tie) {
        let mut sets = parts.sets.subscribe();
        let watched = needed(&sets.borrow_and_update());
        let mut watches = JoinSet::new();
        for kind in &watched {
            watches.spawn(self.watched(*kind));
        }
        let health = Arc::clone(&parts.health);
        if !patience.wait_for(known(&self.seen, &watched)).await {
            let unknown = unknown(&self.seen, &watched).join(", ");
            tracing::warn!("{NOT_YET}: {unknown}; what needs to know them is answered as where nothing is known");
        }
        show(&self.seen, &watched, &health);
        tie.spawn(self.follow(sets, health, watched, watches));
    }

    /// Watches what other sets know of too, and shows how much is known.
    async fn follow(
        self,
        mut sets: watch::Receiver<Arc<PolicySet>>,
        health: Arc<Health>,
        mut watched: BTreeSet<Watched>,
        mut watches: JoinSet<()>,
    ) {
        loop {
            let complete = show(&self.seen, &watched, &health);
            tokio::select! {
                changed = sets.changed() => if changed.is_err() { return },
                Some(ended) = watches.join_next() => {
                    super::pass_on(ended);
                    continue;
                }
                () = known(&self.seen, &watched), if !complete => continue,
            }
            let needed = needed(&sets.borrow_and_update());
            for kind in needed.difference(&watched) {
                watches.spawn(self.watched(*kind));
            }
            watched.extend(needed);
        }
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
            watch_objects(client, &named, detail, tell).await;
        }
    }
}

/// Namespaces, and these kinds.
fn all(watched: &BTreeSet<Watched>) -> impl Iterator<Item = Watched> {
    [Watched::Namespaces].into_iter().chain(watched.iter().copied())
}

/// What of it nobody told of yet.
fn unknown(seen: &Seen, watched: &BTreeSet<Watched>) -> Vec<&'static str> {
    all(watched).filter(|kind| !seen.knows(*kind)).map(name).collect()
}

/// Waits until all of it is known.
async fn known(seen: &Seen, watched: &BTreeSet<Watched>) {
    while !unknown(seen, watched).is_empty() {
        sleep(LOOK).await;
    }
}

/// Shows how much of it is known; whether all of it is.
fn show(seen: &Seen, watched: &BTreeSet<Watched>, health: &Health) -> bool {
    let unknown = unknown(seen, watched);
    let state = if unknown.is_empty() {
        State::Good(format!("watched: {}", all(watched).map(name).collect::<Vec<_>>().join(", ")))
    } else {
        State::Kept(format!("{NOT_YET}: {}{}", unknown.join(", "), from_before(seen)))
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
mod tests {
    use std::path::Path;

    use portreeve_server::set::Sources;
    use portreeve_tests::gate::loader;
    use portreeve_tests::server::until;
    use serde_json::json;

    use super::*;

    /// A connection that leads to nobody.
    async fn nobody(folder: &Path) -> Connection {
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

    #[tokio::test]
    async fn what_the_api_server_tells_of_after_the_start_is_shown_too() {
        let folder = tempfile::tempdir().unwrap();
        let connection = nobody(folder.path()).await;
        let seen = Arc::new(Seen::new(Box::new(Live(connection.clone()))));
        let surroundings = Surroundings { connection, seen: Arc::clone(&seen) };
        let set = loader().unwrap().load_at_once(&Sources::default()).unwrap();
        let (_tell, sets) = watch::channel(Arc::new(set));
        let health = Arc::new(Health::default());
        let following = surroundings.follow(sets, Arc::clone(&health), BTreeSet::new(), JoinSet::new());
        let following = tokio::spawn(following);
        let shows = async |line: &str| health.report().contains(line);
        until("it waits", async || shows("[!] cluster: the API server did not tell yet of: Namespace").await)
            .await
            .unwrap();
        for sight in [Sight::Begun, Sight::Complete] {
            seen.tell(Watched::Namespaces, sight).unwrap();
        }
        until("all is known", async || shows("[+] cluster: watched: Namespace").await).await.unwrap();
        following.abort();
    }
}
