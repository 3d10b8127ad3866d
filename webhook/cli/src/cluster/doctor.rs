//! `portreeve cluster doctor`: would the cluster, and we ourselves, come back if no replica of ours answered? Worked
//! out from the policies in the cluster, and tried on it.

use std::collections::BTreeMap;
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
use portreeve_server::config::{NamespacedPolicies, PoliciesFrom, ServerConfig, read_registries, template_paths};
use portreeve_server::set::{COMPILED, Loader, PolicySet, RegistryModules, Sources, read_folder};
use portreeve_supply::RegistriesConfig;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::Which;
use crate::arguments::Format;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text};
use crate::serve::{certificates_behind, sources_of};

/// How long the API server has to tell of our resources.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks for what would keep the cluster from coming back while no replica answers.
///
/// What the policies in the cluster have to be registered with is worked out and examined. Then what a cluster comes
/// back by (nodes, leases, pods of the control plane, of the network and of our own namespace) is created as dry runs,
/// with the webhooks that are registered now. Nothing is changed.
///
/// With the server's configuration it is looked at as the server looks at it: policies come from where its own come
/// from, further kinds hold templates, and a certificate that a controller makes needs that controller.
///
/// What you may not create, or what the API server does not answer for, could not be tried, and is told so.
///
/// Exit codes: 0 nothing stands in the way, as far as it could be tried; 1 something would, nothing at all could be
/// tried, or the policies are refused; 2 there is no way to the cluster.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve cluster doctor
  portreeve cluster doctor --config server.yaml                 as that server would judge it
  portreeve cluster doctor --namespace admission -o json | jq '.proofs[] | select(.outcome != \"passed\")'")]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The server's configuration file: what it says of policies, certificates, template paths, registries and its
    /// namespace counts, unless an option says otherwise. Left out: policies are the resources in the cluster, and the
    /// certificate is our own.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The namespace that the server runs in. Left out: what the configuration names, else `portreeve`.
    #[arg(long, short)]
    namespace: Option<String>,
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
    #[error("the registries can't be used")]
    Modules(#[source] portreeve_supply::registry::ListingError),
    #[error("the policies can't be in force:\n{0}")]
    Refused(portreeve_server::set::LoadError),
}

/// What was found, as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DoctorReport {
    /// Policies that were looked at.
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
    /// `passed`, `held-up` by us, `unknown` where somebody else refuses, or `untried` where you may not create it or
    /// the API server does not answer.
    outcome: &'static str,
    /// The refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
}

/// The server that is asked for, as far as it is told here.
struct Server {
    namespace: String,
    certificates: Certificates,
    paths: TemplatePaths,
    registries: RegistriesConfig,
    labels: BTreeMap<String, String>,
    bounds: NamespacedPolicies,
    policies: Policies,
}

/// Where its policies come from.
enum Policies {
    Resources,
    Folder(PathBuf),
    Profile,
}

impl Arguments {
    fn server(&self) -> Result<Server, Failure> {
        let config = self.config.as_deref().map(ServerConfig::read).transpose().map_err(Failure::input)?;
        let listed = self.registries.as_deref().map(read_registries).transpose().map_err(Failure::input)?;
        let mut server = config.map(Server::of).transpose()?.unwrap_or_default();
        server.registries = listed.unwrap_or(server.registries);
        server.namespace = self.namespace.clone().unwrap_or(server.namespace);
        Ok(server)
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            namespace: "portreeve".to_owned(),
            certificates: Certificates::Own,
            paths: TemplatePaths::default(),
            registries: RegistriesConfig::default(),
            labels: BTreeMap::new(),
            bounds: NamespacedPolicies::default(),
            policies: Policies::Resources,
        }
    }
}

