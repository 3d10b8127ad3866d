//! The way to an API server: by the service account of the pod that we run in, or by a kubeconfig. Nobody is asked
//! anything here, but for who we are.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::client::ClientBuilder;
use kube::config::{InClusterError, InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Api, Client, Config};

use crate::deadline::Deadline;

/// Service accounts are users with names that begin so.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// The way to an API server.
#[derive(Clone)]
pub struct Connection {
    /// Who asks it.
    pub client: Client,
    /// The namespace of the service account, or the one that the kubeconfig names.
    pub namespace: String,
}

/// An API server that there is no way to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The kubeconfig is none.
    #[error("{path}: this kubeconfig leads to no API server", path = .path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<KubeconfigError>,
    },
    /// No service account is mounted.
    #[error("no service account leads to an API server; outside of a cluster, name a kubeconfig")]
    NotInCluster(#[source] Box<InClusterError>),
    /// Neither of the two.
    #[error("neither a kubeconfig nor a service account leads to an API server")]
    Nowhere(#[source] Box<InferConfigError>),
    /// A client can't be made: a certificate or a key that is none, as a rule.
    #[error("no client of the API server can be made")]
    Client(#[source] Box<kube::Error>),
}

impl Connection {
    /// By this kubeconfig, else by the service account of the pod that we run in.
    ///
    /// # Errors
    /// If neither leads anywhere. Whether the API server answers is not asked.
    pub async fn of_server(kubeconfig: Option<&Path>) -> Result<Self, ConnectionError> {
        let config = match kubeconfig {
            Some(path) => named(path).await?,
            None => Config::incluster().map_err(|source| ConnectionError::NotInCluster(Box::new(source)))?,
        };
        Self::by(config)
    }

    /// By this kubeconfig, else by the one that kubectl would take.
    ///
    /// # Errors
    /// As [`Connection::of_server`].
    pub async fn of_user(kubeconfig: Option<&Path>) -> Result<Self, ConnectionError> {
        let config = match kubeconfig {
            Some(path) => named(path).await?,
            None => Config::infer().await.map_err(|source| ConnectionError::Nowhere(Box::new(source)))?,
        };
        Self::by(config)
    }

    fn by(config: Config) -> Result<Self, ConnectionError> {
        let namespace = config.default_namespace.clone();
        let builder = ClientBuilder::try_from(config).map_err(|source| ConnectionError::Client(Box::new(source)))?;
        Ok(Self { client: builder.with_layer(&Deadline).build(), namespace })
    }

    /// Our own user, if that is a service account: what it does is nobody else's doing.
    ///
    /// # Errors
    /// If the API server does not answer.
    pub async fn service_account(&self) -> Result<Option<String>, kube::Error> {
        let reviews = Api::<SelfSubjectReview>::all(self.client.clone());
        let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
        let name = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
        Ok(name.filter(|name| name.starts_with(SERVICE_ACCOUNT)))
    }
}

async fn named(path: &Path) -> Result<Config, ConnectionError> {
    let unusable = |source| ConnectionError::Kubeconfig { path: path.to_owned(), source: Box::new(source) };
    let kubeconfig = Kubeconfig::read_from(path).map_err(unusable)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(unusable)
}
