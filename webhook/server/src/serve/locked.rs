//! The lock file that facts about images come from, taken up whole when it changes. One that can't be used changes
//! nothing: the lock that was read before stays in force, which is told once and shown until the file is mended.

use portreeve_supply::{ImageLock, Images, LockError, RegistriesConfig};
use sha2::{Digest as _, Sha256};

use crate::health::{Health, Part, State};
use crate::set::chain;

/// The text that was read last, by its digest; none where the file could not be read, so that it is read again.
pub(super) type Seen = Option<[u8; 32]>;

/// One look at the file. `seen` is what the look before came back with.
pub(super) fn look(images: &Images, registries: &RegistriesConfig, health: &Health, seen: Seen) -> Seen {
    let Some(path) = &registries.lock_file else {
        health.set(Part::Images, asked_of(registries));
        return None;
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(source) => {
            refused(health, &LockError::Unreadable { path: path.clone(), source });
            return None;
        }
    };
    let now = Some(Sha256::digest(&text).into());
    if now == seen {
        return seen;
    }
    match ImageLock::parse(&text, path) {
        Ok(lock) => take_up(images, lock, health),
        Err(error) => refused(health, &error),
    }
    now
}

fn take_up(images: &Images, lock: ImageLock, health: &Health) {
    let locked = lock.iter().count();
    if images.relock(lock) {
        tracing::info!("the lock file was loaded again: {locked} images");
    }
    health.set(Part::Images, State::Good(format!("{locked} are locked, and no registry is asked")));
}

fn refused(health: &Health, error: &LockError) {
    let text = chain(error);
    if health.set(Part::Images, State::Kept(format!("the lock that was read before stays in force: {text}"))) {
        tracing::error!("refused, the old one stays in force: {text}");
    }
}

fn asked_of(registries: &RegistriesConfig) -> State {
    State::Good(match registries.registries.len() {
        0 => "no registry is listed, and there is no lock file".to_owned(),
        listed => format!("their registries are asked, {listed} in the list"),
    })
}

#[cfg(test)]
mod tests {
    use portreeve_supply::{Freshness, reference::Digest};
    use tokio::time::Instant;

    use super::*;

    fn locked_to(digit: &str) -> String {
        let digest = digit.repeat(64);
        format!(
            "apiVersion: portreeve.dev/v1alpha1\nkind: ImageLock\nimages: [{{image: 'web:1', digest: 'sha256:{digest}'}}]\n"
        )
    }

    /// The file, what is asked, and what is shown of it.
    struct Scene {
        folder: tempfile::TempDir,
        registries: RegistriesConfig,
        images: Images,
        health: Health,
        seen: Seen,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("images.lock");
            std::fs::write(&path, locked_to("1")).unwrap();
            let registries = RegistriesConfig { lock_file: Some(path), ..RegistriesConfig::default() };
            let images = Images::open(&registries).unwrap();
            Self { folder, registries, images, health: Health::default(), seen: None }
        }

        /// What is shown after the file holds this; it is removed if it is to hold nothing.
        fn shown(&mut self, text: Option<&str>) -> String {
            let path = self.folder.path().join("images.lock");
            match text {
                Some(text) => std::fs::write(path, text).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
            self.seen = look(&self.images, &self.registries, &self.health, self.seen);
            let report = self.health.report();
            report.lines().find(|line| line.contains(" images: ")).unwrap().to_owned()
        }

        async fn digest(&self) -> Digest {
            self.images.digest("web:1", Freshness::Remembered, Instant::now()).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_changed_lock_file_is_taken_up() {
        let mut scene = Scene::new();
        assert!(scene.digest().await.to_string().ends_with("11"));
        assert!(scene.shown(Some(&locked_to("2"))).starts_with("[+] images: 1 are locked"));
        assert!(scene.digest().await.to_string().ends_with("22"));
    }

    #[tokio::test]
    async fn a_bad_or_missing_one_is_shown_until_it_is_mended_and_the_old_one_stays() {
        let mut scene = Scene::new();
        for text in [Some("images: [{image: 'web:1'}]\n"), None, Some("kind: [")] {
            let shown = scene.shown(text);
            assert!(shown.starts_with("[!] images: the lock that was read before stays"), "{shown}");
            assert_eq!(scene.shown(text.or(Some("{"))).get(..3), Some("[!]"), "the next look says so too");
            assert!(scene.digest().await.to_string().ends_with("11"));
        }
        assert!(scene.shown(Some(&locked_to("1"))).starts_with("[+] images"));
    }

    #[test]
    fn without_a_lock_file_it_is_told_who_is_asked() {
        let shown = asked_of(&RegistriesConfig::default());
        assert_eq!(shown, State::Good("no registry is listed, and there is no lock file".to_owned()));
    }
}