impl Server {
    fn of(config: ServerConfig) -> Result<Self, Failure> {
        let usual = Self::default();
        let kubernetes = config.kubernetes.as_ref();
        let from = kubernetes.map_or(PoliciesFrom::Files, |kubernetes| kubernetes.policies);
        Ok(Self {
            namespace: kubernetes.and_then(|kubernetes| kubernetes.namespace.clone()).unwrap_or(usual.namespace),
            certificates: kubernetes.map_or(usual.certificates, certificates_behind),
            paths: template_paths(&config.template_paths).map_err(Failure::input)?,
            registries: config.registries,
            labels: config.namespace_defaults.labels,
            bounds: config.limits.namespaced_policies,
            policies: match (from, config.policies) {
                (PoliciesFrom::Resources, _) => Policies::Resources,
                (PoliciesFrom::Files, Some(folder)) => Policies::Folder(folder),
                (PoliciesFrom::Files, None) => Policies::Profile,
            },
        })
    }
}

pub(super) async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let server = arguments.server()?;
    let connection = arguments.which.connect().await?;
    let set = set(&connection, &server, arguments.cache.as_deref()).await.map_err(Failure::failed)?;
    let there = namespaces(connection.client.clone()).await.map_err(Failure::failed)?;
    let served = served(connection.client.clone(), &server.paths).await.map_err(Failure::failed)?;
    let excluded = set.index().excluded().map(str::to_owned).collect();
    let registration = Registration::of(&Demand {
        policies: set.policies(),
        paths: &server.paths,
        excluded: &excluded,
        failure_policy: set.failure_policy(),
        served: &served,
        user: None,
    });
    let surroundings =
        Surroundings { own_namespace: Some(&server.namespace), namespaces: &there, certificates: server.certificates };
    let advised: Vec<Advised> = examine(&registration, &surroundings)
        .into_iter()
        .map(|finding| Advised { advice: finding.advice(server.certificates), finding })
        .collect();
    let proofs = prove(&connection.client, &server.namespace, there.keys()).await;
    let ending = Ending::of(&advised, &proofs);
    match arguments.output {
        Format::Json => print_json(&report(&set, &advised, &proofs))?,
        Format::Table => print_text(&text(&set, &advised, &proofs, ending))?,
    }
    Ok(Outcome::fine_if(ending.is_fine()))
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Nothing would be held up.
    Fine,
    /// Something would be, and the cluster comes back all the same.
    Warned,
    /// What could be tried would come back; the rest is not known.
    FineInPart,
    /// Nothing could be tried, so that nothing is known.
    Unproved,
    /// Something would be held up that the cluster comes back by.
    HeldUp,
}

impl Ending {
    fn of(advised: &[Advised], proofs: &[Proof]) -> Self {
        let any = |is: fn(&Tried) -> bool| proofs.iter().any(|proof| is(&proof.outcome));
        if any(|tried| matches!(tried, Tried::HeldUp(_))) || advised.iter().any(|one| one.advice == Advice::Refuse) {
            Self::HeldUp
        } else if !any(|tried| matches!(tried, Tried::Passed)) {
            Self::Unproved
        } else if any(|tried| !matches!(tried, Tried::Passed)) {
            Self::FineInPart
        } else if advised.is_empty() {
            Self::Fine
        } else {
            Self::Warned
        }
    }

    fn is_fine(self) -> bool {
        !matches!(self, Self::Unproved | Self::HeldUp)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Fine => "Nothing that the cluster comes back by would be held up.",
            Self::Warned => "The cluster would come back; what would be held up until a replica answers is told above.",
            Self::FineInPart => {
                "As far as it could be tried, the cluster would come back; what could not, and why, is told above."
            }
            Self::Unproved => "Whether the cluster would come back is not known: nothing could be tried, see above.",
            Self::HeldUp => "The cluster might not come back by itself: see above.",
        }
    }
}

/// A finding with what a server does about it.
struct Advised {
    finding: Finding,
    advice: Advice,
}

