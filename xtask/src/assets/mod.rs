//! `cargo xtask assets`: fills the folder with the programs that the tests start beside our own, where it is not full
//! already. What comes out of Debian's packages is had in `debian`, what Go builds from pinned sources in `go`. Which
//! tests use them, and how, is not known here.

mod debian;
mod go;
#[allow(unreachable_pub, reason = "the tests read this file too")]
#[path = "../../../tests/control-plane/src/control_plane/place.rs"]
mod place;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::cargo::root;
use crate::error::XtaskError;

pub(crate) use self::place::NEWEST;

/// The variable that names the programs' folder, by the convention of envtest.
pub(crate) const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// A way to come by programs.
struct Source {
    name: &'static str,
    programs: &'static [&'static str],
    /// Whether they are no part of a control plane: then tests look into our own folder too, whatever the variable
    /// names.
    beside: bool,
    /// Whether what it takes is here.
    is_there: fn() -> bool,
    /// How to get that.
    remedy: &'static str,
    fill: fn(&Place) -> Result<(), XtaskError>,
}

/// A folder to fill, and the release of Kubernetes whose programs it is for.
struct Place {
    folder: PathBuf,
    release: String,
}

/// The folder, with all in it that can be had here.
pub(crate) struct Made {
    /// Where it is.
    pub(crate) folder: PathBuf,
    /// What it lacks.
    pub(crate) lacking: Vec<Lacking>,
}

/// A program that could not be had, because a tool is not here.
pub(crate) struct Lacking {
    /// The name of its file.
    pub(crate) program: &'static str,
    /// How to get it.
    pub(crate) remedy: &'static str,
}

impl Made {
    /// That it lacks nothing.
    pub(crate) fn whole(self) -> Result<Self, XtaskError> {
        match self.lacking.first() {
            None => Ok(self),
            Some(Lacking { program, remedy }) => Err(XtaskError::Assets(format!("there is no {program}: {remedy}"))),
        }
    }
}

const SOURCES: [Source; 5] = [
    Source {
        name: "etcd",
        programs: &["etcd"],
        beside: false,
        is_there: debian::is_there,
        remedy: debian::REMEDY,
        fill: |place| debian::fetch(&place::ETCD, &place.folder),
    },
    Source {
        name: "promtool",
        programs: &["promtool"],
        beside: true,
        is_there: debian::is_there,
        remedy: debian::REMEDY,
        fill: |place| debian::fetch(&place::PROMTOOL, &place.folder),
    },
    Source {
        name: "Kubernetes",
        programs: &go::COMMANDS,
        beside: false,
        is_there: go::is_there,
        remedy: go::REMEDY,
        fill: |place| go::build_kubernetes(&place::pin(&root(), &place.release), &place.folder),
    },
    Source {
        name: "helm",
        programs: &["helm"],
        beside: true,
        is_there: go::is_there,
        remedy: go::REMEDY,
        fill: |place| go::install(place::HELM, &place.folder),
    },
    Source {
        name: "definitions",
        programs: &["definitions"],
        beside: true,
        is_there: go::is_there,
        remedy: go::REMEDY,
        fill: |place| go::definitions(&place.folder.join(place::DEFINITIONS)),
    },
];

/// Fills the folder and prints where it is. What is lacking fails, since it was asked for.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, XtaskError> {
    let Made { folder, lacking } = named_or_made(&release(arguments)?)?;
    println!("export {ASSETS}={}", folder.display());
    for Lacking { program, remedy } in &lacking {
        println!("it has no {program}: {remedy}");
    }
    Ok(if lacking.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The release that `--kubernetes` names, else the newest.
fn release(arguments: &[OsString]) -> Result<String, XtaskError> {
    match arguments {
        [] => Ok(NEWEST.to_owned()),
        [flag, release] if flag == "--kubernetes" => Ok(release.to_string_lossy().into_owned()),
        _ => Err(XtaskError::Usage(crate::USAGE)),
    }
}

/// The folder that the variable names, filled where it is empty and else left as somebody made it; the cache's where it
/// names none.
pub(crate) fn named_or_made(release: &str) -> Result<Made, XtaskError> {
    let Some(folder) = std::env::var_os(ASSETS).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return make(release);
    };
    if is_empty(&folder) {
        return fill(Place { folder, release: release.to_owned() });
    }
    let remedy = "KUBEBUILDER_ASSETS names a folder of somebody else's; `cargo xtask assets` fills an empty one";
    let ours = cache_folder(release)?;
    let is_there = |source: &Source, program: &str| {
        folder.join(program).exists() || (source.beside && ours.join(program).exists())
    };
    let programs = SOURCES.iter().flat_map(|source| source.programs.iter().map(move |program| (source, program)));
    let lacking = programs.filter(|(source, program)| !is_there(source, program)).map(|(_, program)| program);
    let lacking: Vec<Lacking> = lacking.map(|program| Lacking { program, remedy }).collect();
    Ok(Made { folder, lacking })
}

/// The cache's folder for a release.
pub(crate) fn make(release: &str) -> Result<Made, XtaskError> {
    fill(Place { folder: cache_folder(release)?, release: release.to_owned() })
}

fn cache_folder(release: &str) -> Result<PathBuf, XtaskError> {
    match place::cache_folder(&root(), release) {
        Ok(Some(folder)) => Ok(folder),
        Ok(None) => Err(XtaskError::Assets("neither XDG_CACHE_HOME nor HOME says where caches are".to_owned())),
        Err(error) => Err(XtaskError::Read { path: place::pin(&root(), release), error }),
    }
}

/// A folder that is not there is empty.
fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// A source whose tool is missing is passed over; one that fails ends it.
fn fill(place: Place) -> Result<Made, XtaskError> {
    std::fs::create_dir_all(&place.folder).map_err(|error| XtaskError::Write { path: place.folder.clone(), error })?;
    let mut lacking = Vec::new();
    for source in &SOURCES {
        let is_full = source.programs.iter().all(|program| place.folder.join(program).exists());
        if is_full {
            continue;
        }
        if (source.is_there)() {
            step(source.name, || (source.fill)(&place))?;
        } else {
            lacking.extend(source.programs.iter().map(|program| Lacking { program, remedy: source.remedy }));
        }
    }
    Ok(Made { folder: place.folder, lacking })
}

fn step(name: &str, work: impl FnOnce() -> Result<(), XtaskError>) -> Result<(), XtaskError> {
    println!("{name} …");
    let began = Instant::now();
    work()?;
    println!("{name}: done in {:.1} s", began.elapsed().as_secs_f32());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_somebody_filled_is_not_empty_and_one_that_is_not_there_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_empty(&folder.path().join("nowhere")));
        assert!(is_empty(folder.path()));
        std::fs::write(folder.path().join("etcd"), "").unwrap();
        assert!(!is_empty(folder.path()));
    }
}
