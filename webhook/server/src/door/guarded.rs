//! A stream that ends by itself: a stranger's when its time is over or its place is taken, a caller's when it was
//! silent for too long. Whose it is, is told by its seat.

use std::future::Future as _;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot::Receiver;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Seat;

/// How long a connection may last, or be silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From its beginning, as long as it is a stranger's.
    pub(super) stranger: Duration,
    /// From the last byte, once it is a caller's.
    pub(super) idle: Duration,
}

/// A stream that ends by itself.
pub struct Guarded<S> {
    pub(super) stream: S,
    whose: Whose,
    limit: Pin<Box<Sleep>>,
    last_byte: Instant,
    idle: Duration,
    _seat: Arc<Seat>,
}

enum Whose {
    /// Until this tells.
    Strangers(Receiver<()>),
    Callers,
    /// A stranger's whose place was taken.
    Nobodys,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, seat: Arc<Seat>, told: Receiver<()>, patience: Patience) -> Self {
        let now = Instant::now();
        let limit = Box::pin(sleep_until(now + patience.stranger));
        Self { stream, whose: Whose::Strangers(told), limit, last_byte: now, idle: patience.idle, _seat: seat }
    }

    /// Ready when it has to end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if let Whose::Strangers(told) = &mut self.whose {
            match Pin::new(told).poll(cx) {
                Poll::Ready(Ok(())) => {
                    self.whose = Whose::Callers;
                    self.limit.as_mut().reset(self.last_byte + self.idle);
                }
                Poll::Ready(Err(_)) => self.whose = Whose::Nobodys,
                Poll::Pending => {}
            }
        }
        // Whoever is told of an end may ask again, as one who says goodbye does.
        if matches!(self.whose, Whose::Nobodys) {
            return Poll::Ready(ErrorKind::ConnectionAborted.into());
        }
        loop {
            ready!(self.limit.as_mut().poll(cx));
            // Put off only when it is due, which costs less than at every byte.
            let silent_until = self.last_byte + self.idle;
            if matches!(self.whose, Whose::Strangers(_)) || silent_until <= Instant::now() {
                return Poll::Ready(ErrorKind::TimedOut.into());
            }
            self.limit.as_mut().reset(silent_until);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // First, so that a stranger who sends a byte now and then does not outstay his time.
        if let Poll::Ready(end) = self.poll_end(cx) {
            return Poll::Ready(Err(end));
        }
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.last_byte = Instant::now();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(end) = self.poll_end(cx) {
            return Poll::Ready(Err(end));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.last_byte = Instant::now();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(end) = self.poll_end(cx) {
            return Poll::Ready(Err(end));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, pieces))?;
        self.last_byte = Instant::now();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConnectionLimits;
    use crate::door::Door;
    use crate::metrics::Port;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    const PATIENCE: Patience = Patience { stranger: Duration::from_secs(10), idle: Duration::from_secs(120) };

    fn guarded() -> (DuplexStream, Guarded<DuplexStream>, Arc<Seat>) {
        let (seat, told) = Door::new(&ConnectionLimits::default(), Port::Webhook, Arc::default()).enter();
        let (far, near) = duplex(64);
        let seat = Arc::new(seat);
        (far, Guarded::new(near, Arc::clone(&seat), told, PATIENCE), seat)
    }

    /// How long until it ends, when the other side sends a byte every `pause`.
    async fn lasts(mut far: DuplexStream, mut near: Guarded<DuplexStream>, pause: Duration, bytes: u32) -> Duration {
        let begun = Instant::now();
        let send = tokio::spawn(async move {
            for _ in 0..bytes {
                tokio::time::sleep(pause).await;
                far.write_all(b"x").await.ok();
            }
            far
        });
        let mut byte = [0; 1];
        let error = loop {
            match near.read_exact(&mut byte).await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(send);
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_who_sends_a_byte_now_and_then_does_not_outstay_his_time() {
        let (far, near, _seat) = guarded();
        let lasted = lasts(far, near, Duration::from_secs(1), 100).await;
        assert_eq!(lasted.as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_may_be_silent_for_a_while_and_no_longer() {
        let (far, near, seat) = guarded();
        seat.prove().unwrap();
        let lasted = lasts(far, near, Duration::from_secs(100), 3).await;
        assert_eq!(lasted.as_secs(), 420);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_whose_place_was_taken_is_told_so_as_often_as_he_asks() {
        let limits = ConnectionLimits { strangers: 1.try_into().unwrap(), ..ConnectionLimits::default() };
        let door = Door::new(&limits, Port::Webhook, Arc::default());
        let (seat, told) = door.enter();
        let (_far, near) = duplex(64);
        let mut near = Guarded::new(near, Arc::new(seat), told, PATIENCE);
        let _newcomer = door.enter();
        for _ in 0..2 {
            assert_eq!(near.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
            assert_eq!(near.write_all(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_reads_nothing_is_ended_too() {
        let (_far, mut near, seat) = guarded();
        seat.prove().unwrap();
        let error = near.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
