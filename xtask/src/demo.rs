//! `cargo xtask demo`: builds the binary and runs `portreeve demo` on the manifests of this checkout.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cargo::{cargo, exit_code, root, status};
use crate::error::XtaskError;

/// The exit code is that of the demo, or of the build if that fails. It is built as the tests build it: their artefacts
/// are shared, what has to be fast is optimised there too, and a release build of everything would take minutes more.
pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode, XtaskError> {
    let mut demo = cargo();
    demo.args(["run", "--locked", "--package", "portreeve", "--", "demo", "--platforms"]);
    demo.arg(root().join("tests").join("platforms")).args(arguments);
    status(&mut demo).map(exit_code)
}
