//! `cargo xtask test-cluster`: the tests against a real API server, on control planes of a given release, or on a
//! cluster that a kubeconfig leads to.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::assets::{self, ASSETS};
use crate::cargo::{cargo, exit_code, status};
use crate::error::XtaskError;

/// The variable that the tests read the kubeconfig's place from.
const KUBECONFIG: &str = "PORTREEVE_TEST_KUBECONFIG";

/// Where the tests run.
enum Cluster {
    /// On control planes of this release.
    Own(String),
    /// On the folder's programs that the variable names already.
    Named,
    /// On a cluster that is there.
    Given(PathBuf),
}

/// The exit code is that of the tests.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, XtaskError> {
    let cluster = Cluster::asked_for(arguments)?;
    // The same packages as all tests, or features would differ and much be built twice.
    let mut test = cargo();
    test.args(["test", "--locked", "--workspace", "--no-fail-fast", "--test", "cluster", "--test", "in_cluster"]);
    test.args(["--", "--show-output"]);
    match cluster {
        Cluster::Named => {
            test.env(ASSETS, assets::named_or_made(assets::NEWEST)?.folder);
        }
        Cluster::Own(release) => {
            test.env(ASSETS, assets::make(&release)?.whole()?.folder);
        }
        Cluster::Given(kubeconfig) => {
            // One cluster can have one registration at a time.
            test.env(KUBECONFIG, kubeconfig).arg("--test-threads=1");
        }
    }
    status(&mut test).map(exit_code)
}

impl Cluster {
    fn asked_for(arguments: &[OsString]) -> Result<Self, XtaskError> {
        match arguments {
            [] if std::env::var_os(ASSETS).is_some() => Ok(Self::Named),
            [] => Ok(Self::Own(assets::NEWEST.to_owned())),
            [flag, release] if flag == "--kubernetes" => Ok(Self::Own(release.to_string_lossy().into_owned())),
            [flag, path] if flag == "--kubeconfig" => {
                let path = PathBuf::from(path);
                let absolute = path.canonicalize().map_err(|error| XtaskError::Read { path, error })?;
                Ok(Self::Given(absolute))
            }
            _ => Err(XtaskError::Usage(crate::USAGE)),
        }
    }
}
