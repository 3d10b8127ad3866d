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

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use portreeve_certs::server_config;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use assemble::{Outside, Parts, StartError};
pub use origin::{Became, Origin, Refused, Told};

use crate::app::{operations, webhook};
use crate::config::ServerConfig;
use crate::door::Door;
use crate::health::{Part, State};
use crate::metrics::Port;

/// The most that is held of a connection's bytes before they are made use of, headers above all.
const HEADERS: usize = 64 << 10;

/// The most that is held of bodies on a connection of HTTP/2 before there is room for them.
const UNREAD: u32 = 64 << 10;

/// How long an accepted call may go on after the order to stop: no API server waits longer.
const LAST_CALLS: Duration = Duration::from_secs(30);

/// A server that runs.
pub struct Running {
    /// Where `/mutate` and `/validate` are.
    pub webhook: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub operations: SocketAddr,
    /// What it was put together from.
    pub parts: Arc<Parts>,
    handle: Handle<SocketAddr>,
    watches: [JoinHandle<()>; 5],
    stopped: oneshot::Receiver<()>,
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
        .initial_stream_window_size(UNREAD)
        .initial_connection_window_size(UNREAD);
    let served = server.serve(webhook(app.clone()).into_make_service());
    let (tell, stopped) = oneshot::channel();
    let looked_after = Arc::clone(&parts);
    tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "the webhook's listener ended");
        }
        looked_after.health.set(Part::Serving, State::Down("stopped".to_owned()));
        // The receiver may be gone: nobody waits then.
        let _ = tell.send(());
    });
    let mut probes = axum_server::from_tcp(operations_listener.1)
        .map_err(|source| StartError::Listen { at: operations_at, source })?
        .acceptor(Door::new(limits, Port::Operations, Arc::clone(&parts.metrics)));
    probes.http_builder().http1().max_buf_size(HEADERS);
    tokio::spawn(probes.serve(operations(app).into_make_service()));
    let watches = [
        tokio::spawn(watch::watch(Arc::clone(&parts))),
        tokio::spawn(policies::watch(Arc::clone(&parts))),
        tokio::spawn(ledger::look_after(Arc::clone(&parts))),
        tokio::spawn(proof::follow(Arc::clone(&parts))),
        tokio::spawn(compiled::follow(Arc::clone(&parts))),
    ];
    parts.health.set(Part::Serving, State::Good(format!("{webhook_at}")));
    Ok(Running { webhook: webhook_at, operations: operations_at, parts, handle, watches, stopped })
}

impl Running {
    /// Takes no more calls, finishes those that were accepted, closes the book, and sends what is left of traces.
    ///
    /// # Errors
    /// If the book could not be closed in order.
    pub async fn stop(self) -> Result<(), portreeve_ledger::Failure> {
        self.parts.health.set(Part::Serving, State::Down("shutting down".to_owned()));
        self.handle.graceful_shutdown(Some(LAST_CALLS));
        // An error says that the listener's task is gone, which is what is waited for.
        let _ = self.stopped.await;
        self.watches.iter().for_each(JoinHandle::abort);
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
