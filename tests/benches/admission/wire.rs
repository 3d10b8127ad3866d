//! The wire: the released binary as a process of its own, its load from here. For each set: how soon it is ready, how
//! many requests it answers, how long one takes, how much memory it has.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, Existing, PathTokens, RotationPolicy, ServerNames};
use portreeve_tests::review::create;
use portreeve_tests::server::{configuration, trusting};
use portreeve_tests::whole;
use serde_json::json;
use tempfile::TempDir;

use crate::sample::Samples;

const FOR: Duration = Duration::from_secs(5);

/// What is in force and how it is recorded.
struct Shape {
    name: &'static str,
    set: Set,
    ledger: Option<&'static str>,
    connections: usize,
}

/// What is in force.
#[derive(Clone, Copy)]
enum Set {
    Nothing,
    Profile,
    Catalogue,
}

impl Set {
    /// As policy files say it.
    fn policies(self) -> String {
        let of_profile = |profile| {
            format!(
                "apiVersion: portreeve.dev/v1alpha1\nkind: PolicySet\nmetadata: {{name: bench}}\nspec: {{profile: {profile}}}\n"
            )
        };
        match self {
            Self::Nothing => of_profile("none"),
            Self::Profile => of_profile("platform"),
            Self::Catalogue => whole::POLICIES.to_owned(),
        }
    }
}

const SHAPES: [Shape; 8] = [
    Shape { name: "no policy, no book", set: Set::Nothing, ledger: None, connections: 50 },
    Shape { name: "no policy, written", set: Set::Nothing, ledger: Some("write-only"), connections: 50 },
    Shape { name: "profile, written", set: Set::Profile, ledger: Some("write-only"), connections: 50 },
    Shape { name: "profile, durable", set: Set::Profile, ledger: Some("durable"), connections: 50 },
    Shape { name: "catalogue, written", set: Set::Catalogue, ledger: Some("write-only"), connections: 50 },
    Shape { name: "catalogue, durable", set: Set::Catalogue, ledger: Some("durable"), connections: 50 },
    Shape { name: "profile, written", set: Set::Profile, ledger: Some("write-only"), connections: 500 },
    Shape { name: "profile, durable", set: Set::Profile, ledger: Some("durable"), connections: 500 },
];

/// Prints a line for each shape.
pub(crate) fn all() {
    let binary = PathBuf::from(std::env::var_os("PORTREEVE").expect("PORTREEVE names the released binary"));
    let cache = tempfile::tempdir().unwrap();
    for set in [Set::Nothing, Set::Profile, Set::Catalogue] {
        // Compiles once, so that what is measured starts from a warm cache.
        drop(Server::start(&binary, cache.path(), set, None));
    }
    for shape in SHAPES {
        let server = Server::start(&binary, cache.path(), shape.set, shape.ledger);
        let mut samples = load(&server, shape.connections);
        println!(
            "  {:<20} {:>3} connections  {:>7.0}/s  {}  ready {:>4} ms  {:>4} MiB resident",
            shape.name,
            shape.connections,
            samples.count() as f64 / FOR.as_secs_f64(),
            samples.quantiles(),
            server.ready.as_millis(),
            server.resident_mib()
        );
    }
}

struct Server {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    folder: TempDir,
    url: String,
    ready: Duration,
}

impl Server {
    fn start(binary: &Path, cache: &Path, set: Set, ledger: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates = CertificateFolder::new(folder.path().join("certs"));
        let names = RotationPolicy::new(ServerNames::parse(["localhost", "127.0.0.1"]).unwrap());
        certificates.create(Timestamp::now(), &names, Existing::Keep).unwrap();
        let token = PathTokens::load(&certificates, Timestamp::now()).unwrap().current().to_owned();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        std::fs::write(folder.path().join("policies/set.yaml"), set.policies()).unwrap();
        std::fs::write(folder.path().join("policies/around.yaml"), whole::AROUND).unwrap();
        std::fs::write(folder.path().join("images.lock"), whole::lock()).unwrap();
        let more = json!({
            "cache": cache.join("compiled"),
            "ledger": ledger.map(|durability| json!({"folder": folder.path().join("book"), "durability": durability})),
            "registries": {"lockFile": folder.path().join("images.lock")},
        });
        let config = configuration(folder.path(), &more);
        let file = folder.path().join("server.yaml");
        std::fs::write(&file, config.to_string()).unwrap();

        let begun = Instant::now();
        let mut child = Command::new(binary)
            .args(["serve", "--log", "warn", "--config"])
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let at = listening(&mut stdout);
        Self {
            child,
            _stdout: stdout,
            folder,
            url: format!("https://localhost:{at}/validate/{token}"),
            ready: begun.elapsed(),
        }
    }

    fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port of the webhook, as the server prints it when it is ready.
fn listening(stdout: &mut impl BufRead) -> u16 {
    let mut line = String::new();
    while stdout.read_line(&mut line).unwrap() > 0 {
        if let Some((_, rest)) = line.split_once("webhook     https://") {
            let address = rest.split('/').next().unwrap();
            return address.rsplit(':').next().unwrap().parse().unwrap();
        }
        line.clear();
    }
    panic!("the server ended before it was ready");
}

/// Each connection sends the next request when it has the answer to the last.
fn load(server: &Server, connections: usize) -> Samples {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let body = create(&whole::pod()).to_string();
    let bundle = server.folder.path().join("certs/ca-bundle.crt");
    runtime.block_on(async {
        let until = Instant::now() + FOR;
        let senders: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(send(trusting(&bundle).unwrap(), server.url.clone(), body.clone(), until)))
            .collect();
        let mut all = Samples::default();
        for sender in senders {
            all.join(sender.await.unwrap());
        }
        all
    })
}

async fn send(client: reqwest::Client, url: String, body: String, until: Instant) -> Samples {
    let mut samples = Samples::default();
    while Instant::now() < until {
        let begun = Instant::now();
        let call = client.post(&url).header("content-type", "application/json").body(body.clone());
        let answer = call.send().await.unwrap();
        assert!(answer.status().is_success());
        let answer = answer.text().await.unwrap();
        assert!(answer.contains("\"allowed\":true"), "{answer}");
        samples.add(begun.elapsed());
    }
    samples
}
