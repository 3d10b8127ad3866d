//! A replica: the program, run with a configuration of its own in a folder of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use portreeve_tests::server::until;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A replica that is not ready yet, until it is dropped.
pub(crate) struct Begun {
    process: Child,
    folder: TempDir,
}

/// What a lost replica leaves behind: its folder, for another process.
pub(crate) struct Volume(TempDir);

/// A replica that is ready, until it is dropped.
pub(crate) struct Replica {
    begun: Begun,
    /// Where `/mutate` and `/validate` are.
    pub(crate) webhook: SocketAddr,
    /// Where probes, metrics and the newest proof are.
    pub(crate) operations: SocketAddr,
}

impl Begun {
    /// Begins one, which is to serve at `front`, with a changed configuration.
    pub(crate) fn begin(name: &str, kubeconfig: &Path, front: SocketAddr, change: impl FnOnce(&mut Value)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = configuration(name, kubeconfig, front);
        change(&mut config);
        write(folder.path(), &config);
        Self::run(folder)
    }

    fn run(folder: TempDir) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_portreeve"))
            .args(["serve", "--log", "info", "--config"])
            .arg(folder.path().join("server.yaml"))
            .stdout(File::create(folder.path().join("out")).unwrap())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, folder }
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(mut self) -> Replica {
        let out = self.folder.path().join("out");
        let said = async || std::fs::read_to_string(&out).unwrap().contains("in force");
        let ready = async || said().await || self.process.try_wait().unwrap().is_some();
        let waited = until("a replica is ready", ready).await;
        let text = std::fs::read_to_string(&out).unwrap();
        let at = |word: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(word));
            line.and_then(|line| line.split_once("://")?.1.split('/').next()?.parse().ok())
        };
        match (waited, at("webhook"), at("operations")) {
            (Ok(()), Some(webhook), Some(operations)) => Replica { begun: self, webhook, operations },
            _ => panic!("no replica:\n{}", self.log()),
        }
    }

    /// Orders it to stop, and waits until it did; whether that was in order.
    pub(crate) async fn stop(&mut self) -> bool {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.end().await
    }

    /// Waits until it ended; whether that was in order.
    pub(crate) async fn end(&mut self) -> bool {
        let ended = until("a replica stops", async || self.process.try_wait().unwrap().is_some()).await;
        ended.is_ok() && self.process.wait().unwrap().success()
    }

    /// Ends it at once, as a lost node does.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The same folder for another process.
    fn into_folder(mut self) -> TempDir {
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Replica {
    /// What it says at `/readyz?verbose` or another path of operations, its status line before it.
    pub(crate) async fn says(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.operations).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: portreeve\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Its working folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.begun.folder.path().to_owned()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        self.begun.log()
    }

    /// The most memory that it had at any time, in megabytes.
    pub(crate) fn peak_megabytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.begun.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Waits until it has so many policies in force.
    pub(crate) async fn has_in_force(&self, policies: usize) {
        let line = format!("[+] policies: {policies} policies in force");
        until(&line, async || self.says("/readyz?verbose").await.contains(&line)).await.unwrap();
    }

    /// Orders it to stop, and waits until it did; whether that was in order.
    pub(crate) async fn stop(mut self) -> bool {
        self.begun.stop().await
    }

    /// Stops it in order, and starts it again in the same folder.
    pub(crate) async fn restart(mut self) -> Self {
        assert!(self.begun.stop().await);
        Begun::run(self.begun.into_folder()).ready().await
    }

    /// Stops it in order; all records of its book, which has to be whole.
    pub(crate) async fn book(mut self) -> Vec<Value> {
        assert!(self.begun.stop().await);
        let book = self.begun.folder.path().join("book");
        let ledger = |command: &str| {
            let arguments = ["ledger", command, "-o", "json"];
            Command::new(env!("CARGO_BIN_EXE_portreeve")).args(arguments).arg(&book).output().unwrap()
        };
        assert!(ledger("verify").status.success());
        serde_json::from_slice(&ledger("inspect").stdout).unwrap()
    }

    /// Ends it at once, as a lost node does.
    pub(crate) fn kill(mut self) -> Volume {
        self.begun.kill();
        Volume(self.begun.into_folder())
    }
}

impl Volume {
    /// Starts the replica again, with a changed configuration.
    pub(crate) async fn again(self, change: impl FnOnce(&mut Value)) -> Replica {
        let text = std::fs::read_to_string(self.0.path().join("server.yaml")).unwrap();
        let mut config = serde_json::from_str(&text).unwrap();
        change(&mut config);
        write(self.0.path(), &config);
        Begun::run(self.0).ready().await
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write(folder: &Path, config: &Value) {
    std::fs::write(folder.join("server.yaml"), config.to_string()).unwrap();
}

fn configuration(name: &str, kubeconfig: &Path, front: SocketAddr) -> Value {
    json!({
        "cluster": "test", "replica": name,
        "listen": "127.0.0.1:0", "operations": "127.0.0.1:0",
        "tls": {"folder": "certs", "names": ["localhost", "127.0.0.1"]},
        "callers": {"tokenFolder": "certs"},
        "cache": portreeve_tests::server::cache(),
        "state": {"folder": "state"},
        "ledger": {"folder": "book"},
        "kubernetes": {
            "kubeconfig": kubeconfig,
            "namespace": "portreeve",
            "certificateSecret": "portreeve",
            "registration": {"at": {"url": format!("https://{front}")}},
        },
    })
}
