//! Gathers what stands beside the code of the policies that ship, pages and cases, for `src/shipped.rs` to embed.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const CATALOGUE: &str = "../../policies/catalogue";

fn main() -> ExitCode {
    match gather() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Cargo shows what a build script that fails has written.
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn gather() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={CATALOGUE}");
    let mut list = String::from("&[\n");
    for policy in inside(Path::new(CATALOGUE))? {
        let page = policy.join("policy.yaml");
        if page.is_file() {
            writeln!(list, "Shipped {{ page: {}, cases: &[", embedded(&page)?)?;
            for file in cases(&policy)? {
                let name = file.strip_prefix(CATALOGUE)?.display().to_string();
                writeln!(list, "({name:?}, {}),", embedded(&file)?)?;
            }
            list.push_str("] },\n");
        }
    }
    list.push(']');
    let to = PathBuf::from(std::env::var("OUT_DIR")?).join("shipped.rs");
    Ok(std::fs::write(to, list)?)
}

fn cases(policy: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = policy.join("cases");
    let mut files = if folder.is_dir() { inside(&folder)? } else { Vec::new() };
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    Ok(files)
}

/// What a folder holds, in the order of the names.
fn inside(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

fn embedded(file: &Path) -> io::Result<String> {
    Ok(format!("include_str!({:?})", file.canonicalize()?))
}
