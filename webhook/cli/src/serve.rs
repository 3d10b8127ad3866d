//! `portreeve serve`: starts the webhook, waits for the order to stop, stops it in order.

mod cluster;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portreeve_server::config::ServerConfig;
use portreeve_server::serve::{LostError, Outside, Running, StartError, start_with};
use portreeve_server::set::chain;
use portreeve_server::traces::{Traces, TracesError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinError;

use cluster::{ClusterError, Tie};
pub(crate) use cluster::{certificates_behind, sources_of};

use crate::outcome::{Failure, Outcome};
use crate::output::print_text;
use crate::runtime::{run_to_its_end, runtime};

/// How long what still runs is waited for once all is in order: a proof of the book, a compilation, a file that is
/// written. Nobody asks for what comes of it any more, and whoever ordered the stop kills what does not end.
const LAST_WORK: Duration = Duration::from_secs(3);

/// Runs the webhook.
///
/// Serves /mutate and /validate over TLS, and /livez, /readyz and /metrics beside them, until SIGTERM or SIGINT; then
/// finishes what it accepted and closes the book. Certificates and policy files are taken up when they change.
///
/// Exit codes: 0 stopped in order; 1 could not start or stop, as for a port that is taken; 2 the configuration, or a
/// file that it names, can't be used: policies, a certificate, a lock file.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve serve --config server.yaml
  portreeve serve --config server.yaml --log info --log-format json

The least a configuration says (`portreeve config schema` has the rest):
  tls: {folder: tls, names: [portreeve.portreeve.svc]}
  callers: {tokenFolder: tls}")]
pub(crate) struct Arguments {
    /// The server's configuration; relative paths in it start from its folder.
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("the server could not start")]
    Start(#[source] StartError),
    #[error("the server could not start in its cluster")]
    StartInCluster(#[source] ClusterError),
    #[error("traces can't be sent as it is configured")]
    Traces(#[source] TracesError),
    #[error("the order to stop can't be waited for")]
    Signal(#[source] std::io::Error),
    #[error("a part of the server is lost; it stops, to be started again")]
    Lost(#[source] LostError),
    #[error("a part of what ties the server to its cluster is lost; it stops, to be started again")]
    TieLost(#[source] JoinError),
    #[error("the book could not be closed in order")]
    Stop(#[source] portreeve_ledger::Failure),
}

/// Serves; `log` starts logging, with those who listen beside it.
pub(crate) fn run(
    arguments: &Arguments,
    log: impl FnOnce(Option<&Traces>) -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    let config = ServerConfig::read(&arguments.config).map_err(Failure::input)?;
    run_to_its_end(runtime()?, LAST_WORK, async {
        let traces = traces(&config)?;
        log(traces.as_deref())?;
        serve(config, traces).await
    })
}

/// Who follows requests, if that is configured.
fn traces(config: &ServerConfig) -> Result<Option<Arc<Traces>>, Failure> {
    let open = |traces| Traces::open(traces, config).map(Arc::new);
    config.traces.as_ref().map(open).transpose().map_err(|error| Failure::failed(ServeError::Traces(error)))
}

async fn serve(config: ServerConfig, traces: Option<Arc<Traces>>) -> Result<Outcome, Failure> {
    let failed = |source| Failure::failed(ServeError::Signal(source));
    // Before the start, so that an order that comes during it is not lost.
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let ordered = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::pin!(ordered);
    let (mut running, mut tie) = tokio::select! {
        begun = begin(config, traces) => begun?,
        () = &mut ordered => {
            tracing::info!("stopped before it was ready");
            return Ok(Outcome::Fine);
        }
    };
    print_text(&ready(&running))?;
    let lost = tokio::select! {
        () = &mut ordered => None,
        lost = running.lost() => Some(ServeError::Lost(lost)),
        lost = lost(tie.as_mut()) => Some(ServeError::TieLost(lost)),
    };
    // What comes of the stop may hide it.
    lost.iter().for_each(|lost| tracing::error!("{}", chain(lost)));
    tracing::info!("stopping: what was accepted is finished first");
    let stopped = running.stop().await;
    if let Some(tie) = tie {
        tie.end().await;
    }
    stopped.map_err(|error| Failure::failed(ServeError::Stop(error)))?;
    lost.map_or(Ok(Outcome::Fine), |lost| Err(Failure::failed(lost)))
}

/// Waits for a part of the tie to the cluster that is lost; for ever where there is none.
async fn lost(tie: Option<&mut Tie>) -> JoinError {
    match tie {
        Some(tie) => tie.lost().await,
        None => std::future::pending().await,
    }
}

/// Starts the server, in its cluster if it has one.
async fn begin(config: ServerConfig, traces: Option<Arc<Traces>>) -> Result<(Running, Option<Tie>), Failure> {
    let Some(kubernetes) = config.kubernetes.clone() else {
        let started = start_with(config, Outside { traces, ..Outside::default() }).await;
        let failed = |error: StartError| Failure::input_if(error.is_input(), ServeError::Start(error));
        return Ok((started.map_err(failed)?, None));
    };
    let started = cluster::start(config, &kubernetes, traces).await;
    let failed = |error: ClusterError| Failure::input_if(error.is_input(), ServeError::StartInCluster(error));
    let (running, tie) = started.map_err(failed)?;
    Ok((running, Some(tie)))
}

/// Where it listens. The token of the path is a secret and is not shown: `portreeve certs token` does.
fn ready(running: &Running) -> String {
    let set = running.parts.gate.set.load();
    format!(
        "portreeve is ready\n  webhook     https://{}/mutate, /validate\n  operations  http://{}/livez, /readyz, /metrics\n  \
         policies    {} in force, set {}\n",
        running.webhook,
        running.operations,
        set.policies().len(),
        set.digest()
    )
}
