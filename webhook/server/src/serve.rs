//! A server, put together and run: parts are made from the configuration, then two listeners, a watch over files, and
//! an orderly end. What the parts do is in their own modules.

mod assemble;
mod break_glass;
mod compiled;
mod exceptions;
mod expected;
mod fingerprint;
mod ledger;
mod locked;
mod origin;
mod policies;
mod proof;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use futures_util::FutureExt as _;
use portreeve_certs::server_config;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinError, JoinSet};

pub use assemble::{Outside, Parts, StartError};
pub use origin::{Became, Origin, Refused, Told};

use crate::app::{operations, webhook};
use crate::config::ServerConfig;
use crate::door::Door;
use crate::health::{Part, State};
use crate::metrics::Port;

/// The most that is held of a connection's bytes before they are made use of, headers above all.
const HEADERS: usize = 64 << 10;

/// The most that is held of a body that comes by HTTP/2 before there is room for it.
const UNREAD_OF_BODY: u32 = 16 << 10;

/// The same of all bodies on one connection: so many may wait there that those which have room, and those that need
/// little, still come through.
const UNREAD: u32 = 1 << 20;

/// How long an accepted call may go on after the order to stop: no API server waits longer.
const LAST_CALLS: Duration = Duration::from_secs(30);

/// A server that runs, for as long as this is held.
pub struct Running {
    /// Where `/mutate` and `/validate` are.
    pub webhook: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub operations: SocketAddr,
    /// What it was put together from.
    pub parts: Arc<Parts>,
    handle: Handle<SocketAddr>,
    /// The listeners and the watches.
    tasks: JoinSet<io::Result<()>>,
    /// What is ended before the book is closed.
    watches: [AbortHandle; 5],
    stopped: oneshot::Receiver<()>,
}

/// A part of a running server that is lost: what it did nobody does any more.
#[derive(Debug, thiserror::Error)]
pub enum LostError {
    /// A listener takes no more connections.
    #[error("a listener ended")]
    Listener(#[source] io::Error),
    /// A task panicked.
    #[error(transparent)]
    Task(JoinError),
}

/// Starts a server. It is ready when this returns.
///
/// # Errors
/// Names the part that can't be had: a port that is taken, a folder, a certificate, a policy file.
pub async fn start(config: ServerConfig) -> Result<Running, StartError> {
    start_with(config, Outside::default()).await
}

/// The same with what comes from elsewhere than the configuration.
///
/// # Errors
/// As [`start`].
pub async fn start_with(config: ServerConfig, outside: Outside) -> Result<Running, StartError> {
    let parts = Arc::new(Parts::assemble(config, outside).await?);
    let tls = server_config(parts.certificate.clone(), parts.clients.clone())?;
    let webhook_listener = listen(parts.config.listen).await?;
    let operations_listener = listen(parts.config.operations).await?;
    let (webhook_at, operations_at) = (webhook_listener.0, operations_listener.0);

    let handle = Handle::new();
    let app = parts.app();
    let limits = &parts.config.limits.connections;
    let door = RustlsAcceptor::new(RustlsConfig::from_config(tls))
        .handshake_timeout(limits.handshake_seconds.duration())
        .acceptor(Door::new(limits, Port::Webhook, Arc::clone(&parts.metrics)));
    let mut server = axum_server::from_tcp(webhook_listener.1)
        .map_err(|source| StartError::Listen { at: webhook_at, source })?
        .acceptor(door)
        .handle(handle.clone());
    server.http_builder().http1().max_buf_size(HEADERS);
    server
        .http_builder()
        .http2()
        .max_concurrent_streams(limits.streams.get())
        .initial_stream_window_size(UNREAD_OF_BODY)
        .initial_connection_window_size(UNREAD);
    let served = server.serve(webhook(app.clone()).into_make_service());
    let (tell, stopped) = oneshot::channel();
    let looked_after = Arc::clone(&parts);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let ended = served.await;
        looked_after.health.set(Part::Serving, State::Down("stopped".to_owned()));
        // The receiver may be gone: nobody waits then.
        let _ = tell.send(());
        ended
    });
    let mut probes = axum_server::from_tcp(operations_listener.1)
        .map_err(|source| StartError::Listen { at: operations_at, source })?
        .acceptor(Door::new(limits, Port::Operations, Arc::clone(&parts.metrics)));
    probes.http_builder().http1().max_buf_size(HEADERS);
    tasks.spawn(probes.serve(operations(app).into_make_service()));
    let watches = [
        tasks.spawn(watch::watch(Arc::clone(&parts)).map(Ok)),
        tasks.spawn(policies::watch(Arc::clone(&parts)).map(Ok)),
        tasks.spawn(ledger::look_after(Arc::clone(&parts)).map(Ok)),
        tasks.spawn(proof::follow(Arc::clone(&parts)).map(Ok)),
        tasks.spawn(compiled::follow(Arc::clone(&parts)).map(Ok)),
    ];
    parts.health.set(Part::Serving, State::Good(format!("{webhook_at}")));
    Ok(Running { webhook: webhook_at, operations: operations_at, parts, handle, tasks, watches, stopped })
}

