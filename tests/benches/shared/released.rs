//! The released binary as a process of its own, with a set in force and a book or none: what both benchmarks ask. What
//! they ask it is theirs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portreeve_certs::{CertificateFolder, Existing, PathTokens, RotationPolicy, ServerNames};
use portreeve_tests::server::{configuration, trusting, until};
use portreeve_tests::whole;
use serde_json::json;
use tempfile::TempDir;

/// The program, as `cargo xtask bench` names it.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(std::env::var_os("PORTREEVE").expect("PORTREEVE names the released binary"))
}

/// What is in force.
#[derive(Clone, Copy)]
pub(crate) enum Set {
    /// No policy.
    Nothing,
    /// The platform profile.
    Profile,
    /// Every policy that ships.
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

/// The released binary as a process of its own, until it is dropped.
pub(crate) struct Server {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    folder: TempDir,
    port: u16,
    operations: u16,
    token: String,
    /// How long it took to be ready.
    pub(crate) ready: Duration,
}

impl Server {
    /// Starts it and waits until it is ready; without a ledger nothing is recorded.
    pub(crate) fn start(binary: &Path, cache: &Path, set: Set, ledger: Option<&str>) -> Self {
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
        let [port, operations] = listening(&mut stdout);
        Self { child, _stdout: stdout, folder, port, operations, token, ready: begun.elapsed() }
    }

    /// Where a call is made.
    pub(crate) fn url(&self, call: &str) -> String {
        format!("{}/{call}/{}", self.origin(), self.token)
    }

    /// Where it listens.
    pub(crate) fn origin(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// By which it is known who calls.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The file of the CAs that its certificate may be signed by.
    pub(crate) fn ca_bundle(&self) -> PathBuf {
        self.folder.path().join("certs/ca-bundle.crt")
    }

    /// Waits until what is in force is compiled: before that it is slower, and the compiler takes the processors.
    pub(crate) async fn compiled(&self) {
        let compiled = async || self.metrics().await.lines().any(|line| line == "portreeve_policies_compiled 1");
        until("the set is compiled", compiled).await.unwrap();
    }

    /// How many calls it answered.
    pub(crate) async fn answered(&self) -> usize {
        let metrics = self.metrics().await;
        let counts = metrics.lines().filter(|line| line.starts_with("portreeve_requests_total{"));
        counts.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
    }

    async fn metrics(&self) -> String {
        let client = trusting(&self.ca_bundle()).unwrap();
        let metrics = client.get(format!("http://127.0.0.1:{}/metrics", self.operations)).send().await.unwrap();
        metrics.text().await.unwrap()
    }

    /// By which the operating system knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its memory.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
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

/// The ports of the webhook and of operations, as the server prints them when it is ready.
fn listening(stdout: &mut impl BufRead) -> [u16; 2] {
    let mut lines = stdout.lines().map(Result::unwrap);
    ["webhook     https://", "operations  http://"].map(|before| {
        let line = lines.find(|line| line.contains(before)).expect("the server ended before it was ready");
        let (_, address) = line.split_once(before).unwrap();
        address.split('/').next().unwrap().rsplit(':').next().unwrap().parse().unwrap()
    })
}
