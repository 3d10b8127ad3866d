//! Whom the API server asks: nobody, our webhooks with one set or another, or policies of its own. Each is put up and
//! taken down again; whether the webhooks were really asked, they say themselves.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use portreeve_admission::subject::TemplatePaths;
use portreeve_cluster::registration::{Demand, Endpoint, Registration, Served, Site};
use portreeve_server::manifest::{Manifest, read_stream};
use portreeve_server::set::{PolicySet, Sources, platform};
use portreeve_tests::api_server::{ApiServer, Run};
use portreeve_tests::backstop;
use portreeve_tests::gate::loader;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::released::{Server, Set, binary};

/// Policies for the rules of the profile that no backstop has: as far as expressions can say them, so that there are as
/// many.
const YARDSTICK: &str = include_str!("yardstick.yaml");

/// The row that others are held against: what it costs the API server to ask.
pub(crate) const BASE: &str = "webhook pair, no policy, no book";

/// Who is asked, as long as nobody is.
pub(crate) struct Asked {
    pub(crate) name: &'static str,
    /// By these objects.
    objects: Vec<Value>,
    /// Our server, if it is the one.
    server: Option<Server>,
}

/// Who is asked just now.
pub(crate) struct Standing<'a> {
    asked: &'a Asked,
    /// How many calls had been answered when that began.
    answered: usize,
}

/// In the order in which they are told of, with their servers running.
pub(crate) async fn all() -> [Asked; 6] {
    [
        Asked { name: "nothing registered", objects: Vec::new(), server: None },
        webhooks(BASE, Set::Nothing, None).await,
        webhooks("webhook pair, profile, no book", Set::Profile, None).await,
        webhooks("webhook pair, profile, written", Set::Profile, Some("write-only")).await,
        webhooks("webhook pair, profile, durable", Set::Profile, Some("durable")).await,
        Asked { name: "sixteen policies in CEL", objects: expressions(), server: None },
    ]
}

async fn webhooks(name: &'static str, set: Set, ledger: Option<&str>) -> Asked {
    let server = Server::start(&binary(), CACHE.path(), set, ledger);
    server.compiled().await;
    Asked { name, objects: registration(&server), server: Some(server) }
}

impl Asked {
    /// The server, by which the operating system knows it.
    pub(crate) fn process(&self) -> Option<(&'static str, u32)> {
        self.server.as_ref().map(|server| ("webhooks", server.id()))
    }

    /// Has the API server ask them.
    pub(crate) async fn put_up(&self, api: &ApiServer) -> Standing<'_> {
        let answered = self.answered().await;
        for object in &self.objects {
            api.create(object, Run::Real).await.unwrap().done().unwrap();
        }
        Standing { asked: self, answered }
    }

    async fn answered(&self) -> usize {
        match &self.server {
            Some(server) => server.answered().await,
            None => 0,
        }
    }
}

impl Standing<'_> {
    /// Has nobody asked any more. Webhooks have to have been asked twice for each Pod.
    pub(crate) async fn take_down(self, api: &ApiServer, created: usize) {
        for object in &self.asked.objects {
            api.delete(object).await.unwrap().done().unwrap();
        }
        if self.asked.server.is_some() {
            let answered = self.asked.answered().await - self.answered;
            assert!(answered >= created * 2, "{created} Pods, and {answered} answers of the webhooks");
        }
    }
}

/// Policies are compiled once for all servers.
static CACHE: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// The platform profile, as it is in force.
fn profile() -> PolicySet {
    loader().unwrap().load(&Sources::of_builtin(platform())).unwrap()
}

/// Both entries as they are for the profile, whatever the server has in force: an empty set would be asked about
/// nothing.
fn registration(server: &Server) -> Vec<Value> {
    let set = profile();
    let excluded: BTreeSet<String> = set.index().excluded().map(str::to_owned).collect();
    let registration = Registration::of(&Demand {
        policies: set.policies(),
        paths: &TemplatePaths::default(),
        excluded: &excluded,
        failure_policy: set.failure_policy(),
        served: &Served::default(),
        user: None,
    });
    let configurations = registration.at(&Site {
        name: "portreeve".to_owned(),
        endpoint: Endpoint::Url(server.origin()),
        ca_bundle: std::fs::read(server.ca_bundle()).unwrap(),
        token: Some(server.token().to_owned()),
    });
    vec![json!(configurations.mutating), json!(configurations.validating)]
}

/// The backstop of the profile, and what it leaves out as the yardstick has it: sixteen.
fn expressions() -> Vec<Value> {
    let set = profile();
    let mut backstop = backstop::of(&set, &["image-digest".to_owned()]);
    for stated in &mut backstop.policies {
        // What a warning says, the webhooks are not asked for either: all of them deny.
        stated.binding.spec.validation_actions = vec!["Deny".to_owned()];
    }
    let stated = backstop.policies.iter().flat_map(|stated| [json!(stated.policy), json!(stated.binding)]);
    let others = read_stream("yardstick.yaml", YARDSTICK).unwrap();
    let all: Vec<Value> = stated.chain(others.into_iter().map(Manifest::into_value)).collect();
    assert_eq!(all.len(), 2 * 16);
    all
}
