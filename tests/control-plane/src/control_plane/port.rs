//! Ports for programs that don't take port 0 and tell which one they got.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to outgoing connections, or one of those might get it first.
const LOWEST: u16 = 20_000;
/// How many there are from there on.
const COUNT: u16 = 12_000;

/// The next to look at, counted from this process's own place among them.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of loopback that nobody listens on, and that no other call in this process gets.
///
/// # Errors
/// If there is none.
pub(super) fn free_port() -> io::Result<u16> {
    // Processes that start together have numbers close together.
    let own = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(COUNT)).unwrap_or_default();
    for _ in 0..COUNT {
        let next = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", LOWEST + next)).is_ok() {
            return Ok(LOWEST + next);
        }
    }
    Err(io::Error::other("no port is free"))
}
