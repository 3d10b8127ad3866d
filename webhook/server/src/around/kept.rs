//! Namespaces as a cluster told of them, kept in the state folder: a replica that restarts while the API server is away
//! knows them from there. Policies are chosen by a namespace's labels, and nearly all of them ask for it; other objects
//! are not kept, since who asks for those has to do without them on many a day.

use std::collections::{BTreeMap, HashMap};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::sleep;

use super::Seen;
use crate::set::{KnownFrom, Namespace, chain};
use crate::state::{StateError, StateFolder};

const FILE: &str = "namespaces.json";
/// Of the shape of the file.
const VERSION: u32 = 1;
/// What all of them may take, in bytes: ten thousand ordinary ones take half of it.
const MOST_BYTES: usize = 16 << 20;
/// The shortest time between two writes.
const REST: Duration = Duration::from_secs(10);

/// Where namespaces are kept.
#[derive(Debug, Clone)]
pub struct KeptNamespaces(StateFolder);

/// What stands in the file.
#[derive(Serialize, Deserialize)]
struct Description {
    version: u32,
    namespaces: BTreeMap<String, Namespace>,
}

impl KeptNamespaces {
    /// In this folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self(StateFolder::at(folder))
    }

    /// Those that were kept last, each marked as such; none where the file is no use, which is told. Blocks on the
    /// disk.
    #[must_use]
    pub fn load(&self) -> HashMap<String, Namespace> {
        let kept = self.0.unseal(FILE, VERSION).unwrap_or_else(|error| {
            tracing::warn!("no namespaces are known from before: {}", chain(&error));
            None
        });
        let namespaces = kept.map(|Description { namespaces, .. }| namespaces).unwrap_or_default();
        let marked = |namespace| Namespace { known_from: KnownFrom::LastSeen, ..namespace };
        namespaces.into_iter().map(|(name, namespace)| (name, marked(namespace))).collect()
    }

    /// Keeps what is seen whenever it changes, for as long as it is let run. No request waits for it.
    pub async fn follow(self, seen: Arc<Seen>) {
        let mut kept = None;
        loop {
            seen.namespaces_told().await;
            let now = seen.copied_namespaces();
            if now.is_some() && now != kept {
                let (folder, namespaces) = (self.clone(), now.clone().unwrap_or_default());
                match done(spawn_blocking(move || folder.keep(namespaces)).await) {
                    Some(Ok(())) => kept = now,
                    Some(Err(error)) => {
                        tracing::warn!("namespaces are not kept for a restart: {}", chain(&error));
                        seen.tell_namespaces_again();
                    }
                    None => return,
                }
            }
            sleep(REST).await;
        }
    }

    /// Keeps these in place of those before. Blocks on the disk.
    fn keep(&self, namespaces: BTreeMap<String, Namespace>) -> Result<(), StateError> {
        self.0.seal(FILE, &Description { version: VERSION, namespaces: within(MOST_BYTES, namespaces) })
    }
}

/// What came of work on another thread; none where the runtime ends before it. A panic goes on here.
fn done<T>(joined: Result<T, JoinError>) -> Option<T> {
    match joined.map_err(JoinError::try_into_panic) {
        Ok(done) => Some(done),
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_)) => None,
    }
}

/// As many of them as take no more bytes than these, in the order of their names.
fn within(bytes: usize, namespaces: BTreeMap<String, Namespace>) -> BTreeMap<String, Namespace> {
    let (all, mut taken) = (namespaces.len(), 0_usize);
    let fits = |(name, namespace): &(String, Namespace)| {
        let texts = namespace.labels.iter().chain(&namespace.annotations);
        let size = texts.fold(name.len(), |size, (key, value)| size.saturating_add(key.len() + value.len()));
        taken = taken.saturating_add(size);
        taken <= bytes
    };
    let within: BTreeMap<String, Namespace> = namespaces.into_iter().take_while(fits).collect();
    if within.len() < all {
        tracing::warn!("of {all} namespaces {} are kept for a restart: the rest is too large", within.len());
    }
    within
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn namespaces(names: &[&str]) -> BTreeMap<String, Namespace> {
        let namespace = |name: &&str| {
            let known = Namespace { known_from: KnownFrom::Cluster, ..Namespace::default() };
            ((*name).to_owned(), known.named(name))
        };
        names.iter().map(namespace).collect()
    }

    #[test]
    fn what_was_kept_is_known_from_before() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptNamespaces::in_folder(&folder.path().join("state"));
        assert!(kept.load().is_empty());
        kept.keep(namespaces(&["shop"])).unwrap();
        let expected = Namespace { known_from: KnownFrom::LastSeen, ..Namespace::default() }.named("shop");
        assert_eq!(kept.load(), HashMap::from([("shop".to_owned(), expected)]));
    }

    #[test]
    fn the_file_is_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        KeptNamespaces::in_folder(folder.path()).keep(namespaces(&["shop"])).unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_was_changed_or_could_have_been_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptNamespaces::in_folder(folder.path());
        kept.keep(namespaces(&["shop"])).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(kept.load().is_empty());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!kept.load().is_empty());
        let file = folder.path().join(FILE);
        fs::write(&file, fs::read_to_string(&file).unwrap().replace("shop", "shed")).unwrap();
        assert!(kept.load().is_empty());
    }

    #[test]
    fn no_more_is_kept_than_has_room() {
        let one = namespaces(&["a"]);
        let size = "a".len() * 2 + "kubernetes.io/metadata.name".len();
        assert_eq!(within(size, namespaces(&["a", "b"])), one);
        assert_eq!(within(size - 1, one), BTreeMap::new());
    }

    #[tokio::test]
    async fn a_panic_of_the_work_is_no_end_of_the_runtime() {
        let panicked = spawn_blocking(|| panic!("out of its mind")).await;
        assert!(catch_unwind(AssertUnwindSafe(|| done::<()>(panicked))).is_err());
        let waiting = tokio::spawn(std::future::pending());
        waiting.abort();
        assert_eq!(done::<()>(waiting.await), None);
    }
}
