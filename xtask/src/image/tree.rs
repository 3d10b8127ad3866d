//! The files of the image, all of them: there is no base image. They are laid into a folder, and a folder is read as
//! what it would be in an image: paths, modes, contents, and neither owners nor times.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::bill::Bill;
use super::error::ImageError;
use super::system::AUTHORITIES;
use crate::cargo::root;
use crate::error::XtaskError;

/// The program, from the image's root.
pub(super) const PROGRAM: &str = "usr/local/bin/portreeve";
/// The bill of materials, where scanners of images look for one by the end of its name.
pub(super) const BILL: &str = "usr/share/sbom/portreeve.cdx.json";
/// The licence.
const LICENCE: &str = "usr/share/doc/portreeve/LICENSE";
/// Whom names are asked of: what the runtime mounts, then DNS. The C library would do the same without it.
const NAME_SERVICES: (&str, &str) = ("etc/nsswitch.conf", "hosts: files dns\n");

/// Something in a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// From the root, without a slash before it.
    pub(super) path: PathBuf,
    /// What it is.
    pub(super) kind: Kind,
    /// Permissions, with the bits that change who runs.
    pub(super) mode: u32,
}

/// What a tree is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A folder.
    Folder,
    /// A file of this many bytes.
    File {
        /// The bytes.
        size: u64,
    },
}

/// Lays the image's files into a folder that is not there yet.
pub(super) fn lay(tree: &Path, program: &Path, bill: &Bill) -> Result<(), ImageError> {
    let bill = serde_json::to_string_pretty(bill)?;
    write(tree, PROGRAM, &read(program)?, 0o755)?;
    write(tree, BILL, bill.as_bytes(), 0o644)?;
    write(tree, LICENCE, &read(&root().join("LICENSE"))?, 0o644)?;
    write(tree, AUTHORITIES.trim_start_matches('/'), &read(AUTHORITIES.as_ref())?, 0o644)?;
    write(tree, NAME_SERVICES.0, NAME_SERVICES.1.as_bytes(), 0o644)
}

/// All that is in a folder, sorted; every folder stands before what is in it.
pub(super) fn entries(tree: &Path) -> Result<Vec<Entry>, ImageError> {
    let walk = WalkDir::new(tree).min_depth(1).sort_by_file_name();
    walk.into_iter()
        .map(|entry| entry.map_err(|error| unwalked(tree, error)).and_then(|entry| look(tree, &entry)))
        .collect()
}

fn look(tree: &Path, entry: &walkdir::DirEntry) -> Result<Entry, ImageError> {
    let metadata = entry.metadata().map_err(|error| unwalked(tree, error))?;
    let kind = match metadata.file_type() {
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_file() => Kind::File { size: metadata.len() },
        _ => return Err(ImageError::Kind { path: entry.path().to_owned() }),
    };
    let path = entry.path().strip_prefix(tree).unwrap_or(entry.path()).to_owned();
    Ok(Entry { path, kind, mode: metadata.permissions().mode() & 0o7777 })
}

fn unwalked(tree: &Path, error: walkdir::Error) -> ImageError {
    XtaskError::Read { path: error.path().unwrap_or(tree).to_owned(), error: error.into() }.into()
}

/// Writes a file, and makes the folders that it lies in.
pub(super) fn write(tree: &Path, path: &str, contents: &[u8], mode: u32) -> Result<(), ImageError> {
    let file = tree.join(path);
    make(tree, file.parent().unwrap_or(tree))?;
    std::fs::write(&file, contents).map_err(written(&file))?;
    permit(&file, mode)
}

/// Makes a folder of the tree and those that it lies in, whatever this process's own mask is.
pub(super) fn make(tree: &Path, folder: &Path) -> Result<(), ImageError> {
    std::fs::create_dir_all(folder).map_err(written(folder))?;
    folder.ancestors().take_while(|folder| folder.starts_with(tree)).try_for_each(|folder| permit(folder, 0o755))
}

fn permit(path: &Path, mode: u32) -> Result<(), ImageError> {
    Ok(std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(written(path))?)
}

/// What is said of something that could not be written.
pub(super) fn written(path: &Path) -> impl FnOnce(std::io::Error) -> XtaskError {
    let path = path.to_owned();
    move |error| XtaskError::Write { path, error }
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    Ok(std::fs::read(path).map_err(|error| XtaskError::Read { path: path.to_owned(), error })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_before_its_files_and_modes_are_as_they_were_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "usr/bin/b", b"12", 0o755).unwrap();
        write(folder.path(), "usr/a", b"", 0o644).unwrap();
        let entries = entries(folder.path()).unwrap();
        let seen: Vec<_> = entries.iter().map(|entry| (entry.path.to_str().unwrap(), entry.kind, entry.mode)).collect();
        let folder = |path| (path, Kind::Folder, 0o755);
        let file = |path, size, mode| (path, Kind::File { size }, mode);
        assert_eq!(seen, [folder("usr"), file("usr/a", 0, 0o644), folder("usr/bin"), file("usr/bin/b", 2, 0o755)]);
    }

    #[test]
    fn a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/bin/sh", folder.path().join("sh")).unwrap();
        assert!(matches!(entries(folder.path()), Err(ImageError::Kind { .. })));
    }
}
