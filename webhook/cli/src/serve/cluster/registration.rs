//! The registration, kept by the leader: worked out from the set in force and what the API server serves, examined for what
//! it would hold up, and written with the certificates and the token that replicas serve with.

use std::path::PathBuf;
use std::time::Duration;

use portreeve_certs::{CertificateFolder, FolderError};
use portreeve_cluster::connection::Connection;
use portreeve_cluster::discovery::DiscoveryError;
use portreeve_cluster::registrar::Registrar;
use portreeve_cluster::registration::doctor::{Advice, Certificates, Surroundings, examine};
use portreeve_cluster::registration::{Configurations, Endpoint, Registration, Site};
use portreeve_server::config::{
    CallersConfig, KubernetesConfig, RegistrationConfig, ServedAt, ServerConfig, TlsConfig,
};
use portreeve_server::serve::Parts;
use portreeve_server::set::{PolicySet, chain};
use tokio::sync::watch;
use tokio::time::sleep;

use super::survey::Surveyor;

/// How often it is looked whether certificates, namespaces, or the kinds that are served, are others than they were.
const LOOK: Duration = Duration::from_secs(10);

/// After a failure, this long until the next attempt.
const RETRY: Duration = Duration::from_secs(2);

/// Where we are registered, and with what.
pub(super) struct Registered {
    name: String,
    endpoint: Endpoint,
    authorities: PathBuf,
    tokens: Option<CertificateFolder>,
    certificates: Certificates,
}

/// A registration that can't be made.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum RegistrationError {
    #[error(
        "kubernetes.registration.caFile is needed: the certificate is not our own, and the API server has to trust it"
    )]
    NoAuthorities,
}

/// A registration that can't be worked out now.
#[derive(Debug, thiserror::Error)]
enum Unready {
    #[error("the CA in {} can't be read", .path.display())]
    Authorities { path: PathBuf, source: std::io::Error },
    #[error("the token can't be read")]
    Token(#[from] FolderError),
    #[error("there is no token yet")]
    NoToken,
    #[error("the API server did not tell of its namespaces yet")]
    NoNamespaces,
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error("it would hold up what the cluster comes back by: {0}")]
    Dangerous(String),
}

impl Registered {
    /// As the configuration says; none where somebody else registers us.
    pub(super) fn read(
        kubernetes: &KubernetesConfig,
        config: &ServerConfig,
        connection: &Connection,
    ) -> Result<Option<Self>, RegistrationError> {
        let Some(RegistrationConfig { name, at, ca_file }) = &kubernetes.registration else { return Ok(None) };
        let endpoint = match at {
            ServedAt::Url { url } => Endpoint::Url(url.clone()),
            ServedAt::Service { service, port } => Endpoint::Service {
                namespace: connection.namespace.clone(),
                name: service.clone(),
                port: i32::from(*port),
            },
        };
        let (authorities, certificates) = match (ca_file, &config.tls) {
            (Some(file), _) => (file.clone(), Certificates::InCluster),
            (None, TlsConfig::Own { folder, .. }) => (CertificateFolder::new(folder).bundle(), Certificates::Own),
            (None, TlsConfig::Files { .. }) => return Err(RegistrationError::NoAuthorities),
        };
        let tokens = match &config.callers {
            CallersConfig::Token { token_folder } => Some(CertificateFolder::new(token_folder)),
            CallersConfig::Certificates { .. } => None,
        };
        Ok(Some(Self { name: name.clone(), endpoint, authorities, tokens, certificates }))
    }

    /// Keeps it in the cluster for as long as it is let run.
    pub(super) async fn keep(&self, connection: &Connection, surveyor: &Surveyor, parts: &Parts) {
        let mut sets = parts.sets.subscribe();
        let mut troubles = Troubles::default();
        let first = loop {
            let set = sets.borrow_and_update().clone();
            match self.wanted(connection, surveyor, parts, &set).await {
                Ok(configurations) => break configurations,
                Err(error) => troubles.tell(&error, "nothing is registered yet"),
            }
            sleep(RETRY).await;
        };
        let wanted = watch::Sender::new(first);
        let registrar = Registrar::new(connection.client.clone());
        let kept = registrar.keep(wanted.subscribe());
        tokio::pin!(kept);
        loop {
            tokio::select! {
                () = &mut kept => return,
                changed = sets.changed() => if changed.is_err() { return },
                () = sleep(LOOK) => {}
            }
            let set = sets.borrow_and_update().clone();
            match self.wanted(connection, surveyor, parts, &set).await {
                Ok(now) => {
                    troubles = Troubles::default();
                    wanted.send_if_modified(|before| {
                        let changed = *before != now;
                        *before = now;
                        changed
                    });
                }
                Err(error) => troubles.tell(&error, "the registration stays as it is"),
            }
        }
    }

    /// What has to be registered now.
    async fn wanted(
        &self,
        connection: &Connection,
        surveyor: &Surveyor,
        parts: &Parts,
        set: &PolicySet,
    ) -> Result<Configurations, Unready> {
        let site = self.site()?;
        let survey = surveyor.survey(parts, set).await?;
        let registration = Registration::of(&survey.demand(parts, set));
        let there = surveyor.namespaces().ok_or(Unready::NoNamespaces)?;
        let surroundings = Surroundings {
            own_namespace: Some(&connection.namespace),
            namespaces: &there,
            certificates: self.certificates,
        };
        let (vital, others): (Vec<_>, Vec<_>) = examine(&registration, &surroundings)
            .into_iter()
            .partition(|finding| finding.advice(self.certificates) == Advice::Refuse);
        others.iter().for_each(|finding| tracing::debug!("{finding}"));
        if !vital.is_empty() {
            return Err(Unready::Dangerous(vital.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")));
        }
        Ok(registration.at(&site))
    }

    fn site(&self) -> Result<Site, Unready> {
        let unreadable = |source| Unready::Authorities { path: self.authorities.clone(), source };
        let ca_bundle = std::fs::read(&self.authorities).map_err(unreadable)?;
        let token = match &self.tokens {
            Some(folder) => Some(folder.contents()?.token().ok_or(Unready::NoToken)?.to_owned()),
            None => None,
        };
        Ok(Site { name: self.name.clone(), endpoint: self.endpoint.clone(), ca_bundle, token })
    }
}

/// What stood in the way last: it is told once.
#[derive(Default)]
struct Troubles(String);

impl Troubles {
    fn tell(&mut self, error: &Unready, meanwhile: &str) {
        let text = chain(error);
        if self.0 != text {
            tracing::warn!("{meanwhile}: {text}");
            self.0 = text;
        }
    }
}
