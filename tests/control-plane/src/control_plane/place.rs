//! Where the programs of a control plane are kept once they are built: outside the clone, by the digest of the files that
//! pin them, so that other pins mean other programs. How they are built is told in `cargo xtask assets`, which reads this
//! file too; nothing is built here.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The release of Kubernetes that is tested against unless another is asked for: the newest.
pub const NEWEST: &str = "v1.37";

/// The files of a pin, in its folder.
const PINS: [&str; 3] = ["go.mod", "go.sum", "tools.go"];

/// The folder in the checkout that pins a release, such as `v1.37`.
#[must_use]
pub fn pin(checkout: &Path, release: &str) -> PathBuf {
    checkout.join("tests/cluster/assets").join(release)
}

/// The folder that the programs of this pin are kept in: `$XDG_CACHE_HOME` or `~/.cache`, then `portreeve/assets`, the
/// release and 16 digits of the digest. None where neither variable says where caches are.
///
/// # Errors
/// If the release is not pinned, or its files can't be read.
pub fn cache_folder(checkout: &Path, release: &str) -> io::Result<Option<PathBuf>> {
    let pin = pin(checkout, release);
    let mut digest = Sha256::new();
    for file in PINS {
        digest.update(std::fs::read(pin.join(file))?);
    }
    let digest = hex::encode(digest.finalize());
    let name = format!("{release}-{}", digest.get(..16).unwrap_or(&digest));
    Ok(caches().map(|caches| caches.join("portreeve/assets").join(name)))
}

fn caches() -> Option<PathBuf> {
    let named = |variable| std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))
}