/// The set that the server would have in force.
async fn set(connection: &Connection, server: &Server, cache: Option<&Path>) -> Result<PolicySet, DoctorError> {
    let sources = match &server.policies {
        Policies::Resources => sources_of(&resources(connection).await.ok_or(DoctorError::Silent)?),
        Policies::Folder(folder) => read_folder(folder).map_err(DoctorError::Refused)?,
        Policies::Profile => Sources::default(),
    };
    let cache = match cache {
        Some(folder) => Cache::Folder(CacheFolder::open(folder).map_err(DoctorError::Cache)?),
        None => Cache::None,
    };
    let options = Options { cache, embedded: &COMPILED, ..Options::default() };
    let engine = Engine::new(options).map_err(DoctorError::Engine)?;
    let modules = RegistryModules::open(&server.registries, None).map_err(DoctorError::Modules)?;
    let own = Some(server.namespace.clone());
    let loader = Loader::new(engine, portreeve_builtin::CATALOGUE, server.labels.clone(), own);
    let loader = loader.with_bounds(server.bounds).with_registry(modules);
    // It waits for registries.
    block_in_place(|| loader.load_at_once(&sources.or_platform())).map_err(DoctorError::Refused)
}

async fn resources(connection: &Connection) -> Option<Resources> {
    let (tell, mut told) = watch::channel(None);
    let watched = watch_resources(connection.client.clone(), tell);
    tokio::select! {
        () = watched => None,
        told = timeout(PATIENCE, told.wait_for(Option::is_some)) => told.ok()?.ok()?.clone(),
    }
}

fn word(advice: Advice) -> &'static str {
    match advice {
        Advice::Refuse => "refuse",
        Advice::Warn => "warn",
    }
}

fn report(set: &PolicySet, advised: &[Advised], proofs: &[Proof]) -> DoctorReport {
    let proof = |proof: &Proof| {
        let (outcome, words) = match &proof.outcome {
            Tried::Passed => ("passed", None),
            Tried::HeldUp(words) => ("held-up", Some(words.clone())),
            Tried::Refused(words) => ("unknown", Some(words.clone())),
            Tried::Untried(words) => ("untried", Some(words.clone())),
        };
        ShownProof { what: proof.what.clone(), outcome, words }
    };
    let finding = |one: &Advised| ShownFinding { advice: word(one.advice), finding: one.finding.to_string() };
    DoctorReport {
        policies: set.policies().len(),
        findings: advised.iter().map(finding).collect(),
        proofs: proofs.iter().map(proof).collect(),
    }
}

fn text(set: &PolicySet, advised: &[Advised], proofs: &[Proof], ending: Ending) -> String {
    let mut lines = vec![format!("{} policies, set {}", set.policies().len(), set.digest())];
    lines.extend(advised.iter().map(|one| format!("[{}] {}", word(one.advice), one.finding)));
    lines.extend(proofs.iter().map(|proof| format!("[tried] {proof}")));
    lines.push(ending.words().to_owned());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(outcomes: &[Tried]) -> Ending {
        let proof = |outcome: &Tried| Proof { what: "Node".to_owned(), outcome: outcome.clone() };
        Ending::of(&[], &outcomes.iter().map(proof).collect::<Vec<_>>())
    }

    #[test]
    fn what_could_not_be_tried_is_no_proof() {
        let words = || "pods is forbidden".to_owned();
        let (untried, refused, held_up) = (Tried::Untried(words()), Tried::Refused(words()), Tried::HeldUp(words()));
        assert_eq!(ending(&[Tried::Passed]), Ending::Fine);
        assert_eq!(ending(&[Tried::Passed, untried.clone()]), Ending::FineInPart);
        assert_eq!(ending(&[Tried::Passed, refused.clone()]), Ending::FineInPart);
        assert_eq!(ending(&[refused, untried.clone()]), Ending::Unproved);
        assert_eq!(ending(&[Tried::Passed, untried, held_up]), Ending::HeldUp);
        assert!(!ending(&[]).is_fine() && !Ending::HeldUp.is_fine() && Ending::FineInPart.is_fine());
    }
}
