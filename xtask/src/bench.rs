//! `cargo xtask bench`: builds the released binary and measures admission with it, in one run.

use std::process::ExitCode;

use crate::cargo::{cargo, exit_code, status, target_folder};
use crate::error::XtaskError;

const BENCH: [&str; 2] = ["--bench", "admission"];

/// The exit code is that of the first step that fails. The binary is found by asking cargo where it puts things.
pub(crate) fn run() -> Result<ExitCode, XtaskError> {
    // Both steps name the same packages and a benchmark, or features would differ and wasmtime be built twice.
    let built = status(
        cargo().args(["build", "--locked", "--release", "--workspace"]).args(["--bin", "portreeve"]).args(BENCH),
    )?;
    if !built.success() {
        return Ok(exit_code(built));
    }
    let mut bench = cargo();
    bench.args(["bench", "--locked", "--workspace"]).args(BENCH);
    bench.env("PORTREEVE", target_folder()?.join("release").join("portreeve"));
    status(&mut bench).map(exit_code)
}
