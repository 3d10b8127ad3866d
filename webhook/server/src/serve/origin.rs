//! Where policies come from: the files that the configuration names, or somebody who tells of them, as a cluster does.
//! When they are looked at, and what is made of them, is told in `policies`.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use super::fingerprint::Fingerprint;
use crate::config::ServerConfig;
use crate::set::{LoadError, PolicySet, Sources};

/// How long files have to be as they are before a change of them is taken for whole.
const WRITTEN: Duration = Duration::from_millis(300);

/// Where policies come from.
#[derive(Default)]
pub enum Origin {
    /// The policy folder of the configuration, or the platform profile if it names none.
    #[default]
    Files,
    /// Somebody who knows all resources tells of them, in place of the folder.
    Told(Told),
}

impl Origin {
    /// Where one hears of other policies, if somebody tells of them.
    pub(super) fn told(&self) -> Option<watch::Receiver<Option<Arc<Sources>>>> {
        match self {
            Self::Files => None,
            Self::Told(told) => Some(told.sources.clone()),
        }
    }

    /// What was told last, if somebody tells.
    pub(super) fn newest(&self) -> Option<Arc<Sources>> {
        match self {
            Self::Files => None,
            Self::Told(told) => told.sources.borrow().clone(),
        }
    }
}

/// The two ends of a conversation with somebody who knows all resources.
pub struct Told {
    /// All of them as they stand, told anew whenever one changed; none until they are known.
    pub sources: watch::Receiver<Option<Arc<Sources>>>,
    /// What became of those that were looked at last.
    pub became: watch::Sender<Option<Became>>,
}

/// What became of resources that were told.
#[derive(Clone)]
pub struct Became {
    /// Which they were.
    pub sources: Arc<Sources>,
    /// The set that they make, now in force; or why they make none.
    pub made: Result<Arc<PolicySet>, Refused>,
}

/// Resources that make no set.
#[derive(Clone, thiserror::Error)]
#[error("{error}")]
pub struct Refused {
    /// All that is wrong.
    pub error: LoadError,
    /// The set before them, which stays in force; none where a start fails for want of one.
    pub stays: Option<Arc<PolicySet>>,
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({}, {:?} stays)", self.error, self.stays.as_ref().map(|set| set.digest()))
    }
}

/// What policies are to be made from, as it was when it was looked at.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// No folder is named.
    Profile,
    Files(Fingerprint),
    Told(Option<Arc<Sources>>),
}

impl Seen {
    /// What there is now.
    pub(super) fn now(config: &ServerConfig, origin: &Origin) -> Self {
        match (origin, &config.policies) {
            (Origin::Told(_), _) => Self::Told(origin.newest()),
            (Origin::Files, Some(folder)) => Self::Files(Fingerprint::of_folder(folder)),
            (Origin::Files, None) => Self::Profile,
        }
    }

    /// The same with the modules that lay outside of the folder when it was looked at before: they have to come to rest
    /// too.
    pub(super) fn with_modules_of(self, before: Option<&Self>) -> Self {
        match (self, before) {
            (Self::Files(now), Some(Self::Files(before))) => Self::Files(now.with_modules_of(before)),
            (now, _) => now,
        }
    }

    /// Whether files have come to rest: whoever writes several of them, or a long one, is not done with the first.
    /// Blocks for a moment.
    pub(super) fn has_settled(&self, now: impl FnOnce() -> Self) -> bool {
        match self {
            Self::Files(_) => {
                thread::sleep(WRITTEN);
                self.is(&now())
            }
            Self::Profile | Self::Told(_) => true,
        }
    }

    /// Whether this is what there is now.
    pub(super) fn is(&self, now: &Self) -> bool {
        match (self, now) {
            (Self::Profile, Self::Profile) | (Self::Told(None), Self::Told(None)) => true,
            (Self::Files(seen), Self::Files(now)) => seen.same_as(now),
            (Self::Told(Some(seen)), Self::Told(Some(now))) => Arc::ptr_eq(seen, now),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_being_written_have_not_settled() {
        let folder = tempfile::tempdir().unwrap();
        let now = || Seen::Files(Fingerprint::of_folder(folder.path()));
        let write = |text: &str| std::fs::write(folder.path().join("policy.yaml"), text).unwrap();
        write("kind: Cluster");
        let half = now();
        assert!(!half.has_settled(|| {
            write("kind: ClusterPolicy");
            now()
        }));
        assert!(now().has_settled(now));
    }

    #[test]
    fn nor_has_a_module_that_is_being_written_outside_the_folder() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let module = elsewhere.path().join("policy.wasm");
        let now = || Seen::Files(Fingerprint::of_folder(folder.path()));
        let before = Seen::Files(Fingerprint::of_folder(folder.path()).with_modules([module.clone()].into()));
        std::fs::write(&module, "half").unwrap();
        let half = now().with_modules_of(Some(&before));
        assert!(!half.has_settled(|| {
            std::fs::write(&module, "half of it, and the rest").unwrap();
            now()
        }));
        assert!(now().with_modules_of(Some(&before)).has_settled(now));
    }
}
