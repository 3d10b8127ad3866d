//! What policy files hold, by digest: those of the policy folder, and those that modules are read from, wherever they
//! lie. Whether something has changed is told here; what is made of it is told in `policies`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// What files held when they were looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Fingerprint {
    /// Whether there is a folder at all: what is wrong with an empty one is something else.
    is_there: bool,
    folder: BTreeMap<PathBuf, Hash>,
    /// None where no file is: it may come.
    modules: BTreeMap<PathBuf, Option<Hash>>,
}

type Hash = [u8; 32];

impl Fingerprint {
    /// Of all files in a folder and below.
    pub(super) fn of_folder(folder: &Path) -> Self {
        let mut found = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(within) = folders.pop() {
            for entry in std::fs::read_dir(&within).into_iter().flatten().flatten() {
                let path = entry.path();
                match std::fs::metadata(&path) {
                    // A mounted volume keeps its versions in folders that begin with a dot; the links to them are
                    // enough.
                    Ok(about) if about.is_dir() && !entry.file_name().as_encoded_bytes().starts_with(b".") => {
                        folders.push(path);
                    }
                    Ok(about) if about.is_file() => {
                        found.insert(path.clone(), hash(&path).unwrap_or_default());
                    }
                    _ => {}
                }
            }
        }
        Self { is_there: folder.is_dir(), folder: found, modules: BTreeMap::new() }
    }

    /// The same with the modules that were named when this was looked at before.
    pub(super) fn with_modules_of(self, before: &Self) -> Self {
        self.with_modules(before.modules.keys().cloned().collect())
    }

    /// The same with the modules that the folder's policies name. Those that lie in the folder are there already.
    pub(super) fn with_modules(mut self, files: BTreeSet<PathBuf>) -> Self {
        let outside = files.into_iter().filter(|file| !self.folder.contains_key(file));
        self.modules = outside.map(|file| (file.clone(), hash(&file))).collect();
        self
    }

    /// Whether the folder holds what it held here, and so do the modules that were named then.
    pub(super) fn same_as(&self, folder: &Self) -> bool {
        self.is_there == folder.is_there
            && self.folder == folder.folder
            && self.modules.iter().all(|(file, held)| hash(file) == *held)
    }
}

/// None if it is no file, or can't be read.
fn hash(path: &Path) -> Option<Hash> {
    let is_file = std::fs::metadata(path).is_ok_and(|about| about.is_file());
    is_file.then(|| std::fs::read(path).ok()).flatten().map(|bytes| Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_outside_the_folder_counts_when_it_changes_comes_or_goes() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let module = elsewhere.path().join("policy.wasm");
        let look = || Fingerprint::of_folder(folder.path());
        let seen = || look().with_modules([module.clone()].into());
        let missing = seen();
        assert!(missing.same_as(&look()));
        std::fs::write(&module, "one").unwrap();
        assert!(!missing.same_as(&look()), "it came");
        let one = seen();
        std::fs::write(&module, "two").unwrap();
        assert!(!one.same_as(&look()), "it changed");
        let two = seen();
        std::fs::remove_file(&module).unwrap();
        assert!(!two.same_as(&look()), "it went");
    }

    #[test]
    fn a_folder_that_is_gone_is_something_else_than_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let empty = Fingerprint::of_folder(folder.path());
        std::fs::remove_dir(folder.path()).unwrap();
        let gone = Fingerprint::of_folder(folder.path());
        assert!(!gone.same_as(&empty) && gone.same_as(&gone));
        std::fs::create_dir(folder.path()).unwrap();
        assert!(Fingerprint::of_folder(folder.path()).same_as(&empty));
    }

    #[test]
    fn a_file_below_the_folder_counts_and_one_of_an_older_version_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("team");
        let older = folder.path().join("..2026");
        std::fs::create_dir(&below).unwrap();
        std::fs::create_dir(&older).unwrap();
        let before = Fingerprint::of_folder(folder.path());
        std::fs::write(older.join("a.yaml"), "a").unwrap();
        assert!(before.same_as(&Fingerprint::of_folder(folder.path())));
        std::fs::write(below.join("a.yaml"), "a").unwrap();
        assert!(!before.same_as(&Fingerprint::of_folder(folder.path())));
    }
}
