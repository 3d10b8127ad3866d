//! The folder of modules that were pulled. Each is two files named by their digests: its manifest, and the component
//! that the manifest names. What is found is held against its digest, so nothing here has to be trusted. Where modules
//! come from is not known here.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::PulledModule;
use crate::lock::replace;
use crate::reference::Digest;
use crate::registry::module_of;

/// Files that are kept, two for each module; those used longest ago go first. A cluster has a few modules in force, and
/// every change of one makes another: without a bound they would fill the volume that the book is on.
const FILES: usize = 128;

/// A folder of modules.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// In this folder, which is made when the first module is kept.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The component that the manifest of this digest names. What is damaged is not there.
    pub(super) fn kept(&self, manifest: &Digest) -> Option<Vec<u8>> {
        let component = module_of(&self.read(manifest)?)?;
        let bytes = self.read(&component)?;
        [manifest, &component].into_iter().for_each(|digest| self.note_use(digest));
        Some(bytes)
    }

    /// Keeps a module, and lets go of those beyond the bound. The manifest comes last, since it is by the manifest that
    /// both are found.
    pub(super) fn keep(&self, digest: &Digest, pulled: &PulledModule) -> io::Result<()> {
        // For this user alone, with those above it: a folder that others may write to can't hold the last good set.
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        if let Some(component) = module_of(&pulled.manifest) {
            replace(&self.path(&component), &pulled.component)?;
        }
        replace(&self.path(digest), &pulled.manifest)?;
        self.forget_the_oldest();
        Ok(())
    }

    fn read(&self, digest: &Digest) -> Option<Vec<u8>> {
        fs::read(self.path(digest)).ok().filter(|bytes| digest.names(bytes))
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.to_string().replace(':', "-"))
    }

    /// A file's time says when it was last of use. If it can't be set, the module goes a little early.
    fn note_use(&self, digest: &Digest) {
        let path = self.path(digest);
        let noted = File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        if let Err(error) = noted {
            tracing::debug!(file = %path.display(), %error, "can't note the use of a kept policy module");
        }
    }

    /// Keeps the folder from growing, also by what a process that was killed left half written. A file that can't be
    /// deleted now will be tried again with the next module.
    fn forget_the_oldest(&self) {
        let mut files = self.files();
        files.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        for (_, file) in files.into_iter().skip(FILES) {
            if let Err(error) = fs::remove_file(&file) {
                tracing::debug!(file = %file.display(), %error, "can't delete an old policy module");
            }
        }
    }

    fn files(&self) -> Vec<(SystemTime, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::*;

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    /// A file that was of use so many seconds ago.
    fn put(folder: &Path, name: &str, seconds_ago: u64) {
        let file = File::create(folder.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds_ago)).unwrap();
    }

    #[test]
    fn the_folder_and_those_above_it_are_for_this_user_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let state = scratch.path().join("state");
        let shelf = Shelf::in_folder(state.join("modules"));
        let pulled = PulledModule { manifest: b"{}".to_vec(), component: Vec::new() };
        shelf.keep(&Digest::sha256_of(b"{}"), &pulled).unwrap();
        for folder in [&state, shelf.folder()] {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        }
    }

    #[test]
    fn modules_that_were_of_no_use_for_longest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        (0..1000).for_each(|number| put(folder.path(), &format!("sha256-{number}"), 1000 - number));
        put(folder.path(), ".tmpAb12", 5000);
        let shelf = Shelf::in_folder(folder.path().to_owned());
        let pulled = PulledModule { manifest: b"{}".to_vec(), component: Vec::new() };
        shelf.keep(&Digest::sha256_of(b"{}"), &pulled).unwrap();
        assert_eq!(files(folder.path()), FILES);
        assert!(folder.path().join("sha256-999").exists() && shelf.path(&Digest::sha256_of(b"{}")).exists());
        assert!(!folder.path().join(".tmpAb12").exists());
    }
}
