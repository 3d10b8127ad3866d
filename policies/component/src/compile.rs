//! The call of cargo: from a crate's directory to the path of its core module.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;

use crate::{BuildError, PROFILE, TARGET};

/// What an outer cargo sets for its own target and its own tools, and what would change the module.
const NOT_INHERITED: [&str; 9] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];

/// Compiles the crate and answers where its module is.
pub(crate) fn module(package_dir: &Path, target_dir: &Path) -> Result<PathBuf, BuildError> {
    require_target()?;
    let manifest = package_dir.join("Cargo.toml");
    let mut cargo = tool("CARGO", "cargo");
    cargo.args(["build", "--lib", "--message-format=json-render-diagnostics", "--profile", PROFILE]);
    cargo.args(["--target", TARGET, "--manifest-path"]).arg(&manifest).arg("--target-dir").arg(target_dir);
    let output = run(cargo)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(BuildError::Compile { package_dir: package_dir.to_owned(), stderr });
    }
    last_module(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| BuildError::NoModule { package_dir: package_dir.to_owned() })
}

/// Cargo itself would say "can't find crate for `core`", once for every dependency.
fn require_target() -> Result<(), BuildError> {
    let mut rustc = tool("RUSTC", "rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let looked_in = PathBuf::from(String::from_utf8_lossy(&run(rustc)?.stdout).trim());
    if looked_in.is_dir() { Ok(()) } else { Err(BuildError::NoTarget { looked_in }) }
}

/// One line of cargo's JSON output, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Cargo reports artifacts in the order of building, so that the crate that was asked for comes last.
fn last_module(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .flat_map(|message| message.filenames)
        .rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

/// The tool that an outer cargo names, or the one on the path.
fn tool(variable: &str, default: &str) -> Command {
    let mut command = Command::new(std::env::var_os(variable).unwrap_or_else(|| OsString::from(default)));
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    command
}

fn run(mut command: Command) -> Result<Output, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.output().map_err(|source| BuildError::NotRun { program, source })
}
