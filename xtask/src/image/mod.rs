//! `cargo xtask image`: makes the image of the server without a container engine, and looks whether it is what it
//! should be. The `Dockerfile` copies the same tree, which this command lays in its builder. What is done stands here,
//! in order; how, in the modules.

mod alone;
mod bill;
mod build;
mod cage;
mod checks;
mod closure;
mod error;
mod layout;
mod names;
mod packages;
mod system;
mod tree;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) use self::error::ImageError;

use self::checks::Finding;
use crate::cargo::target_folder;
use crate::error::XtaskError;

/// In the folder of an image: the tree, and the layout that is made of it.
const TREE: &str = "root";
const LAYOUT: &str = "oci";

/// Makes the image and checks it; the exit code is 1 if anything is wrong.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, XtaskError> {
    Ok(make(&empty(arguments)?)?)
}

fn make(folder: &Path) -> Result<ExitCode, ImageError> {
    let triple = build::host()?;
    let built = build::build(&triple)?;
    let packages = packages::packages()?;
    let bill = bill::bill(&built.program, &closure::closure(&triple)?, &packages, &system::parts()?)?;
    let (tree, layout) = (folder.join(TREE), folder.join(LAYOUT));
    tree::lay(&tree, &built.program, &bill)?;
    let digest = layout::write(&tree, &layout)?;
    println!("tree    {}\nlayout  {}\ndigest  {digest}", tree.display(), layout.display());
    let mut findings = checks::files(&tree)?;
    findings.extend(checks::bill(&tree, &built, &packages)?);
    findings.extend(alone::run(&tree)?);
    Ok(told(&findings))
}

fn told(findings: &[Finding]) -> ExitCode {
    for Finding(text) in findings {
        println!("{text}");
    }
    if findings.is_empty() {
        println!("checked: linked statically, run alone as its user, billed crate by crate; nothing is wrong");
        return ExitCode::SUCCESS;
    }
    println!("{} things are wrong with the image", findings.len());
    ExitCode::FAILURE
}

/// The folder that is asked for, if nothing is in it; else our own, with nothing in it any more.
fn empty(arguments: &[OsString]) -> Result<PathBuf, XtaskError> {
    let folder = match arguments {
        [] => target_folder()?.join("image"),
        [flag, folder] if flag == "--to" => std::path::absolute(folder).unwrap_or_else(|_| folder.into()),
        _ => return Err(XtaskError::Usage(crate::USAGE)),
    };
    let absent = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    match std::fs::read_dir(&folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(folder),
        Ok(false) if arguments.is_empty() => match std::fs::remove_dir_all(&folder) {
            Ok(()) => Ok(folder),
            Err(error) => Err(XtaskError::Write { path: folder, error }),
        },
        Ok(false) => Err(ImageError::NotEmpty { folder }.into()),
        Err(error) if absent(&error) => Ok(folder),
        Err(error) => Err(XtaskError::Read { path: folder, error }),
    }
}
