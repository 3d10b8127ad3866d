//! Programs out of Debian's packages: downloaded and unpacked, without installing anything, so that nobody has to be root.

use std::path::Path;

use super::place::Packaged;
use crate::cargo::{output, program};
use crate::error::XtaskError;

/// How to get it where there are no such packages.
pub(super) const REMEDY: &str =
    "it comes out of a Debian package, and apt-get or dpkg is not here; put one on the path or into the folder";

/// Whether packages can be had.
pub(super) fn is_there() -> bool {
    ["apt-get", "dpkg"].iter().all(|tool| output(program(&(*tool).into()).arg("--version")).is_ok())
}

/// Puts the package's program into the folder.
pub(super) fn fetch(packaged: &Packaged, folder: &Path) -> Result<(), XtaskError> {
    let Packaged { package, path } = packaged;
    let unpacked = folder.join(package);
    let write = |error| XtaskError::Write { path: unpacked.clone(), error };
    std::fs::create_dir_all(&unpacked).map_err(write)?;
    let advice = |error| {
        XtaskError::Assets(format!("Debian's package {package} can't be had (`apt-get update` may help): {error}"))
    };
    output(program(&"apt-get".into()).args(["download", package]).current_dir(&unpacked)).map_err(advice)?;
    let files = std::fs::read_dir(&unpacked).map_err(write)?.filter_map(|entry| Some(entry.ok()?.path()));
    for file in files.filter(|path| path.extension().is_some_and(|kind| kind == "deb")) {
        output(program(&"dpkg".into()).arg("-x").arg(file).arg(&unpacked)).map_err(advice)?;
    }
    let name = Path::new(path).file_name().unwrap_or_default();
    std::fs::rename(unpacked.join(path), folder.join(name)).map_err(write)?;
    std::fs::remove_dir_all(&unpacked).map_err(write)
}
