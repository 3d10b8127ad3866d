//! `cargo xtask pages`: writes the pages of the policies. The test that asks whether they are current does it, so that
//! there is one way to make them.

use std::process::ExitCode;

use crate::cargo::{cargo, exit_code, status};
use crate::error::XtaskError;

/// The exit code is that of the test. It is built as all tests are: their artefacts are shared.
pub(crate) fn run() -> Result<ExitCode, XtaskError> {
    let mut test = cargo();
    test.args(["test", "--locked", "--workspace", "--bin", "portreeve", "--", "pages_are_current"]);
    status(test.env("PORTREEVE_WRITE_PAGES", "1")).map(exit_code)
}
