//! One address for all replicas, as a Service is: connections go to those that are ready, in turn.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The address, until it is dropped.
pub(crate) struct Front {
    /// Where it listens.
    pub(crate) at: SocketAddr,
    behind: Arc<Mutex<Vec<SocketAddr>>>,
    passed: Arc<Mutex<JoinSet<()>>>,
    task: JoinHandle<()>,
}

impl Front {
    /// An address that leads nowhere yet.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let behind = Arc::new(Mutex::new(Vec::new()));
        let passed = Arc::default();
        let task = tokio::spawn(accept(listener, Arc::clone(&behind), Arc::clone(&passed)));
        Self { at, behind, passed, task }
    }

    /// Lets connections go to this replica too.
    pub(crate) fn add(&self, replica: SocketAddr) {
        self.behind.lock().unwrap().push(replica);
    }

    /// Lets no new connection go to it.
    pub(crate) fn remove(&self, replica: SocketAddr) {
        self.behind.lock().unwrap().retain(|one| *one != replica);
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.passed.lock().unwrap().abort_all();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, behind: Arc<Mutex<Vec<SocketAddr>>>, passed: Arc<Mutex<JoinSet<()>>>) {
    while let Ok((from, _)) = listener.accept().await {
        let next = {
            let mut behind = behind.lock().unwrap();
            let next = behind.first().copied();
            if !behind.is_empty() {
                behind.rotate_left(1);
            }
            next
        };
        // Where there is none the connection is closed, as by a Service without endpoints.
        if let Some(next) = next {
            passed.lock().unwrap().spawn(pass(from, next));
        }
    }
}

async fn pass(mut from: TcpStream, to: SocketAddr) {
    if let Ok(mut to) = TcpStream::connect(to).await {
        // Either side may go at any time.
        let _ = copy_bidirectional(&mut from, &mut to).await;
    }
}