impl Running {
    /// Waits for a part that is lost. Without it the server may look well and do half of its work, so that it had
    /// better be stopped and started again. Others may come to their end.
    pub async fn lost(&mut self) -> LostError {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return LostError::Listener(error),
                Some(Err(error)) => return LostError::Task(error),
                None => std::future::pending().await,
            }
        }
    }

    /// Takes no more calls, finishes those that were accepted, closes the book, and sends what is left of traces.
    ///
    /// # Errors
    /// If the book could not be closed in order.
    pub async fn stop(mut self) -> Result<(), portreeve_ledger::Failure> {
        self.parts.health.set(Part::Serving, State::Down("shutting down".to_owned()));
        self.handle.graceful_shutdown(Some(LAST_CALLS));
        // An error says that the listener's task is gone, which is what is waited for.
        let _ = self.stopped.await;
        self.watches.iter().for_each(AbortHandle::abort);
        // Until the process ends it is told that it stops.
        self.tasks.detach_all();
        let parts = self.parts;
        let close = move || {
            let closed = parts.gate.book.ledger().map_or(Ok(()), |ledger| ledger.close());
            parts.traces.iter().for_each(|traces| traces.end());
            closed
        };
        tokio::task::spawn_blocking(close).await.unwrap_or(Err(portreeve_ledger::Failure::WriterLost))
    }
}

async fn listen(at: SocketAddr) -> Result<(SocketAddr, std::net::TcpListener), StartError> {
    let failed = |source| StartError::Listen { at, source };
    let listener = TcpListener::bind(at).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((bound, listener.into_std().map_err(failed)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One that does all there is to do.
    async fn running(folder: &std::path::Path) -> Running {
        let at = |name: &str| folder.join(name);
        let config = json!({
            "cluster": "test", "replica": "one", "listen": "127.0.0.1:0", "operations": "127.0.0.1:0",
            "tls": {"folder": at("certs"), "names": ["localhost"]}, "callers": {"tokenFolder": at("certs")},
            "ledger": {"folder": at("book")},
        });
        start(serde_json::from_value(config).unwrap()).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_watch_that_is_lost_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut running = running(folder.path()).await;
        for watch in running.watches.clone() {
            watch.abort();
            assert!(matches!(running.lost().await, LostError::Task(_)));
        }
        running.stop().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_listener_that_ends_is_noticed_and_a_task_that_is_done_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut running = running(folder.path()).await;
        let done = running.tasks.spawn(async { Ok(()) });
        while !done.is_finished() {
            tokio::task::yield_now().await;
        }
        running.tasks.spawn(async { Err(io::ErrorKind::NotConnected.into()) });
        assert!(matches!(running.lost().await, LostError::Listener(_)));
        running.stop().await.unwrap();
    }
}
