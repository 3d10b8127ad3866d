//! Running cargo and its kin. What is run and why is the commands' to know.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use crate::error::XtaskError;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The cargo that runs this, in the workspace's folder.
pub(crate) fn cargo() -> Command {
    program(&std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program, in the workspace's folder. What `cargo run` told this one of its own package is kept from it: build
/// scripts that look at it would run again each time.
pub(crate) fn program(name: &OsString) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    for (variable, _) in std::env::vars_os() {
        let ours = |prefix: &str| variable.to_string_lossy().starts_with(prefix);
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| ours(prefix)) {
            command.env_remove(&variable);
        }
    }
    command
}

/// Runs it to its end; its output goes where ours goes.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, XtaskError> {
    command.status().map_err(|error| XtaskError::Start { program: name(command), error })
}

/// Runs it to its end and gives what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, XtaskError> {
    let output = command.output().map_err(|error| XtaskError::Start { program: name(command), error })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(XtaskError::Failed { program: name(command), complaint })
    }
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> Result<PathBuf, XtaskError> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    Ok(serde_json::from_str::<Metadata>(&metadata)?.target_directory)
}

/// The exit code to pass on; a program that a signal ended has none, and counts as failed.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args().take(2));
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
