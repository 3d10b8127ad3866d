//! A copy of the image's tree that a program can be run in with nothing else around it: the tree is its root, its user
//! is the image's. Beside the tree there is what a runtime mounts: names, a configuration, one volume. Of devices there
//! are those of randomness alone; no `/proc`, no `/tmp`.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::error::ImageError;
use super::layout::USER;
use super::tree::{self, Entry, Kind};
use crate::cargo::program;
use crate::error::XtaskError;

/// The one folder that the program may write to.
pub(super) const VOLUME: &str = "var/lib/portreeve";

/// What every runtime gives: linked statically, `getrandom` asks these files and not the kernel. Only root may make
/// devices, so that they are files of random bytes here, more than the program reads in its short life.
const DEVICES: [&str; 2] = ["dev/random", "dev/urandom"];
const RANDOM_BYTES: u64 = 1 << 20;

/// The copy; it goes when this is dropped.
pub(super) struct Cage {
    folder: TempDir,
    as_root: bool,
}

impl Cage {
    /// A copy of the tree, with these files mounted.
    pub(super) fn new(tree: &Path, mounted: &[(&str, String)]) -> Result<Self, ImageError> {
        let folder = tempfile::tempdir().map_err(tree::written(&std::env::temp_dir()))?;
        let metadata = folder.path().metadata().map_err(tree::written(folder.path()))?;
        let cage = Self { folder, as_root: metadata.uid() == 0 };
        for entry in tree::entries(tree)?.iter().filter(|entry| matches!(entry.kind, Kind::File { .. })) {
            let path = entry.path.to_string_lossy();
            tree::write(&cage.root(), &path, &tree::read(&tree.join(&entry.path))?, entry.mode)?;
        }
        for (path, contents) in mounted {
            tree::write(&cage.root(), path, contents.as_bytes(), 0o644)?;
        }
        for device in DEVICES {
            tree::write(&cage.root(), device, &random()?, 0o644)?;
        }
        let volume = cage.root().join(VOLUME);
        tree::make(&cage.root(), &volume)?;
        if cage.as_root {
            chown(&volume, Some(USER), Some(USER)).map_err(tree::written(&volume))?;
        }
        Ok(cage)
    }

    /// The image's program, to be run inside with these arguments.
    pub(super) fn portreeve(&self, arguments: &[&str]) -> Command {
        let mut command = if self.as_root {
            let mut chroot = program(&"chroot".into());
            chroot.arg(format!("--userspec={USER}:{USER}")).arg(self.root());
            chroot
        } else {
            let mut unshare = program(&"unshare".into());
            unshare.args(["--user", &format!("--map-user={USER}"), &format!("--map-group={USER}"), "--wd=/"]);
            unshare.arg("--root").arg(self.root());
            unshare
        };
        command.arg(format!("/{}", tree::PROGRAM)).args(arguments);
        // Nothing of this process's own but the way to the program that changes the root.
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// All that is in it, but for the volume's contents.
    pub(super) fn outside_the_volume(&self) -> Result<Vec<Entry>, ImageError> {
        let mut entries = tree::entries(&self.root())?;
        entries.retain(|entry| !entry.path.starts_with(VOLUME) || entry.path == Path::new(VOLUME));
        Ok(entries)
    }

    /// Where the output of a program that runs on is kept; not in the cage.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }
}

fn random() -> Result<Vec<u8>, ImageError> {
    let path = Path::new("/dev/urandom");
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|device| device.take(RANDOM_BYTES).read_to_end(&mut bytes));
    read.map_err(|error| XtaskError::Read { path: path.to_owned(), error })?;
    Ok(bytes)
}
