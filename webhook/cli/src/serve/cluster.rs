//! A server in its cluster: what is seen there is told to the server, and what only one replica may do is done by the
//! leader. Each part is in its own file; here they are begun in the order in which they need each other, and ended.

mod around;
mod authorities;
mod certificates;
mod events;
mod examiner;
mod outcome;
mod registration;
mod resources;
mod scan;
mod survey;

use std::sync::Arc;
use std::time::Duration;

use portreeve_cluster::connection::{Connection, ConnectionError};
use portreeve_cluster::election::{Candidate, Standing, Times, while_leading};
use portreeve_cluster::events::{EventLimits, channel};
use portreeve_cluster::report::Reporter;
use portreeve_server::around::{Around, Cluster, Seen};
use portreeve_server::config::{KubernetesConfig, PoliciesFrom, ScanConfig, ServerConfig};
use portreeve_server::proposal::Doctor;
use portreeve_server::serve::{Origin, Outside, Parts, Running, StartError, start_with};
use portreeve_server::traces::Traces;
use portreeve_server::witness::Witness;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use certificates::Shared;
use events::Notes;
use examiner::Examiner;
use registration::Registered;
pub(crate) use registration::certificates_behind;
use resources::Reporting;
pub(crate) use resources::sources_of;
use survey::Surveyor;

/// How long a start waits in all for what the API server has to tell. A replica that restarts while it is away serves
/// what it knew.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a start that failed for our resources tries to say so in their statuses. A lease that a lost replica left
/// ends meanwhile.
const LAST_WORDS: Duration = Duration::from_secs(25);

