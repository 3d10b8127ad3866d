//! Who may stay at a port. Every connection begins as a stranger's; its first admitted call makes it a
//! caller's. The two are counted apart, and a stranger too many ends the oldest of them, so that who may not call keeps
//! nobody out who may. Who may call is decided in `callers`; what ends a connection is in `guarded`.

mod guarded;

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Layer as _;

use crate::config::ConnectionLimits;
use crate::metrics::{Cut, Metrics, Port};
use guarded::{Guarded, Patience};

/// Lets connections in.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    callers: Arc<Semaphore>,
    most_strangers: usize,
    strangers: Mutex<Strangers>,
    patience: Patience,
    port: Port,
    metrics: Arc<Metrics>,
}

/// By the order in which they came. Who is taken out without a word is cut off.
#[derive(Default)]
struct Strangers {
    next: u64,
    waiting: BTreeMap<u64, Sender<()>>,
}

/// A connection's place. It is free again when the connection has ended.
pub struct Seat {
    door: Arc<Inner>,
    number: u64,
    caller: OnceLock<OwnedSemaphorePermit>,
}

/// No further caller can stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are too many connections; limits.connections.callers says how many may be")]
pub struct Crowded;

impl Door {
    /// A door to a port, with these limits.
    #[must_use]
    pub fn new(limits: &ConnectionLimits, port: Port, metrics: Arc<Metrics>) -> Self {
        let count = |number: std::num::NonZeroU32| usize::try_from(number.get()).unwrap_or(usize::MAX);
        Self(Arc::new(Inner {
            callers: Arc::new(Semaphore::new(count(limits.callers).min(Semaphore::MAX_PERMITS))),
            most_strangers: count(limits.strangers),
            strangers: Mutex::default(),
            patience: Patience { stranger: limits.stranger_seconds.duration(), idle: limits.idle_seconds.duration() },
            port,
            metrics,
        }))
    }

    /// A seat for a stranger, and what tells that it is a caller's, or, if it breaks off, that its place is taken.
    fn enter(&self) -> (Seat, Receiver<()>) {
        let (tell, told) = channel();
        let mut strangers = self.0.strangers();
        if strangers.waiting.len() >= self.0.most_strangers {
            strangers.waiting.pop_first();
            self.0.metrics.cut_off(self.0.port, Cut::Stranger);
        }
        let number = strangers.next;
        strangers.next += 1;
        strangers.waiting.insert(number, tell);
        self.0.metrics.strangers(self.0.port, strangers.waiting.len());
        drop(strangers);
        (Seat { door: Arc::clone(&self.0), number, caller: OnceLock::new() }, told)
    }
}

impl Seat {
    /// Makes the connection a caller's, once a call on it was admitted.
    ///
    /// # Errors
    /// If there are as many as may be.
    pub fn prove(&self) -> Result<(), Crowded> {
        if self.caller.get().is_some() {
            return Ok(());
        }
        let Ok(place) = Arc::clone(&self.door.callers).try_acquire_owned() else {
            self.door.metrics.cut_off(self.door.port, Cut::Caller);
            return Err(Crowded);
        };
        // Two first calls at once on a connection of HTTP/2: the second place goes back.
        let _ = self.caller.set(place);
        if let Some(tell) = self.leave_strangers() {
            // A connection that has just ended listens no more.
            let _ = tell.send(());
        }
        Ok(())
    }

    fn leave_strangers(&self) -> Option<Sender<()>> {
        let mut strangers = self.door.strangers();
        let tell = strangers.waiting.remove(&self.number);
        self.door.metrics.strangers(self.door.port, strangers.waiting.len());
        tell
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave_strangers();
    }
}

impl Inner {
    fn strangers(&self) -> MutexGuard<'_, Strangers> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Accept<TcpStream, S> for Door {
    type Stream = Guarded<TcpStream>;
    type Service = AddExtension<S, Arc<Seat>>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // What is written in two pieces would wait for a caller to say that the first has come, which an idle one does
        // after forty milliseconds.
        if let Err(error) = stream.set_nodelay(true) {
            return ready(Err(error));
        }
        let (seat, told) = self.enter();
        let seat = Arc::new(seat);
        let stream = Guarded::new(stream, Arc::clone(&seat), told, self.0.patience);
        ready(Ok((stream, Extension(seat).layer(service))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn door(callers: u32, strangers: u32) -> Door {
        let count = |number: u32| NonZeroU32::new(number).unwrap();
        let limits =
            ConnectionLimits { callers: count(callers), strangers: count(strangers), ..ConnectionLimits::default() };
        Door::new(&limits, Port::Webhook, Arc::default())
    }

    #[tokio::test]
    async fn nothing_waits_for_an_acknowledgement() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let _caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (guarded, _) = door(1, 1).accept(stream, ()).await.unwrap();
        assert!(guarded.stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_stranger_too_many_ends_the_oldest() {
        let door = door(10, 2);
        let mut seats: Vec<_> = (0..3).map(|_| door.enter()).collect();
        assert!((&mut seats[0].1).await.is_err());
        assert!(seats[1].1.try_recv().is_err_and(|error| error == tokio::sync::oneshot::error::TryRecvError::Empty));
    }

    #[tokio::test]
    async fn who_may_call_is_no_stranger_any_more_and_is_never_ended_by_one() {
        let door = door(10, 1);
        let (seat, told) = door.enter();
        seat.prove().unwrap();
        let _others: Vec<_> = (0..5).map(|_| door.enter()).collect();
        assert!(told.await.is_ok());
        assert!(seat.prove().is_ok());
    }

    #[test]
    fn a_caller_too_many_is_told_and_a_place_is_free_when_one_leaves() {
        let door = door(1, 10);
        let (first, _told) = door.enter();
        first.prove().unwrap();
        let (second, _told) = door.enter();
        assert_eq!(second.prove(), Err(Crowded));
        drop(first);
        assert!(second.prove().is_ok());
    }
}
