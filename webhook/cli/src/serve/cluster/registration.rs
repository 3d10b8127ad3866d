//! The registration, kept by the leader: worked out from the set in force and what the API server serves, examined for
//! what it would hold up, and written with the certificates and the token that replicas serve with.

use std::error::Error;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portreeve_certs::{CertificateFolder, FolderContents, FolderError};
use portreeve_cluster::connection::Connection;
use portreeve_cluster::discovery::DiscoveryError;
use portreeve_cluster::registrar::{Lacking, Registrar, Target, Trouble};
use portreeve_cluster::registration::doctor::{Certificates, Finding, Surroundings, examine, fit};
use portreeve_cluster::registration::{Endpoint, Registration, Site};
use portreeve_server::config::{
    CallersConfig, KubernetesConfig, RegistrationConfig, ServedAt, ServerConfig, TlsConfig,
};
use portreeve_server::health::{Health, KEPT_BY_THE_LEADER, Part, State};
use portreeve_server::metrics::Metrics;
use portreeve_server::serve::Parts;
use portreeve_server::set::{PolicySet, chain};
use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::authorities::Authorities;
use super::survey::Surveyor;

/// How often it is looked whether certificates, namespaces, or the kinds that are served, are others than they were.
const LOOK: Duration = Duration::from_secs(10);

/// After a failure, this long until the next attempt.
const RETRY: Duration = Duration::from_secs(2);

/// Where we are registered, and with what.
pub(super) struct Registered {
    name: String,
    endpoint: Endpoint,
    authorities: Authorities,
    tokens: Option<CertificateFolder>,
    certificates: Certificates,
    /// Told whenever there are other certificates; none where nobody tells.
    renewed: Option<watch::Receiver<FolderContents>>,
}

/// Who is asked what has to be registered.
struct Scene<'s> {
    connection: &'s Connection,
    surveyor: &'s Surveyor,
    parts: &'s Parts,
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
    #[error("it is not worked out yet what the policies in force ask for")]
    NotWorkedOut,
    #[error("there is no token yet")]
    NoToken,
    #[error("the reading of the token was cut short")]
    CutShort(#[from] JoinError),
    #[error("the API server did not tell of its namespaces yet")]
    NoNamespaces,
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error("it would hold up what the cluster comes back by: {0}")]
    Dangerous(String),
    #[error("what namespaces ask of themselves is not registered where it would hold up what others come back by: {0}")]
    LeftOut(String),
}

impl Unready {
    /// Whether it is not known where we are reached.
    fn is_of_the_site(&self) -> bool {
        matches!(self, Self::Authorities { .. } | Self::Token(_) | Self::NoToken | Self::CutShort(_))
    }
}

/// What the policies ask for, and what of it was left out.
type Asked = Result<(Registration, Option<Unready>), Unready>;

/// Who makes the certificate that we serve: a file that names its CA is a controller's, in the cluster.
pub(crate) fn certificates_behind(kubernetes: &KubernetesConfig) -> Certificates {
    match &kubernetes.registration {
        Some(RegistrationConfig { ca_file: Some(_), .. }) => Certificates::InCluster,
        _ => Certificates::Own,
    }
}

impl Registered {
    /// As the configuration says; none where somebody else registers us.
    pub(super) fn read(
        kubernetes: &KubernetesConfig,
        config: &ServerConfig,
        connection: &Connection,
    ) -> Result<Option<Self>, RegistrationError> {
        let Some(registration) = &kubernetes.registration else { return Ok(None) };
        let RegistrationConfig { name, at, ca_file, .. } = registration;
        let endpoint = match at {
            ServedAt::Url { url } => Endpoint::Url(url.clone()),
            ServedAt::Service { service, port } => Endpoint::Service {
                namespace: connection.namespace.clone(),
                name: service.clone(),
                port: i32::from(*port),
            },
        };
        let authorities = match (ca_file, &config.tls) {
            (Some(file), _) => file.clone(),
            (None, TlsConfig::Own { folder, .. }) => CertificateFolder::new(folder).bundle(),
            (None, TlsConfig::Files { .. }) => return Err(RegistrationError::NoAuthorities),
        };
        // A replica may find its files as much later as it waits then, and all that takes a moment.
        let overlap = registration.patience().unwrap_or_default().saturating_mul(3);
        let authorities = Authorities::new(authorities, overlap);
        let certificates = certificates_behind(kubernetes);
        let tokens = match &config.callers {
            CallersConfig::Token { token_folder } => Some(CertificateFolder::new(token_folder)),
            CallersConfig::Certificates { .. } => None,
        };
        Ok(Some(Self { name: name.clone(), endpoint, authorities, tokens, certificates, renewed: None }))
    }

