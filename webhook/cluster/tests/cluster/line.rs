//! A line to the API server that can be cut and mended.

use std::net::SocketAddr;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use portreeve_control_plane::cluster::Cluster;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A port that leads to the API server while the line holds.
pub(crate) struct Line {
    config: Config,
    address: SocketAddr,
    api_server: String,
    holding: JoinHandle<()>,
}

impl Line {
    pub(crate) async fn to(cluster: &Cluster) -> Self {
        let kubeconfig = Kubeconfig::read_from(&cluster.kubeconfig).unwrap();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let api_server = config.cluster_url.authority().unwrap().to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        config.cluster_url = format!("https://{address}").parse().unwrap();
        let holding = tokio::spawn(hold(listener, api_server.clone()));
        Self { config, address, api_server, holding }
    }

    /// Somebody who asks by this line.
    pub(crate) fn client(&self) -> Client {
        Client::try_from(self.config.clone()).unwrap()
    }

    /// Ends all that is under way, and takes no more.
    pub(crate) async fn cut(&mut self) {
        self.holding.abort();
        assert!((&mut self.holding).await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.holding = tokio::spawn(hold(listener, self.api_server.clone()));
    }
}

/// Connections end with this.
async fn hold(listener: TcpListener, api_server: String) {
    let mut connections = JoinSet::new();
    loop {
        let (mut ours, _) = listener.accept().await.unwrap();
        let api_server = api_server.clone();
        connections.spawn(async move {
            let mut theirs = TcpStream::connect(api_server).await.unwrap();
            // One that is cut ends as it may.
            let _ = copy_bidirectional(&mut ours, &mut theirs).await;
        });
    }
}
