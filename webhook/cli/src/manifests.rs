//! Reading what commands are asked to look at: manifests, and the lock files that lie beside them. Files that are
//! neither are told of on stderr, and judged by nobody.

use std::io;
use std::path::PathBuf;

use portreeve_server::manifest::{Found, files_named, find_manifests};
use portreeve_supply::{ImageLock, LockedOtherwise};

use crate::outcome::Failure;
use crate::output::tell;

/// What a lock file is called that is found without being named.
pub(crate) const LOCK_FILE: &str = "images.lock";

/// Reads the manifests of all paths, and tells which files of folders hold none.
///
/// # Errors
/// Everything that can't be read.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Found, Failure> {
    let found = find_manifests(paths, &mut io::stdin().lock()).map_err(Failure::input)?;
    if !found.passed_over.is_empty() {
        tell(&format!("passed over, since no Kubernetes objects are in them: {}", found.passed_over.join(", ")));
    }
    found.foreign.iter().for_each(|(name, foreign)| tell(&format!("passed over: {name}: {foreign}")));
    Ok(found)
}

/// The lock files in folders among the paths, and what they lock together.
///
/// # Errors
/// The first that can't be read, or that contradicts another.
pub(crate) fn locked_beside(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, ImageLock), Failure> {
    let files = files_named(LOCK_FILE, paths);
    let mut together = ImageLock::default();
    for file in &files {
        let lock = ImageLock::read(file).map_err(Failure::input)?;
        together.merge(lock).map_err(|fault| Failure::input(Contradiction { file: file.clone(), fault }))?;
    }
    Ok((files, together))
}

/// Two lock files that can't both hold.
#[derive(Debug, thiserror::Error)]
#[error("the lock file {}: {fault}", file.display())]
struct Contradiction {
    file: PathBuf,
    fault: LockedOtherwise,
}
