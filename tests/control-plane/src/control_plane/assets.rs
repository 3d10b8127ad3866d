//! The programs of a control plane: the folder in `KUBEBUILDER_ASSETS`, by the convention of envtest, else what
//! `cargo xtask assets` has built.

use std::path::{Path, PathBuf};

use super::place::{NEWEST, cache_folder};
use crate::Fault;
use crate::checkout;

/// The variable that names the folder.
const VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// A program of the control plane, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    ApiServer,
    /// What makes ReplicaSets of Deployments and Pods of those, and takes away what nobody owns.
    ControllerManager,
    /// What people use.
    Kubectl,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::Kubectl];

    /// The name of its file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
        }
    }
}

/// A folder that has them all.
#[derive(Debug, Clone)]
pub struct Assets(PathBuf);

impl Assets {
    /// The folder; none where nothing names one and none was built.
    ///
    /// # Errors
    /// If the folder that is named lacks a program.
    pub fn find() -> Result<Option<Self>, Fault> {
        if let Some(named) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            let assets = Self(named.into());
            return match assets.lacking() {
                None => Ok(Some(assets)),
                Some(program) => Err(format!("{VARIABLE}={} has no {}", assets.0.display(), program.name()).into()),
            };
        }
        let built = cache_folder(&checkout(), NEWEST)?.map(Self);
        Ok(built.filter(|assets| assets.lacking().is_none()))
    }

    /// Where a program is.
    #[must_use]
    pub fn path(&self, program: Program) -> PathBuf {
        self.folder().join(program.name())
    }

    /// Where helm is, if it was built with them: other people's folders have none.
    #[must_use]
    pub fn helm(&self) -> PathBuf {
        self.folder().join("helm")
    }

    fn folder(&self) -> &Path {
        &self.0
    }

    fn lacking(&self) -> Option<Program> {
        Program::ALL.into_iter().find(|program| !self.path(*program).is_file())
    }
}