    /// The same, looked at again whenever other certificates are told of.
    pub(super) fn renewed_by(self, certificates: watch::Receiver<FolderContents>) -> Self {
        Self { renewed: Some(certificates), ..self }
    }

    /// Keeps it in the cluster for as long as it is let run. What is known is written and put back while it is asked
    /// what else there is.
    pub(super) async fn keep(&self, connection: &Connection, surveyor: &Surveyor, parts: &Parts) {
        let scene = &Scene { connection, surveyor, parts };
        let shown = Shown { health: &parts.health, metrics: &parts.metrics };
        let (first, unready) = self.first(scene, &shown).await;
        let wanted = watch::Sender::new(first);
        let (tell, trouble) = watch::channel(None);
        let (say, unready) = watch::channel(unready);
        let registrar = Registrar::new(connection.client.clone());
        let asked = |set: Arc<PolicySet>| async move { self.asked(scene, &set).await };
        tokio::select! {
            () = registrar.keep(wanted.subscribe(), tell) => {}
            () = self.look_after(parts.sets.subscribe(), asked, &wanted, say) => {}
            () = shown.follow(unready, trouble) => {}
        }
    }

    /// What has to be registered at first: where we are reached, as soon as that is known, with what policies ask for
    /// if that is known soon; and what has to wait.
    async fn first(&self, scene: &Scene<'_>, shown: &Shown<'_>) -> (Target, Option<Unready>) {
        let site = loop {
            match self.site().await {
                Ok(site) => break site,
                Err(error) => shown.nothing_written(&error),
            }
            sleep(RETRY).await;
        };
        let set = scene.parts.sets.borrow().clone();
        let asked = timeout(RETRY, self.asked(scene, &set)).await;
        let (registration, unready) = sorted(asked.unwrap_or(Err(Unready::NotWorkedOut)));
        (Target { registration, site }, unready)
    }

    /// Looks what has to be registered, again whenever that may be something else, and says what of it has to wait.
    async fn look_after<A: Future<Output = Asked>>(
        &self,
        mut sets: watch::Receiver<Arc<PolicySet>>,
        asked: impl Fn(Arc<PolicySet>) -> A,
        wanted: &watch::Sender<Target>,
        say: watch::Sender<Option<Unready>>,
    ) {
        let mut renewed = self.renewed.clone();
        loop {
            let begun = Instant::now();
            let set = sets.borrow_and_update().clone();
            let unready = tokio::select! {
                unready = self.look(wanted, asked(set)) => unready,
                () = self.other_certificates(renewed.as_mut()) => continue,
            };
            let next_look = begun + if unready.is_some() { RETRY } else { LOOK };
            say.send_replace(unready);
            tokio::select! {
                changed = sets.changed() => if changed.is_err() { return },
                () = self.other_certificates(renewed.as_mut()) => {}
                () = sleep_until(next_look) => {}
            }
        }
    }

    /// Sends what has to be registered now: where we are reached at once, and what the policies ask for when it is
    /// known. Returns what has to wait, and why.
    async fn look(&self, wanted: &watch::Sender<Target>, asked: impl Future<Output = Asked>) -> Option<Unready> {
        let site = match self.site().await {
            Ok(site) => site,
            Err(error) => return Some(error),
        };
        let registration = wanted.borrow().registration.clone();
        send(wanted, Target { registration, site: site.clone() });
        let (registration, unready) = sorted(asked.await);
        send(wanted, Target { registration, site });
        unready
    }

    /// Waits until there may be other certificates.
    async fn other_certificates(&self, renewed: Option<&mut watch::Receiver<FolderContents>>) {
        tokio::select! {
            () = other(renewed) => {}
            () = self.authorities.change() => {}
        }
    }