/// A server that can't start in its cluster.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClusterError {
    #[error("kubernetes")]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Certificates(#[from] certificates::CertificateError),
    #[error(transparent)]
    Registration(#[from] registration::RegistrationError),
    #[error(transparent)]
    Start(#[from] StartError),
}

impl ClusterError {
    /// Whether the configuration, or a file that it names, is at fault. The policies of a cluster are no files.
    pub(super) fn is_input(&self) -> bool {
        let Self::Start(start) = self else { return false };
        start.is_input() && !matches!(start, StartError::Policies(_) | StartError::LastGood { .. })
    }
}

/// What ties a server to its cluster, until it is untied.
pub(super) struct Tie {
    tasks: JoinSet<()>,
    standing: watch::Receiver<Standing>,
    /// None when it ended by itself.
    election: Option<JoinHandle<()>>,
}

/// Starts a server that is told of its cluster.
pub(super) async fn start(
    mut config: ServerConfig,
    kubernetes: &KubernetesConfig,
    traces: Option<Arc<Traces>>,
) -> Result<(Running, Tie), ClusterError> {
    let connection = connect(kubernetes).await?;
    // Wherever it was found: no policy sees it.
    config.kubernetes = Some(KubernetesConfig { namespace: Some(connection.namespace.clone()), ..kubernetes.clone() });
    let mut tie = Tie::stand(&connection, kubernetes, &config.replica);
    let registered = Registered::read(kubernetes, &config, &connection)?;
    let (config, registered) = match Shared::of(kubernetes, &config)? {
        Some(shared) => {
            let renewed = shared.begin(&connection, &mut tie).await?;
            (shared.served(config), registered.map(|registered| registered.renewed_by(renewed)))
        }
        None => (config, registered),
    };
    let state = config.state.as_ref().map(|state| state.folder.as_path());
    let around = around::begin(&connection, state, &mut tie);
    let mut patience = Patience(PATIENCE);
    let (origin, reporting) = origin(kubernetes, &connection, &config.replica, &mut patience, &mut tie).await;
    let witness = kubernetes.events.then(|| told(&connection, &config.replica, &mut tie));
    let seen: Arc<dyn Cluster> = Arc::<Seen>::clone(&around.seen);
    let surveyor = Surveyor::new(connection.clone(), Arc::clone(&around.seen));
    let doctor =
        registered.as_ref().map(|_| Examiner::of(&config, kubernetes, &connection, &around.seen)).transpose()?;
    let doctor = doctor.map(|doctor| -> Arc<dyn Doctor> { Arc::new(doctor) });
    let outside = Outside { origin, around: Around::Cluster(seen), witness, traces, doctor };
    let running = match start_with(config, outside).await {
        Ok(running) => running,
        Err(error) => return Err(give_up(error, reporting, tie).await.into()),
    };
    around.ready(&running.parts, &mut patience, &mut tie).await;
    let duties = Duties { reporting, scan: kubernetes.scan.clone(), registered, surveyor };
    duties.take_up(&connection, &running.parts, &mut tie);
    Ok((running, tie))
}

/// Unties a server that can't start. Where that is for our resources their statuses say so first: nobody else may be
/// there who could, and whoever wrote them does not read our log.
async fn give_up(error: StartError, reporting: Option<Reporting>, tie: Tie) -> StartError {
    if let (StartError::Policies(_) | StartError::LastGood { .. }, Some(reporting)) = (&error, reporting)
        && timeout(LAST_WORDS, reporting.tell_once(tie.standing())).await.is_err()
    {
        tracing::warn!("no status says why the start failed: another replica leads, or the API server does not answer");
    }
    tie.end().await;
    error
}

/// Where policies come from, and who tells what became of them.
async fn origin(
    kubernetes: &KubernetesConfig,
    connection: &Connection,
    replica: &str,
    patience: &mut Patience,
    tie: &mut Tie,
) -> (Origin, Option<Reporting>) {
    match kubernetes.policies {
        PoliciesFrom::Files => (Origin::Files, None),
        PoliciesFrom::Resources => {
            let reporter = Reporter::new(connection.client.clone());
            let reporter = if kubernetes.events { reporter.with_events(replica) } else { reporter };
            let (told, reporting) = resources::begin(connection, reporter, patience, tie).await;
            (Origin::Told(told), Some(reporting))
        }
    }
}

/// How much longer a start waits. What it does in between takes nothing from it.
struct Patience(Duration);

impl Patience {
    /// Waits for this as long as there is patience left; whether it came.
    async fn wait_for<T>(&mut self, awaited: impl Future<Output = T>) -> bool {
        let begun = Instant::now();
        let came = timeout(self.0, awaited).await.is_ok();
        self.0 = self.0.saturating_sub(begun.elapsed());
        came
    }
}

/// What the leader does beside its certificates, as far as it is asked for.
struct Duties {
    reporting: Option<Reporting>,
    scan: Option<ScanConfig>,
    registered: Option<Registered>,
    surveyor: Surveyor,
}

impl Duties {
    fn take_up(self, connection: &Connection, parts: &Arc<Parts>, tie: &mut Tie) {
        if let Some(reporting) = self.reporting {
            tie.spawn(while_leading(tie.standing(), async move || reporting.keep().await));
        }
        if let Some(config) = self.scan {
            let (tell, sought) = watch::channel(None);
            let mut scanner = scan::scanner(connection, parts, &config, sought);
            tie.spawn(scan::seek(self.surveyor.clone(), Arc::clone(parts), tell));
            tie.spawn(while_leading(tie.standing(), async move || scanner.run().await));
        }
        if let Some(registered) = self.registered {
            let (connection, surveyor, parts) = (connection.clone(), self.surveyor, Arc::clone(parts));
            let keep = async move || registered.keep(&connection, &surveyor, &parts).await;
            tie.spawn(while_leading(tie.standing(), keep));
        }
    }
}

/// Somebody who writes events about what he is told.
fn told(connection: &Connection, replica: &str, tie: &mut Tie) -> Arc<dyn Witness> {
    let (sender, writer) = channel(connection.client.clone(), replica, &EventLimits::default());
    tie.spawn(writer.run());
    Arc::new(Notes(sender))
}

/// By the configured way, in the configured namespace.
async fn connect(kubernetes: &KubernetesConfig) -> Result<Connection, ConnectionError> {
    let connection = Connection::of_server(kubernetes.kubeconfig.as_deref()).await?;
    let own = KubernetesConfig::own_namespace(Some(kubernetes));
    Ok(Connection { namespace: own.unwrap_or(connection.namespace), ..connection })
}

impl Tie {
    /// Stands for election.
    fn stand(connection: &Connection, kubernetes: &KubernetesConfig, replica: &str) -> Self {
        let Connection { client, namespace } = connection;
        let candidate = Candidate::new(client.clone(), namespace, &kubernetes.lease, replica, Times::default());
        let (tell, standing) = watch::channel(Standing::default());
        let election = tokio::spawn(async move { candidate.stand(tell).await });
        Self { tasks: JoinSet::new(), standing, election: Some(election) }
    }

    /// Does this until the end.
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Whether we lead.
    fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Waits for a task that is lost: it panicked, and what it did nobody does any more. Others may come to their end.
    pub(super) async fn lost(&mut self) -> JoinError {
        loop {
            let ended = tokio::select! {
                Some(ended) = self.tasks.join_next() => ended,
                ended = ended(&mut self.election) => ended,
            };
            if let Err(error) = ended
                && error.is_panic()
            {
                return error;
            }
        }
    }

    /// Ends all of it, and gives the lease back.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
        drop(self.standing);
        if let Some(election) = self.election
            && let Err(error) = election.await
        {
            tracing::error!(%error, "the lease ends by itself");
        }
    }
}

/// The end of a task that may have been seen already; then never.
async fn ended(task: &mut Option<JoinHandle<()>>) -> Result<(), JoinError> {
    let Some(running) = task else { return std::future::pending().await };
    let ended = running.await;
    *task = None;
    ended
}

/// A panic of a task that another one looks after is its own.
fn pass_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn tie() -> Tie {
        let (_tell, standing) = watch::channel(Standing::default());
        Tie { tasks: JoinSet::new(), standing, election: Some(tokio::spawn(pending())) }
    }

    #[tokio::test]
    async fn a_task_that_panics_is_noticed_and_one_that_ends_is_not() {
        let mut tie = tie();
        tie.spawn(async {});
        tie.spawn(pending());
        tie.spawn(async { panic!("out of its mind") });
        assert!(tie.lost().await.is_panic());
    }

    #[tokio::test]
    async fn patience_is_spent_once_and_what_is_there_is_seen_without() {
        let mut patience = Patience(Duration::from_millis(1));
        assert!(!patience.wait_for(pending::<()>()).await);
        assert_eq!(patience.0, Duration::ZERO);
        assert!(patience.wait_for(async {}).await && !patience.wait_for(pending::<()>()).await);
    }

    #[tokio::test]
    async fn an_election_that_panics_is_noticed() {
        let mut tie = tie();
        tie.election = Some(tokio::spawn(async { panic!("out of its mind") }));
        assert!(tie.lost().await.is_panic());
    }
}
