//! What the loopback registry holds: content, tags, guards, the faults in force, and who asked for what.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Fault;
use super::guard::Guard;
use super::image::Content;
use crate::reference::Digest;

/// Everything, behind one lock that is never held across an await.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) addr: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    content: HashMap<(String, String), Content>,
    tags: HashMap<(String, String), Digest>,
    guards: BTreeMap<String, Guard>,
    faults: Vec<Fault>,
    asked: Vec<Asked>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How.
    pub method: Method,
    /// For what: `/v2/library/nginx/manifests/1.27`.
    pub path: String,
    /// For which registry, if it was asked as a mirror.
    pub registry: Option<String>,
    /// Whether it came with an `Authorization` header.
    pub authorized: bool,
    /// How the asker called itself.
    pub user_agent: Option<String>,
}

/// The methods that readers of a registry use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Headers alone.
    Head,
    /// Headers and body.
    Get,
    /// For tokens by OAuth 2.
    Post,
    /// Any other, which is refused.
    Other,
}

impl Store {
    pub(super) fn new(addr: SocketAddr) -> Self {
        Self { addr, state: Mutex::default() }
    }

    pub(super) fn tag(&self, repository: &str, tag: &str, content: Vec<Content>) -> Digest {
        let named = content.first().map_or_else(|| Digest::sha256_of(b""), Content::digest);
        let mut state = self.state();
        for content in content {
            state.content.insert((repository.into(), content.digest().to_string()), content);
        }
        state.tags.insert((repository.into(), tag.into()), named.clone());
        named
    }

    pub(super) fn digest(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.state().tags.get(&(repository.into(), tag.into())).cloned()
    }

    /// By tag or by digest.
    pub(super) fn content(&self, repository: &str, name: &str) -> Option<Content> {
        let state = self.state();
        let tagged = state.tags.get(&(repository.into(), name.into())).map(Digest::to_string);
        state.content.get(&(repository.into(), tagged.unwrap_or_else(|| name.into()))).cloned()
    }

    pub(super) fn protect(&self, prefix: &str, guard: Guard) {
        self.state().guards.insert(prefix.into(), guard);
    }

    /// The guard with the longest prefix of this repository.
    pub(super) fn guard(&self, repository: &str) -> Option<Guard> {
        let state = self.state();
        let fitting = state.guards.iter().filter(|(prefix, _)| repository.starts_with(*prefix));
        fitting.max_by_key(|(prefix, _)| prefix.len()).map(|(_, guard)| guard.clone())
    }

    pub(super) fn set_faults(&self, faults: Vec<Fault>) {
        self.state().faults = faults;
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        self.state().faults.clone()
    }

    pub(super) fn note(&self, asked: Asked) {
        self.state().asked.push(asked);
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
