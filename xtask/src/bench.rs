//! `cargo xtask bench`: builds the released binary and measures admission with it, in one run, by itself or behind a
//! real API server.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::assets::{self, ASSETS};
use crate::cargo::{cargo, exit_code, status, target_folder};
use crate::error::XtaskError;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bench {
    /// The server by itself.
    Admission,
    /// The server behind a real API server.
    Cluster,
}

/// The exit code is that of the first step that fails. The binary is found by asking cargo where it puts things.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, XtaskError> {
    let asked = Bench::asked_for(arguments)?;
    let name = ["--bench", asked.name()];
    // Both steps name the same packages and a benchmark, or features would differ and wasmtime be built twice.
    let mut build = cargo();
    build.args(["build", "--locked", "--release", "--workspace", "--bin", "portreeve"]).args(name);
    let built = status(&mut build)?;
    if !built.success() {
        return Ok(exit_code(built));
    }
    let mut bench = cargo();
    bench.args(["bench", "--locked", "--workspace"]).args(name);
    bench.env("PORTREEVE", target_folder()?.join("release").join("portreeve"));
    if asked == Bench::Cluster {
        bench.env(ASSETS, assets::named_or_made(assets::NEWEST)?.folder);
    }
    status(&mut bench).map(exit_code)
}

impl Bench {
    fn asked_for(arguments: &[OsString]) -> Result<Self, XtaskError> {
        match arguments {
            [] => Ok(Self::Admission),
            [part] if part == "cluster" => Ok(Self::Cluster),
            _ => Err(XtaskError::Usage(crate::USAGE)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Admission => "admission",
            Self::Cluster => "cluster",
        }
    }
}
