//! A folder's files as one value, to be kept elsewhere and brought back: in a Secret, from which every replica takes
//! what it serves with. What the files mean is the folder's; nothing is renewed here.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::file::{self, FileError, Secrecy};
use crate::folder::{CertificateFolder, FolderError};
use crate::rotation::RotationPolicy;

/// The files of a [`CertificateFolder`], by their names in its table.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FolderContents(BTreeMap<&'static str, Vec<u8>>);

/// Every file but those of a renewal that was cut off, in the order in which nobody who reads meanwhile is misled: what
/// is trusted before what is served, what is taken before what is registered. A certificate comes right after its key.
const FILES: [(&str, Secrecy); 10] = [
    ("ca-bundle.crt", Secrecy::Public),
    ("issued.crt", Secrecy::Public),
    ("tokens", Secrecy::Secret),
    ("ca.key", Secrecy::Secret),
    ("ca.crt", Secrecy::Public),
    ("ca-next.key", Secrecy::Secret),
    ("ca-next.crt", Secrecy::Public),
    ("tls.key", Secrecy::Secret),
    ("tls.crt", Secrecy::Public),
    ("token", Secrecy::Secret),
];

/// What a replica can't serve without.
const TO_SERVE: [&str; 5] = ["ca-bundle.crt", "tls.crt", "tls.key", "token", "tokens"];

/// The same where the certificate is somebody else's.
const TO_LET_IN: [&str; 2] = ["token", "tokens"];

impl FolderContents {
    /// The contents that these files make up; files of other names are passed over.
    #[must_use]
    pub fn of(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let known = files.into_iter().filter_map(|(name, bytes)| Some((named(&name)?, bytes)));
        Self(known.collect())
    }

