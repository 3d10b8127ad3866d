//! Which programs a control plane is made of. Where they are is told in `assets`.

use super::Controllers;

/// A program of the control plane, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    ApiServer,
    /// What people use.
    Kubectl,
    /// What makes ReplicaSets of Deployments and Pods of those, and takes away what nobody owns.
    ControllerManager,
}

impl Program {
    /// What a control plane with such controllers takes, and kubectl.
    #[must_use]
    pub fn of(controllers: Controllers) -> &'static [Self] {
        match controllers {
            Controllers::Absent => &[Self::Etcd, Self::ApiServer, Self::Kubectl],
            Controllers::Running => &[Self::Etcd, Self::ApiServer, Self::Kubectl, Self::ControllerManager],
        }
    }

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
