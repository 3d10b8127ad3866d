//! `cargo xtask demo`: builds the binary and runs `portreeve demo` on the manifests of this checkout.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cargo::{cargo, exit_code, program, root, status, target_folder};
use crate::error::XtaskError;

/// The exit code is that of the demo, or of the build if that fails. It is built as the tests build it, with the same
/// features by naming the same packages and a benchmark: their artefacts are shared, what has to be fast is optimised
/// there too, and a release build of everything would take minutes more.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode, XtaskError> {
    let built =
        status(cargo().args(["build", "--locked", "--workspace", "--bin", "portreeve", "--bench", "admission"]))?;
    if !built.success() {
        return Ok(exit_code(built));
    }
    let mut demo = program(&target_folder()?.join("debug").join("portreeve").into_os_string());
    demo.args(["demo", "--platforms"]).arg(root().join("tests").join("platforms")).args(arguments);
    status(&mut demo).map(exit_code)
}
