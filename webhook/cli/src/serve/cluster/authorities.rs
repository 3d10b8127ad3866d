//! The CAs that are registered where certificates come from elsewhere, as files: those in the file, and for a time
//! those that were in it before. Replicas get their files at different times, and serve what the old CA signed until
//! then.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portreeve_certs::Certificate;
use tokio::time::sleep;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How many versions of the file are registered beside what is in it, however fast they follow each other.
const BEFORE: usize = 3;

/// A file of CAs.
pub(super) struct Authorities {
    path: PathBuf,
    overlap: Duration,
    known: Mutex<Known>,
}

/// What was found in it.
#[derive(Default)]
struct Known {
    now: Option<Vec<u8>>,
    /// Whether the last look found none that can be registered.
    is_bad: bool,
    /// With the time at which each was replaced, the newest first.
    before: Vec<(Vec<u8>, Instant)>,
}

impl Authorities {
    /// The file at this path. What is replaced in it is registered for so long.
    pub(super) fn new(path: PathBuf, overlap: Duration) -> Self {
        Self { path, overlap, known: Mutex::default() }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// What has to be registered now.
    ///
    /// # Errors
    /// If the file can't be read, or holds no certificates: an API server would take no registration with it.
    pub(super) async fn bundle(&self) -> io::Result<Vec<u8>> {
        let found = self.found().await;
        let mut known = self.known();
        known.is_bad = found.is_err();
        known.take_up(found?, Instant::now(), self.overlap);
        Ok(known.bundle())
    }

    async fn found(&self) -> io::Result<Vec<u8>> {
        let found = tokio::fs::read(&self.path).await?;
        Certificate::all_from_pem(&found).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(found)
    }

    /// Waits until something else has to be registered, or to be said of the file.
    pub(super) async fn change(&self) {
        let state = || {
            let known = self.known();
            (known.bundle(), known.is_bad)
        };
        let before = state();
        while state() == before {
            sleep(LOOK).await;
            // What is wrong with it is told by whoever looks next.
            let _ = self.bundle().await;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn take_up(&mut self, found: Vec<u8>, at: Instant, overlap: Duration) {
        if let Some(replaced) = self.now.take_if(|now| *now != found) {
            self.before.insert(0, (replaced, at));
        }
        self.before.retain(|(before, since)| *before != found && at.duration_since(*since) < overlap);
        self.before.truncate(BEFORE);
        self.now = Some(found);
    }

    /// One after the other, the newest first.
    fn bundle(&self) -> Vec<u8> {
        let all = self.now.iter().chain(self.before.iter().map(|(before, _)| before));
        let mut bundle = Vec::new();
        for one in all {
            bundle.extend_from_slice(one);
            if !one.ends_with(b"\n") {
                bundle.push(b'\n');
            }
        }
        bundle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use portreeve_certs::{Authority, AuthorityOptions, CommonName, Validity};

    const OVERLAP: Duration = Duration::from_secs(60);

    #[test]
    fn what_was_in_the_file_before_is_registered_for_the_overlap() {
        let (mut known, start) = (Known::default(), Instant::now());
        let mut after = |seconds: u64, found: &str| {
            known.take_up(found.into(), start + Duration::from_secs(seconds), OVERLAP);
            String::from_utf8(known.bundle()).unwrap()
        };
        assert_eq!(after(0, "old"), "old\n");
        assert_eq!(after(100, "new"), "new\nold\n");
        assert_eq!(after(159, "new"), "new\nold\n");
        assert_eq!(after(160, "new"), "new\n");
    }

    #[tokio::test]
    async fn what_holds_no_certificates_is_told_at_once_and_what_was_there_stays_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.crt");
        let validity = Validity::starting(Timestamp::now(), Duration::from_secs(3600)).unwrap();
        let options = AuthorityOptions { common_name: CommonName::parse("ca").unwrap(), validity };
        let ca = Authority::create(&options).unwrap();
        let good = ca.certificate().to_pem();
        std::fs::write(&path, &good).unwrap();
        let authorities = Authorities::new(path.clone(), OVERLAP);
        assert_eq!(authorities.bundle().await.unwrap(), good.as_bytes());
        for bad in [Some("zzz"), None] {
            match bad {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            if bad.is_some() {
                authorities.change().await;
            }
            assert!(authorities.bundle().await.is_err());
            assert_eq!(authorities.known().bundle(), good.as_bytes());
        }
        std::fs::write(&path, &good).unwrap();
        authorities.change().await;
        assert!(authorities.bundle().await.is_ok());
    }

    #[test]
    fn what_comes_back_is_there_once_and_what_changes_all_the_time_is_bounded() {
        let (mut known, now) = (Known::default(), Instant::now());
        let mut next = |found: &str| {
            known.take_up(found.into(), now, OVERLAP);
            String::from_utf8(known.bundle()).unwrap()
        };
        next("a\n");
        next("b\n");
        assert_eq!(next("a\n"), "a\nb\n");
        let last = (0..10).map(|number| next(&format!("{number}\n"))).last();
        assert_eq!(last.as_deref(), Some("9\n8\n7\n6\n"));
    }
}
