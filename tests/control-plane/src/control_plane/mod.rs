//! A real control plane on loopback: etcd, kube-apiserver and, where it is asked for, kube-controller-manager, with
//! ports, certificates and folders of their own. There are no nodes: pods stay Pending. It ends with its value; its
//! logs stay where a test failed.

mod assets;
mod credentials;
pub mod place;
mod port;
mod process;
mod program;

use std::io;
use std::path::{Path, PathBuf};

use kube::{Client, Config};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::credentials::Credentials;
use self::port::free_port;
use self::process::Process;
use crate::Fault;
use crate::api_server::ApiServer;
use crate::until;

pub use self::assets::{Assets, Unavailable, beside, definitions_of};
pub use self::program::Program;

/// Who acts on objects beside the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controllers {
    /// kube-controller-manager.
    Running,
    /// Nobody: there are no default service accounts, and pods are taken without one.
    Absent,
}

/// Whether the API server judges pods by the Pod Security Standards itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltInPodSecurity {
    /// As every cluster does.
    On,
    /// It is left to others.
    Off,
}

/// A control plane.
#[derive(Debug)]
pub struct ControlPlane {
    // In this order they are killed.
    controllers: Option<Process>,
    api_server: Process,
    etcd: Process,
    kubeconfig: PathBuf,
    store: u16,
    folder: Option<TempDir>,
}

impl ControlPlane {
    /// Starts one, and waits until the API server is ready.
    ///
    /// # Errors
    /// If a program does not start, with the end of its log.
    pub async fn start(
        assets: &Assets,
        controllers: Controllers,
        pod_security: BuiltInPodSecurity,
    ) -> Result<Self, Fault> {
        let temporary = tempfile::Builder::new().prefix("portreeve-control-plane-").tempdir()?;
        let folder = temporary.path();
        let [store, peers, secure] = [free_port()?, free_port()?, free_port()?];
        let credentials = Credentials::write(folder)?;
        std::fs::write(folder.join(AUDIT_POLICY), audit_policy().to_string())?;
        std::fs::write(folder.join(TRACING), tracing().to_string())?;
        let etcd = Process::start(&assets.path(Program::Etcd), &etcd(store, peers), folder)?;
        let arguments = api_server(&credentials, store, secure, &plugins_off(controllers, pod_security));
        let api_server = Process::start(&assets.path(Program::ApiServer), &arguments, folder)?;
        let kubeconfig = credentials.write_kubeconfig(folder, &format!("https://127.0.0.1:{secure}"))?;
        let mut plane = Self { controllers: None, api_server, etcd, kubeconfig, store, folder: Some(temporary) };
        plane.ready().await?;
        if controllers == Controllers::Running {
            plane.start_controllers(assets, &credentials)?;
        }
        Ok(plane)
    }

    /// The kubeconfig of its administrator.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Kills the API server, starts it again in the same place over the same store, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start, with the end of its log.
    pub async fn restart_api_server(&mut self) -> Result<(), Fault> {
        self.api_server.restart()?;
        self.ready().await
    }

