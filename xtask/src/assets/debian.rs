//! Programs out of Debian's packages: downloaded and unpacked, without installing anything, so that nobody has to be
//! root. Where the system knows no such package, as in a container whose lists were removed, lists of our own are had
//! first.

use std::io;
use std::path::Path;
use std::process::Command;

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
    let advice = |error| XtaskError::Assets(format!("Debian's package {package} can't be had: {error}"));
    if download(package, &unpacked, &[]).is_err() {
        let lists = lists(&unpacked).map_err(write)?;
        output(apt_get(&unpacked, &lists).arg("update")).map_err(advice)?;
        download(package, &unpacked, &lists).map_err(advice)?;
    }
    let files = std::fs::read_dir(&unpacked).map_err(write)?.filter_map(|entry| Some(entry.ok()?.path()));
    for file in files.filter(|path| path.extension().is_some_and(|kind| kind == "deb")) {
        output(program(&"dpkg".into()).arg("-x").arg(file).arg(&unpacked)).map_err(advice)?;
    }
    let name = Path::new(path).file_name().unwrap_or_default();
    std::fs::rename(unpacked.join(path), folder.join(name)).map_err(write)?;
    std::fs::remove_dir_all(&unpacked).map_err(write)
}

fn download(package: &str, folder: &Path, options: &[String]) -> Result<(), XtaskError> {
    output(apt_get(folder, options).args(["download", package])).map(drop)
}

fn apt_get(folder: &Path, options: &[String]) -> Command {
    let mut apt_get = program(&"apt-get".into());
    apt_get.args(options).current_dir(folder);
    apt_get
}

/// Options by which apt-get keeps its lists in this folder, where it may write.
fn lists(folder: &Path) -> io::Result<Vec<String>> {
    let (state, cache) = (folder.join("state"), folder.join("cache"));
    for folder in [state.join("lists/partial"), cache.join("archives/partial")] {
        std::fs::create_dir_all(folder)?;
    }
    let lists = format!("--option=Dir::State::Lists={}", state.join("lists").display());
    Ok(vec![lists, format!("--option=Dir::Cache={}", cache.display())])
}