    /// Name and bytes of each file.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.0.iter().map(|(name, bytes)| (*name, bytes.as_slice()))
    }

    /// What a replica serves with of what this policy renews: nothing that only whoever signs needs, and no certificate
    /// that is somebody else's.
    #[must_use]
    pub fn to_serve(mut self, policy: &RotationPolicy) -> Self {
        self.0.retain(|name, _| needed(policy).contains(name));
        self
    }

    /// The bundle that clients must trust, as PEM; none where there is no CA yet.
    #[must_use]
    pub fn bundle(&self) -> Option<&[u8]> {
        self.0.get("ca-bundle.crt").map(Vec::as_slice)
    }

    /// The path token to register; none where there is none yet.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.0.get("token").and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Whether a replica can serve with it, where that is what this policy renews.
    #[must_use]
    pub fn serves(&self, policy: &RotationPolicy) -> bool {
        needed(policy).iter().all(|name| self.0.contains_key(name))
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for FolderContents {
    /// Names alone: most of it is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl CertificateFolder {
    /// Its files. A folder that is not there has none.
    ///
    /// # Errors
    /// When a file can't be read, or a secret is open to others.
    pub fn contents(&self) -> Result<FolderContents, FolderError> {
        let mut contents = FolderContents::default();
        for (name, secrecy) in FILES {
            if let Some(bytes) = file::read_if_there(&self.place(name), secrecy)? {
                contents.0.insert(name, bytes);
            }
        }
        Ok(contents)
    }

    /// Makes the folder hold these files and no other that this policy renews: of tokens alone, a certificate that lies
    /// beside them stays. A file that is there with the same bytes is not touched. A reader that finds a new key beside
    /// an old certificate finds both new when it looks again.
    ///
    /// # Errors
    /// When the folder is open to others, or something can't be written.
    pub fn put_contents(&self, contents: &FolderContents, policy: &RotationPolicy) -> Result<(), FolderError> {
        file::make_private_folder(self.path())?;
        let _lock = self.lock()?;
        for (name, secrecy) in FILES {
            match contents.0.get(name) {
                Some(bytes) => self.put(name, bytes, secrecy)?,
                None if is_renewed(name, policy) => file::remove(&self.place(name))?,
                None => {}
            }
        }
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8], secrecy: Secrecy) -> Result<(), FileError> {
        let path = self.place(name);
        if file::read_if_there(&path, secrecy)?.is_some_and(|there| there == bytes) {
            return Ok(());
        }
        file::write(&path, bytes, secrecy)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

fn needed(policy: &RotationPolicy) -> &'static [&'static str] {
    if policy.names().is_some() { &TO_SERVE } else { &TO_LET_IN }
}

/// Whether a file of this name is ours, where that is what this policy renews.
fn is_renewed(name: &str, policy: &RotationPolicy) -> bool {
    policy.names().is_some() || TO_LET_IN.contains(&name)
}

fn named(name: &str) -> Option<&'static str> {
    FILES.into_iter().map(|(known, _)| known).find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::names::ServerNames;
    use crate::serving::ServingCertificate;
    use crate::token::PathTokens;

    fn policy() -> RotationPolicy {
        RotationPolicy::new(ServerNames::parse(["localhost"]).unwrap())
    }

    fn now() -> Timestamp {
        "2030-01-01T12:00:00Z".parse().unwrap()
    }

    fn folder(scratch: &tempfile::TempDir, name: &str) -> CertificateFolder {
        CertificateFolder::new(scratch.path().join(name))
    }

    fn made(scratch: &tempfile::TempDir) -> FolderContents {
        let folder = folder(scratch, "made");
        folder.ensure(now(), &policy()).unwrap();
        folder.contents().unwrap()
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_files() {
        assert!(folder(&tempfile::tempdir().unwrap(), "none").contents().unwrap().is_empty());
    }

    #[test]
    fn a_folder_that_was_brought_back_is_renewed_as_if_it_had_never_left() {
        let scratch = tempfile::tempdir().unwrap();
        let contents = made(&scratch);
        let files = contents.files().map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
        let back = folder(&scratch, "back");
        back.put_contents(&FolderContents::of(files), &policy()).unwrap();
        assert!(back.ensure(now(), &policy()).unwrap().done.is_empty());
        assert_eq!(back.contents().unwrap(), contents);
    }

    #[test]
    fn what_a_replica_serves_with_holds_no_key_of_the_ca() {
        let scratch = tempfile::tempdir().unwrap();
        let contents = made(&scratch).to_serve(&policy());
        let names: Vec<&str> = contents.files().map(|(name, _)| name).collect();
        assert_eq!(names, ["ca-bundle.crt", "tls.crt", "tls.key", "token", "tokens"]);
        let served = folder(&scratch, "served");
        served.put_contents(&contents, &policy()).unwrap();
        assert!(ServingCertificate::load(&served.leaf_certificate(), &served.leaf_key()).is_ok());
        assert!(PathTokens::load(&served, now()).unwrap().accepts(contents.token().unwrap()));
    }

    #[test]
    fn tokens_alone_serve_where_the_certificate_is_somebody_elses() {
        let tokens = FolderContents::of(["token", "tokens"].map(|name| (name.to_owned(), Vec::new())));
        assert!(tokens.serves(&RotationPolicy::of_tokens()) && !tokens.serves(&policy()));
        let one = FolderContents::of([("tokens".to_owned(), Vec::new())]);
        assert!(!one.serves(&RotationPolicy::of_tokens()));
    }

    #[test]
    fn files_that_are_no_longer_among_the_contents_go() {
        let scratch = tempfile::tempdir().unwrap();
        let contents = made(&scratch);
        let made = folder(&scratch, "made");
        made.put_contents(&contents.to_serve(&policy()), &policy()).unwrap();
        assert!(!made.path().join("ca.key").exists());
    }

    #[test]
    fn tokens_are_kept_beside_a_certificate_that_is_somebody_elses() {
        let (scratch, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (before, of_tokens) = (made(&scratch), RotationPolicy::of_tokens());
        let tokens = made(&elsewhere).to_serve(&of_tokens);
        let shared = folder(&scratch, "made");
        shared.put_contents(&tokens, &of_tokens).unwrap();
        let now = shared.contents().unwrap();
        assert_eq!(now.clone().to_serve(&of_tokens), tokens);
        let others = |contents: &FolderContents| {
            let files = contents.files().filter(|(name, _)| !TO_LET_IN.contains(name));
            files.map(|(name, bytes)| (name, bytes.to_vec())).collect::<Vec<_>>()
        };
        assert_eq!(others(&now), others(&before));

        shared.put_contents(&FolderContents::default(), &of_tokens).unwrap();
        assert!(!shared.token().exists() && !shared.tokens().exists() && shared.leaf_key().exists());
    }

    #[test]
    fn a_file_that_is_as_it_should_be_is_not_written_again() {
        let scratch = tempfile::tempdir().unwrap();
        let contents = made(&scratch);
        let made = folder(&scratch, "made");
        let written = || std::fs::metadata(made.leaf_key()).unwrap().modified().unwrap();
        let before = written();
        made.put_contents(&contents, &policy()).unwrap();
        assert_eq!(written(), before);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?}", made(&tempfile::tempdir().unwrap()));
        assert!(shown.contains("tls.key") && !shown.contains("PRIVATE"), "{shown}");
    }

    #[test]
    fn files_of_others_are_passed_over() {
        assert!(FolderContents::of([("../x".to_owned(), Vec::new())]).is_empty());
    }
}