    /// The API server and the store, by which the operating system knows them.
    #[must_use]
    pub fn processes(&self) -> [(&'static str, u32); 2] {
        [("API server", self.api_server.id()), ("store", self.etcd.id())]
    }

    /// What service accounts asked its API server for so far: events of `audit.k8s.io/v1`, without what was in the
    /// objects. Those that last, as watches do, are there twice.
    ///
    /// # Errors
    /// If its log can't be read.
    pub fn asked_by_accounts(&self) -> Result<Vec<Value>, Fault> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let log = std::fs::read_to_string(folder.path().join(AUDIT_LOG))?;
        // The last line may be half written.
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        Ok(whole.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// Has the store forget all versions but the newest, as it does every few minutes: what refers to an older one
    /// holds no longer.
    ///
    /// # Errors
    /// If it does not.
    pub async fn compact(&self) -> Result<(), Fault> {
        let store = Client::try_from(Config::new(format!("http://127.0.0.1:{}", self.store).parse()?))?;
        let ask = |path: &str, body: &Value| http::Request::post(path).body(body.to_string().into_bytes());
        // The least key: any would do, since every answer says the newest revision.
        let newest: Value = store.request(ask("/v3/kv/range", &json!({"key": "AA=="}))?).await?;
        let revision = newest.pointer("/header/revision").ok_or("the store does not say its revision")?;
        store.request::<Value>(ask("/v3/kv/compaction", &json!({"revision": revision, "physical": true}))?).await?;
        Ok(())
    }

    async fn ready(&mut self) -> Result<(), Fault> {
        let client = ApiServer::at(&self.kubeconfig).await?;
        let process = &mut self.api_server;
        let mut ended = Ok(());
        let ready = until("the API server is ready", async || {
            ended = process.still_runs();
            ended.is_err() || client.is_ready().await
        });
        ready.await?;
        ended
    }

    fn start_controllers(&mut self, assets: &Assets, credentials: &Credentials) -> Result<(), Fault> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let arguments = controller_manager(credentials, &self.kubeconfig)?;
        self.controllers = Some(Process::start(&assets.path(Program::ControllerManager), &arguments, folder.path())?);
        Ok(())
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            let kept = folder.keep();
            // What was stored says less than the logs, and takes a hundred times the room. Left alone, it does no harm.
            let _ = std::fs::remove_dir_all(kept.join("etcd"));
            // Whoever reads why the test failed is told here.
            #[allow(clippy::print_stdout, reason = "the test harness shows it beside the failure")]
            {
                println!("the logs of the control plane are kept in {}", kept.display());
            }
        }
    }
}

/// Files in the folder of a control plane.
const AUDIT_POLICY: &str = "audit-policy.yaml";
const AUDIT_LOG: &str = "audit.log";
const TRACING: &str = "tracing.yaml";

/// What service accounts do is noted, and nothing else: tests act as somebody who may do anything.
fn audit_policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
    })
}

/// It begins no trace itself, and takes part in those of its callers. Its own spans go to the port of discard, where
/// nobody is: what it tells those whom it calls is what tests look at.
fn tracing() -> Value {
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "TracingConfiguration",
        "endpoint": "127.0.0.1:9", "samplingRatePerMillion": 0,
    })
}

/// The built-in admission plug-ins that are switched off.
fn plugins_off(controllers: Controllers, pod_security: BuiltInPodSecurity) -> Vec<&'static str> {
    let accounts = (controllers == Controllers::Absent).then_some("ServiceAccount");
    let pods = (pod_security == BuiltInPodSecurity::Off).then_some("PodSecurity");
    accounts.into_iter().chain(pods).collect()
}

/// Nothing has to outlast a loss of power.
fn etcd(clients: u16, peers: u16) -> Vec<String> {
    let (clients, peers) = (format!("http://127.0.0.1:{clients}"), format!("http://127.0.0.1:{peers}"));
    vec![
        "--unsafe-no-fsync".to_owned(),
        "--data-dir=etcd".to_owned(),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
    ]
}

fn api_server(credentials: &Credentials, store: u16, secure: u16, off: &[&str]) -> Vec<String> {
    vec![
        format!("--etcd-servers=http://127.0.0.1:{store}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={secure}"),
        format!("--tls-cert-file={}", credentials.certificate.display()),
        format!("--tls-private-key-file={}", credentials.key.display()),
        format!("--token-auth-file={}", credentials.tokens.display()),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", credentials.account_certificate.display()),
        format!("--service-account-signing-key-file={}", credentials.account_key.display()),
        format!("--audit-policy-file={AUDIT_POLICY}"),
        format!("--audit-log-path={AUDIT_LOG}"),
        format!("--tracing-config-file={TRACING}"),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--allow-privileged=true".to_owned(),
        // Read from the store itself, so that a test can see what becomes of a list whose version is compacted away.
        "--watch-cache-sizes=podtemplates#0".to_owned(),
        format!("--disable-admission-plugins={}", off.join(",")),
    ]
}

fn controller_manager(credentials: &Credentials, kubeconfig: &Path) -> io::Result<Vec<String>> {
    let secure = free_port()?;
    Ok(vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        "--use-service-account-credentials=true".to_owned(),
        "--leader-elect=false".to_owned(),
        format!("--service-account-private-key-file={}", credentials.account_key.display()),
        format!("--root-ca-file={}", credentials.authority.display()),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={secure}"),
    ])
}
