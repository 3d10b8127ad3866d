//! `cargo xtask assets`: fills the folder with the programs of a control plane that the cluster tests start, where it is
//! not full already. etcd comes out of Debian's package, the Kubernetes commands and helm are built by Go from pinned
//! sources. Which tests use them, and how, is not known here.

#[allow(unreachable_pub, reason = "the tests read this file too")]
#[path = "../../tests/control-plane/src/control_plane/place.rs"]
mod place;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::cargo::{output, program, root, status};
use crate::error::XtaskError;

pub(crate) use self::place::NEWEST;

/// The Kubernetes commands, by the name of their files.
const COMMANDS: [&str; 3] = ["kube-apiserver", "kube-controller-manager", "kubectl"];
/// helm, as `go install` takes it.
const HELM: &str = "helm.sh/helm/v4/cmd/helm@v4.3.1";
/// Where the Kubernetes commands keep the version that they say they are.
const VERSION: &str = "k8s.io/component-base/version";

/// Fills the folder and prints where it is.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, XtaskError> {
    let folder = make(&release(arguments)?)?;
    println!("export KUBEBUILDER_ASSETS={}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// The release that `--kubernetes` names, else the newest.
fn release(arguments: &[OsString]) -> Result<String, XtaskError> {
    match arguments {
        [] => Ok(NEWEST.to_owned()),
        [flag, release] if flag == "--kubernetes" => Ok(release.to_string_lossy().into_owned()),
        _ => Err(XtaskError::Usage(crate::USAGE)),
    }
}

/// The folder for a release, full.
pub(crate) fn make(release: &str) -> Result<PathBuf, XtaskError> {
    let folder = folder(release)?;
    let lacks = |name: &&str| !folder.join(name).is_file();
    if COMMANDS.iter().any(lacks) {
        output(go().arg("version")).map_err(|_| no_go())?;
    }
    std::fs::create_dir_all(&folder).map_err(|error| XtaskError::Write { path: folder.clone(), error })?;
    if lacks(&"etcd") {
        step("etcd", || fetch_etcd(&folder))?;
    }
    if COMMANDS.iter().any(lacks) {
        step("Kubernetes", || build_kubernetes(&place::pin(&root(), release), &folder))?;
    }
    if lacks(&"helm") {
        step("helm", || install_helm(&folder))?;
    }
    Ok(folder)
}

fn folder(release: &str) -> Result<PathBuf, XtaskError> {
    match place::cache_folder(&root(), release) {
        Ok(Some(folder)) => Ok(folder),
        Ok(None) => Err(XtaskError::Assets("neither XDG_CACHE_HOME nor HOME says where caches are".to_owned())),
        Err(error) => Err(XtaskError::Read { path: place::pin(&root(), release), error }),
    }
}

fn step(name: &str, work: impl FnOnce() -> Result<(), XtaskError>) -> Result<(), XtaskError> {
    println!("{name} …");
    let began = Instant::now();
    work()?;
    println!("{name}: done in {:.1} s", began.elapsed().as_secs_f32());
    Ok(())
}

/// Out of the package, without installing it.
fn fetch_etcd(folder: &Path) -> Result<(), XtaskError> {
    let unpacked = folder.join("etcd-server");
    let write = |error| XtaskError::Write { path: unpacked.clone(), error };
    std::fs::create_dir_all(&unpacked).map_err(write)?;
    let advice = |_| {
        let text =
            "there is no Debian package of etcd to be had (`apt-get update` may help); put an etcd of 3.4 or later";
        XtaskError::Assets(format!("{text} into {}", folder.display()))
    };
    output(program(&"apt-get".into()).args(["download", "etcd-server"]).current_dir(&unpacked)).map_err(advice)?;
    let packages = std::fs::read_dir(&unpacked).map_err(write)?.filter_map(|entry| Some(entry.ok()?.path()));
    for package in packages.filter(|path| path.extension().is_some_and(|kind| kind == "deb")) {
        output(program(&"dpkg".into()).arg("-x").arg(package).arg(&unpacked)).map_err(advice)?;
    }
    std::fs::rename(unpacked.join("usr/bin/etcd"), folder.join("etcd")).map_err(write)?;
    std::fs::remove_dir_all(&unpacked).map_err(write)
}

fn build_kubernetes(pin: &Path, folder: &Path) -> Result<(), XtaskError> {
    let version = pinned_version(pin)?;
    let (major, minor) = version.trim_start_matches('v').split_once('.').unwrap_or_default();
    let minor = minor.split('.').next().unwrap_or_default();
    let said = [("gitVersion", version.as_str()), ("gitMajor", major), ("gitMinor", minor)];
    let said: String = said.iter().map(|(name, value)| format!(" -X {VERSION}.{name}={value}")).collect();
    let mut build = go();
    build.current_dir(pin).args(["build", "-mod=readonly", "-trimpath", "-ldflags", &format!("-s -w{said}"), "-o"]);
    build.arg(folder).args(COMMANDS.map(|name| format!("k8s.io/kubernetes/cmd/{name}")));
    run_go(&mut build)
}

/// The version of Kubernetes in `go.mod`.
fn pinned_version(pin: &Path) -> Result<String, XtaskError> {
    let mut list = go();
    list.current_dir(pin).args(["list", "-mod=readonly", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"]);
    Ok(output(&mut list)?.trim().to_owned())
}

fn install_helm(folder: &Path) -> Result<(), XtaskError> {
    run_go(go().args(["install", "-trimpath", "-ldflags", "-s -w", HELM]).env("GOBIN", folder))
}

fn run_go(command: &mut Command) -> Result<(), XtaskError> {
    if status(command)?.success() {
        Ok(())
    } else {
        Err(XtaskError::Assets("go could not build it; what it said stands above".to_owned()))
    }
}

fn no_go() -> XtaskError {
    let text = "they are built with Go 1.26 or later (https://go.dev/dl), which is not here; install it, or let \
                KUBEBUILDER_ASSETS name a folder with etcd, kube-apiserver, kube-controller-manager and kubectl";
    XtaskError::Assets(text.to_owned())
}

fn go() -> Command {
    let mut go = program(&"go".into());
    // The commands' version is said by hand, and this checkout's commit is nothing that they should say.
    go.env("GOFLAGS", "-buildvcs=false");
    go
}
