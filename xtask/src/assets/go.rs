//! What Go has from pinned sources: the Kubernetes commands and helm, which it builds, and the definitions that
//! others publish, which lie in their modules.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::{Defined, defined};
use crate::cargo::{output, program, status};
use crate::error::XtaskError;

/// The Kubernetes commands, by the name of their files.
pub(super) const COMMANDS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kubectl"];
/// How to get them where there is no Go.
pub(super) const REMEDY: &str = "it is built with Go 1.26 or later (https://go.dev/dl), which is not here";
/// Where the Kubernetes commands keep the version that they say they are.
const VERSION: &str = "k8s.io/component-base/version";

/// Whether there is a Go.
pub(super) fn is_there() -> bool {
    output(go().arg("version")).is_ok()
}

/// Builds the Kubernetes commands into a folder.
pub(super) fn build_kubernetes(pin: &Path, folder: &Path) -> Result<(), XtaskError> {
    let version = pinned_version(pin)?;
    let (major, minor) = version.trim_start_matches('v').split_once('.').unwrap_or_default();
    let minor = minor.split('.').next().unwrap_or_default();
    let said = [("gitVersion", version.as_str()), ("gitMajor", major), ("gitMinor", minor)];
    let said: String = said.iter().map(|(name, value)| format!(" -X {VERSION}.{name}={value}")).collect();
    let mut build = go();
    build.current_dir(pin).args(["build", "-mod=readonly", "-trimpath", "-ldflags", &format!("-s -w{said}"), "-o"]);
    build.arg(folder).args(COMMANDS.map(|name| format!("k8s.io/kubernetes/cmd/{name}")));
    run(&mut build)
}

/// Builds the program of a module, as `go install` takes it, into a folder.
pub(super) fn install(module: &str, folder: &Path) -> Result<(), XtaskError> {
    run(go().args(["install", "-trimpath", "-ldflags", "-s -w", module]).env("GOBIN", folder))
}

/// Puts the definitions that others publish into a folder, which is there when all of them are.
pub(super) fn definitions(folder: &Path) -> Result<(), XtaskError> {
    let unfinished = folder.with_extension("unfinished");
    let write = |error| XtaskError::Write { path: unfinished.clone(), error };
    std::fs::create_dir_all(&unfinished).map_err(write)?;
    for Defined { module, folder, files } in defined() {
        let source = downloaded(module)?.join(folder);
        for file in files {
            let text = std::fs::read(source.join(file))
                .map_err(|error| XtaskError::Read { path: source.join(file), error })?;
            std::fs::write(unfinished.join(file), text).map_err(write)?;
        }
    }
    std::fs::rename(&unfinished, folder).map_err(write)
}

/// Where Go keeps the sources of a module, which it looks up by its name and version and checks.
fn downloaded(module: &str) -> Result<PathBuf, XtaskError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Module {
        dir: PathBuf,
    }
    let said = output(go().args(["mod", "download", "-json", module]))?;
    let unreadable = |error| XtaskError::Assets(format!("go mod download {module}: {error}"));
    Ok(serde_json::from_str::<Module>(&said).map_err(unreadable)?.dir)
}

/// The version of Kubernetes in `go.mod`.
fn pinned_version(pin: &Path) -> Result<String, XtaskError> {
    let mut list = go();
    list.current_dir(pin).args(["list", "-mod=readonly", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"]);
    Ok(output(&mut list)?.trim().to_owned())
}

fn run(command: &mut Command) -> Result<(), XtaskError> {
    if status(command)?.success() {
        Ok(())
    } else {
        Err(XtaskError::Assets("go could not build it; what it said stands above".to_owned()))
    }
}

fn go() -> Command {
    let mut go = program(&"go".into());
    // The commands' version is said by hand, and this checkout's commit is nothing that they should say.
    go.env("GOFLAGS", "-buildvcs=false");
    go
}
