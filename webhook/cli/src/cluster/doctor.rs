//! `portreeve cluster doctor`: would the cluster, and we ourselves, come back if no replica of ours answered? Worked out from
//! the policies in the cluster, and tried on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve_admission::subject::TemplatePaths;
use portreeve_cluster::connection::Connection;
use portreeve_cluster::discovery::{namespaces, served};
use portreeve_cluster::proof::{Outcome as Tried, Proof, prove};
use portreeve_cluster::registration::doctor::{Advice, Certificates, Finding, Surroundings, examine};
use portreeve_cluster::registration::{Demand, Registration};
use portreeve_cluster::resources::{Resources, watch as watch_resources};
use portreeve_engine::{Cache, CacheFolder, Engine, Options};
use portreeve_server::config::read_registries;
use portreeve_server::set::{COMPILED, Loader, PolicySet, RegistryModules};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::Which;
use crate::arguments::Format;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text};
use crate::serve::sources_of;

/// How long the API server has to tell of our resources.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks for what would keep the cluster from coming back while no replica answers.
///
/// What the policies in the cluster have to be registered with is worked out and examined. Then what a cluster comes back
/// by (nodes, leases, pods of the control plane, of the network and of our own namespace) is created as dry runs, with the
/// webhooks that are registered now. Nothing is changed.
///
/// Exit codes: 0 nothing stands in the way; 1 something would, or the policies are refused; 2 there is no way to the
/// cluster.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve cluster doctor
  portreeve cluster doctor --namespace admission -o json | jq '.proofs[] | select(.outcome != \"passed\")'")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The namespace that the server runs in.
    #[arg(long, short, default_value = "portreeve")]
    namespace: String,
    /// Folder for compiled policies, private to you.
    #[arg(long, value_name = "FOLDER", env = "PORTREEVE_CACHE")]
    cache: Option<PathBuf>,
    /// File with the registries that modules come from, as under `registries` in the server's configuration.
    #[arg(long, value_name = "FILE")]
    registries: Option<PathBuf>,
    /// How it is shown.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, thiserror::Error)]
enum DoctorError {
    #[error("the API server does not tell of our resources; are they defined there (charts/portreeve/crds)?")]
    Silent,
    #[error("the engine can't start")]
    Engine(#[source] portreeve_engine::EngineError),
    #[error("the cache can't be used")]
    Cache(#[source] portreeve_engine::CacheError),
    #[error("the file with registries can't be used")]
    Registries(#[source] portreeve_server::config::ConfigError),
    #[error("the registries can't be used")]
    Modules(#[source] portreeve_supply::registry::ListingError),
    #[error("the policies in the cluster can't be in force:\n{0}")]
    Refused(portreeve_server::set::LoadError),
}

/// What was found, as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DoctorReport {
    /// Policies in the cluster.
    policies: usize,
    /// What their registration would hold up.
    findings: Vec<ShownFinding>,
    /// What was tried.
    proofs: Vec<ShownProof>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ShownFinding {
    /// `refuse` or `warn`: what a server does about it.
    advice: &'static str,
    /// What would be held up, and what to change.
    finding: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ShownProof {
    /// Such as `Pod in kube-system`.
    what: String,
    /// `passed`, `held-up` by us, or `unknown` where somebody else refuses.
    outcome: &'static str,
    /// The refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let connection = arguments.which.connect().await?;
    let set = set(&connection, arguments).await.map_err(Failure::failed)?;
    let there = namespaces(connection.client.clone()).await.map_err(Failure::failed)?;
    let served = served(connection.client.clone(), &TemplatePaths::default()).await.map_err(Failure::failed)?;
    let excluded = set.index().excluded().map(str::to_owned).collect();
    let registration = Registration::of(&Demand {
        policies: set.policies(),
        paths: &TemplatePaths::default(),
        excluded: &excluded,
        failure_policy: set.failure_policy(),
        served: &served,
        user: None,
    });
    let surroundings =
        Surroundings { own_namespace: Some(&arguments.namespace), namespaces: &there, certificates: Certificates::Own };
    let findings = examine(&registration, &surroundings);
    let proofs = prove(&connection.client, &arguments.namespace, there.keys()).await;
    let fine = !findings.iter().any(|finding| finding.advice(Certificates::Own) == Advice::Refuse)
        && !proofs.iter().any(|proof| matches!(proof.outcome, Tried::HeldUp(_)));
    match arguments.output {
        Format::Json => print_json(&report(&set, &findings, &proofs))?,
        Format::Table => print_text(&text(&set, &findings, &proofs, fine))?,
    }
    Ok(Outcome::fine_if(fine))
}

/// The set that the cluster's resources make.
async fn set(connection: &Connection, arguments: &Arguments) -> Result<PolicySet, DoctorError> {
    let resources = resources(connection).await.ok_or(DoctorError::Silent)?;
    let cache = match &arguments.cache {
        Some(folder) => Cache::Folder(CacheFolder::open(Path::new(folder)).map_err(DoctorError::Cache)?),
        None => Cache::None,
    };
    let options = Options { cache, embedded: &COMPILED, ..Options::default() };
    let engine = Engine::new(options).map_err(DoctorError::Engine)?;
    let own = Some(arguments.namespace.clone());
    let registries =
        arguments.registries.as_deref().map(read_registries).transpose().map_err(DoctorError::Registries)?;
    let modules = RegistryModules::open(&registries.unwrap_or_default(), None).map_err(DoctorError::Modules)?;
    let loader = Loader::new(engine, portreeve_builtin::CATALOGUE, [].into(), own).with_registry(modules);
    // It waits for registries.
    block_in_place(|| loader.load_at_once(&sources_of(&resources).or_platform())).map_err(DoctorError::Refused)
}

async fn resources(connection: &Connection) -> Option<Resources> {
    let (tell, mut told) = watch::channel(None);
    let watched = watch_resources(connection.client.clone(), tell);
    tokio::select! {
        () = watched => None,
        told = timeout(PATIENCE, told.wait_for(Option::is_some)) => told.ok()?.ok()?.clone(),
    }
}

fn advice(finding: &Finding) -> &'static str {
    match finding.advice(Certificates::Own) {
        Advice::Refuse => "refuse",
        Advice::Warn => "warn",
    }
}

fn report(set: &PolicySet, findings: &[Finding], proofs: &[Proof]) -> DoctorReport {
    let proof = |proof: &Proof| {
        let (outcome, words) = match &proof.outcome {
            Tried::Passed => ("passed", None),
            Tried::HeldUp(words) => ("held-up", Some(words.clone())),
            Tried::Unknown(words) => ("unknown", Some(words.clone())),
        };
        ShownProof { what: proof.what.clone(), outcome, words }
    };
    let finding = |finding: &Finding| ShownFinding { advice: advice(finding), finding: finding.to_string() };
    DoctorReport {
        policies: set.policies().len(),
        findings: findings.iter().map(finding).collect(),
        proofs: proofs.iter().map(proof).collect(),
    }
}

fn text(set: &PolicySet, findings: &[Finding], proofs: &[Proof], fine: bool) -> String {
    let mut lines = vec![format!("{} policies in the cluster, set {}", set.policies().len(), set.digest())];
    lines.extend(findings.iter().map(|finding| format!("[{}] {finding}", advice(finding))));
    lines.extend(proofs.iter().map(|proof| format!("[tried] {proof}")));
    let end = if fine {
        "Nothing that the cluster comes back by would be held up."
    } else {
        "The cluster might not come back by itself: see above."
    };
    lines.push(end.to_owned());
    lines.join("\n") + "\n"
}