    async fn asked(&self, scene: &Scene<'_>, set: &PolicySet) -> Asked {
        let Scene { connection, surveyor, parts } = scene;
        let survey = surveyor.survey(parts, set).await?;
        let there = surveyor.namespaces().ok_or(Unready::NoNamespaces)?;
        let surroundings = Surroundings {
            own_namespace: Some(&connection.namespace),
            namespaces: &there,
            certificates: self.certificates,
        };
        let told = |found: &[Finding]| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let (registration, left_out) =
            fit(&survey.demand(parts, set), &surroundings).map_err(|found| Unready::Dangerous(told(&found)))?;
        examine(&registration, &surroundings).iter().for_each(|finding| tracing::debug!("{finding}"));
        let left_out = (!left_out.is_empty()).then(|| Unready::LeftOut(told(&left_out)));
        Ok((registration, left_out))
    }

    async fn site(&self) -> Result<Site, Unready> {
        let unreadable = |source| Unready::Authorities { path: self.authorities.path().clone(), source };
        let ca_bundle = self.authorities.bundle().await.map_err(unreadable)?;
        let token = match self.tokens.clone() {
            // Calls are answered on this thread: files are read on one that may wait.
            Some(folder) => Some(spawn_blocking(move || token(&folder)).await??),
            None => None,
        };
        Ok(Site { name: self.name.clone(), endpoint: self.endpoint.clone(), ca_bundle, token })
    }
}

/// What is to be registered, and what has to wait.
fn sorted(asked: Asked) -> (Option<Registration>, Option<Unready>) {
    match asked {
        Ok((registration, left_out)) => (Some(registration), left_out),
        Err(unready) => (None, Some(unready)),
    }
}

fn token(folder: &CertificateFolder) -> Result<String, Unready> {
    Ok(folder.contents()?.token().ok_or(Unready::NoToken)?.to_owned())
}

/// Sends it if it is another than before.
fn send(wanted: &watch::Sender<Target>, now: Target) {
    wanted.send_if_modified(|before| {
        let changed = *before != now;
        *before = now;
        changed
    });
}

/// Waits until others are told of; for ever where nobody tells.
async fn other(renewed: Option<&mut watch::Receiver<FolderContents>>) {
    if let Some(renewed) = renewed
        && renewed.changed().await.is_ok()
    {
        return;
    }
    pending().await
}

/// Shows how the registration is, for as long as we keep it.
struct Shown<'p> {
    health: &'p Health,
    metrics: &'p Metrics,
}

impl Shown<'_> {
    /// Shows it as soon as anything is known of it: what became of the first writing, or what was found by a look.
    async fn follow(&self, mut unready: watch::Receiver<Option<Unready>>, mut trouble: watch::Receiver<Trouble>) {
        loop {
            tokio::select! {
                changed = unready.changed() => if changed.is_err() { return },
                changed = trouble.changed() => if changed.is_err() { return },
            }
            self.show(unready.borrow_and_update().as_ref(), &trouble.borrow_and_update());
        }
    }

    fn show(&self, unready: Option<&Unready>, trouble: &Trouble) {
        match (unready, trouble) {
            (_, Some(Lacking::All(error))) => self.nothing_written(error.as_ref()),
            (Some(unready), _) if unready.is_of_the_site() => self.nothing_written(unready),
            (Some(left_out @ Unready::LeftOut(_)), None) => self.trouble(chain(left_out)),
            (Some(Unready::LeftOut(_)) | None, Some(Lacking::Asked(error))) => self.policies_wait(error.as_ref()),
            (Some(unready), _) => self.policies_wait(unready),
            (None, None) => {
                self.health.set(Part::Registration, State::Good("as the policies in force ask for".to_owned()));
                self.metrics.registration_outdated(false);
            }
        }
    }

    /// Where we are reached is registered all the same, with the rules of before, if there are any.
    fn policies_wait(&self, error: &dyn Error) {
        self.trouble(format!("rules stay as they were, if any, reached by the newest CA and token: {}", chain(error)));
    }

    fn nothing_written(&self, error: &dyn Error) {
        self.trouble(format!("nothing is written, neither rules nor a newer CA and token: {}", chain(error)));
    }

    fn trouble(&self, text: String) {
        self.metrics.registration_outdated(true);
        if self.health.set(Part::Registration, State::Kept(text.clone())) {
            tracing::warn!("{text}");
        }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.health.set(Part::Registration, State::Good(KEPT_BY_THE_LEADER.to_owned()));
        self.metrics.registration_outdated(false);
    }
}

#[cfg(test)]
mod tests;
