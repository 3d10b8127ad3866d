//! The static program: cargo is asked for it, and says what it compiled. What else is in the image is not known here.
//!
//! It is linked against the C library of the machine that builds, for the very target that build scripts run on: there
//! the policies that ship are compiled ahead of time (`policies/builtin/build.rs`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use super::error::ImageError;
use crate::cargo::{cargo, output, program};
use crate::error::XtaskError;

/// Links every library in, the C library too. Not by `RUSTFLAGS`, which a developer may have set for himself.
const FLAGS: (&str, &str) = ("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
/// Backtraces keep the names of functions, and lose their lines for a third of the size.
const STRIPPED: &str = "profile.release.strip=\"debuginfo\"";

/// What cargo built.
#[derive(Debug)]
pub(super) struct Built {
    /// The program.
    pub(super) program: PathBuf,
    /// The ids of the packages whose code was compiled for the target, as `cargo metadata` has them.
    pub(super) compiled: BTreeSet<String>,
}

/// One line of cargo's JSON output, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

/// The target that this machine builds for when nothing else is said.
pub(super) fn host() -> Result<String, ImageError> {
    let version = output(program(&std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"))?;
    let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
    let triple = triple.ok_or_else(|| ImageError::Unreadable { program: "rustc", printed: version.clone() })?;
    if triple.contains("-linux-") {
        Ok(triple.to_owned())
    } else {
        Err(ImageError::NotLinux { triple: triple.to_owned() })
    }
}

/// Builds it, in the release profile. The target is named, or its flags would go to build scripts and macros too.
pub(super) fn build(triple: &str) -> Result<Built, ImageError> {
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "portreeve", "--bin", "portreeve"]);
    build.args(["--target", triple, "--config", STRIPPED, "--message-format=json-render-diagnostics"]);
    build.env(FLAGS.0, FLAGS.1).stderr(Stdio::inherit());
    let done = build.output().map_err(|error| XtaskError::Start { program: "cargo build".to_owned(), error })?;
    if done.status.success() { read(&String::from_utf8_lossy(&done.stdout), triple) } else { Err(ImageError::Build) }
}

fn read(messages: &str, triple: &str) -> Result<Built, ImageError> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let mut built = (None, BTreeSet::new());
    for message in messages.filter(|message| message.reason == "compiler-artifact") {
        if message.filenames.iter().any(|file| is_for(triple, file)) {
            built.0 = message.executable.or(built.0);
            built.1.insert(message.package_id);
        }
    }
    let program = built.0.ok_or(ImageError::NoProgram)?;
    Ok(Built { program, compiled: built.1 })
}

/// What is for the target lies under its name; what build scripts and macros need lies beside it.
fn is_for(triple: &str, file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == triple)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"{"reason":"compiler-artifact","package_id":"a","filenames":["/t/x86_64-linux/release/deps/liba.rlib"],"executable":null}
{"reason":"build-script-executed","package_id":"b"}
{"reason":"compiler-artifact","package_id":"macros","filenames":["/t/release/deps/libmacros.so"],"executable":null}
{"reason":"compiler-artifact","package_id":"p","filenames":["/t/x86_64-linux/release/p"],"executable":"/t/x86_64-linux/release/p"}
{"reason":"build-finished","success":true}"#;

    #[test]
    fn what_is_compiled_for_the_build_alone_is_not_in_the_program() {
        let built = read(MESSAGES, "x86_64-linux").unwrap();
        assert_eq!(built.program, Path::new("/t/x86_64-linux/release/p"));
        assert_eq!(built.compiled, BTreeSet::from(["a".to_owned(), "p".to_owned()]));
    }

    #[test]
    fn a_build_without_a_program_is_an_error() {
        assert!(matches!(read("", "x86_64-linux"), Err(ImageError::NoProgram)));
    }
}
