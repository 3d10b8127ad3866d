//! The programs of a control plane, and those beside them: in the folder in `KUBEBUILDER_ASSETS`, by the convention of
//! envtest, else in the one that `cargo xtask assets` has filled. A folder need not have all of them: envtest's own has
//! no controllers, which few tests ask for.

use std::io;
use std::path::PathBuf;

use super::place::{DEFINITIONS, NEWEST, cache_folder};
use super::{Controllers, Program};
use crate::checkout;

/// The variable that names the folder.
const VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// A folder that has what was asked for.
#[derive(Debug, Clone)]
pub struct Assets(PathBuf);

/// Why a test that needs these programs can't run, and what would let it.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// Nothing names a folder, and the one that we fill is not there or not full.
    #[error(
        "no control plane: no {}. `cargo xtask assets` has it (with Go, and Debian's package tool), or {VARIABLE} names \
         a folder with it",
        .0.join(", no ")
    )]
    NotBuilt(Vec<&'static str>),
    /// The folder that is named lacks programs.
    #[error(
        "{VARIABLE}={} has no {}: put it there, or name an empty folder, which `cargo xtask assets` fills, or none",
        folder.display(), lacking.join(", no ")
    )]
    Lacking {
        /// The folder.
        folder: PathBuf,
        /// What it lacks.
        lacking: Vec<&'static str>,
    },
    /// The files that say where the folder is can't be read.
    #[error("where the programs of a control plane are: {0}")]
    Pins(#[from] io::Error),
}

impl Assets {
    /// The folder for a control plane with such controllers.
    ///
    /// # Errors
    /// What is lacking, and how to get it.
    pub fn find(controllers: Controllers) -> Result<Self, Unavailable> {
        Self::with(Program::of(controllers))
    }

    /// The folder for tests that use this program alone.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn with(programs: &[Program]) -> Result<Self, Unavailable> {
        let named = named();
        let is_named = named.is_some();
        let Some(folder) = named.map_or_else(built, |folder| Ok(Some(folder)))? else {
            return Err(Unavailable::NotBuilt(programs.iter().map(|program| program.name()).collect()));
        };
        let assets = Self(folder);
        let lacking = assets.lacking(programs);
        match (lacking.is_empty(), is_named) {
            (true, _) => Ok(assets),
            (false, true) => Err(Unavailable::Lacking { folder: assets.0, lacking }),
            (false, false) => Err(Unavailable::NotBuilt(lacking)),
        }
    }

    /// Where a program is.
    #[must_use]
    pub fn path(&self, program: Program) -> PathBuf {
        self.0.join(program.name())
    }

    fn lacking(&self, programs: &[Program]) -> Vec<&'static str> {
        let lacking = programs.iter().filter(|program| !self.path(**program).is_file());
        lacking.map(|program| program.name()).collect()
    }
}

/// Where helm is, or what else lies beside the programs of a control plane: other people's folders have none, so that
/// ours is looked at too. None where it is in neither.
///
/// # Errors
/// If the files that say where ours is can't be read.
pub fn beside(name: &str) -> io::Result<Option<PathBuf>> {
    let folders = named().into_iter().chain(built()?);
    Ok(folders.map(|folder| folder.join(name)).find(|path| path.exists()))
}

/// The files that define the kinds of a group, as others publish them; none, and a word about it, where they are not
/// here.
///
/// # Errors
/// As [`beside`].
pub fn definitions_of(group: &str) -> io::Result<Option<Vec<PathBuf>>> {
    let Some(folder) = beside(DEFINITIONS)? else { return Ok(None) };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&format!("{group}_")) {
            files.push(entry.path());
        }
    }
    Ok((!files.is_empty()).then_some(files))
}

fn named() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn built() -> io::Result<Option<PathBuf>> {
    cache_folder(&checkout(), NEWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files in it.
    fn folder(programs: &[Program]) -> (tempfile::TempDir, Assets) {
        let folder = tempfile::tempdir().unwrap();
        for program in programs {
            std::fs::write(folder.path().join(program.name()), "").unwrap();
        }
        let assets = Assets(folder.path().to_owned());
        (folder, assets)
    }

    #[test]
    fn a_folder_without_controllers_will_do_for_a_control_plane_without_them() {
        let (_folder, assets) = folder(&[Program::Etcd, Program::ApiServer, Program::Kubectl]);
        assert_eq!(assets.lacking(Program::of(Controllers::Absent)), Vec::<&str>::new());
        assert_eq!(assets.lacking(Program::of(Controllers::Running)), ["kube-controller-manager"]);
    }

    #[test]
    fn what_a_named_folder_lacks_is_told_with_the_folder() {
        let fault = Unavailable::Lacking { folder: "/opt/envtest".into(), lacking: vec!["etcd", "kubectl"] };
        assert!(fault.to_string().starts_with("KUBEBUILDER_ASSETS=/opt/envtest has no etcd, no kubectl: "), "{fault}");
    }
}
