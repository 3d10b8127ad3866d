//! `portreeve export vap`: what of the policies holds inside the API server while no webhook answers.

use std::collections::BTreeSet;
use std::io::stdin;
use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use portreeve_admission::policy::Policy;
use portreeve_cluster::backstop::{Backstop, Demand, InForce, ON_REQUEST, Stated};
use portreeve_engine::{Engine, Options};
use portreeve_server::manifest::{Manifest, read_paths};
use portreeve_server::set::{COMPILED, Loader, PolicySet, Problem, Rules, Sources, WrittenBy};
use serde_json::{Value, json};

use crate::judging::cache;
use crate::outcome::{Failure, Outcome};
use crate::output::{print_json, print_text, tell};

/// Prints a backstop: ValidatingAdmissionPolicies that hold while no webhook answers.
///
/// Each ClusterPolicy that can be said in the API server's own words (CEL) becomes a ValidatingAdmissionPolicy and its
/// binding: its mode, selectors, settings and exceptions are kept. So does each Policy, for its own namespace. They
/// refuse only what no default would have put right, such as `privileged: true`: while the webhook is away nobody puts
/// anything in, and what is merely missing passes. Policies that can't be said, or not with their settings, are told of
/// on stderr, with the reason; so is what a namespace got wrong, which a cluster leaves out of its set too.
///
/// The backstop is made of the policies as they are now. Export it again when they change, or when an exception ends.
///
/// Exit codes: 0 printed, whatever was left out; 2 the policies can't be read, or not be in force.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  portreeve export vap | kubectl apply -f -                        the platform profile
  portreeve export vap policies/ | kubectl apply -f - --prune -l app.kubernetes.io/component=backstop \\
    --prune-allowlist=admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy \\
    --prune-allowlist=admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding
                                                                   and takes away what is no longer exported
  kubectl get -A -o yaml clusterpolicies.portreeve.dev,policysets.portreeve.dev > policies.yaml
  kubectl get -A -o yaml policies.portreeve.dev,policyexceptions.portreeve.dev > of-namespaces.yaml
  portreeve export vap policies.yaml of-namespaces.yaml            what a cluster has
  portreeve export vap policies/ --with image-digest -o json
  kubectl get validatingadmissionpolicies -l app.kubernetes.io/component=backstop")]
pub(super) struct Arguments {
    /// Policy files, folders of them (all *.yaml, *.yml and *.json), or `-` for stdin. Left out, or without a
    /// ClusterPolicy and a PolicySet: the platform profile.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The namespace that the server runs in, which no policy sees.
    #[arg(long, short, value_name = "NAME", default_value = "portreeve")]
    namespace: String,
    /// A policy that is left out otherwise, since it refuses what the webhook puts right as a rule; may be given
    /// several times.
    #[arg(long, value_name = "POLICY", value_parser = PossibleValuesParser::new(ON_REQUEST))]
    with: Vec<String>,
    /// Folder for compiled policies, private to you. Left out: `portreeve/policies` in your cache folder.
    #[arg(long, value_name = "FOLDER", env = "PORTREEVE_CACHE")]
    cache: Option<PathBuf>,
    /// How it is printed.
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value_t)]
    output: Form,
}

/// What is told where nothing else says what to export.
const PROFILE: &str = "neither a ClusterPolicy nor a PolicySet was read: this is the platform profile";

/// How objects are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One document after the other.
    #[default]
    Yaml,
    /// A List.
    Json,
}

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("the policies can't be in force:\n{0}")]
    Refused(#[from] portreeve_server::set::LoadError),
    #[error("the policy engine")]
    Engine(#[from] portreeve_engine::EngineError),
    #[error("it can't be written as YAML")]
    Unwritable(#[from] serde_saphyr::ser::Error),
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let mut manifests = read_paths(&arguments.paths, &mut stdin().lock()).map_err(Failure::input)?;
    manifests.retain(|manifest| !is_namespaces_fault(manifest));
    let (sources, rules) = Sources::among(&manifests).map_err(ExportError::Refused).map_err(Failure::input)?;
    let set = load(arguments, &Sources { written_by: WrittenBy::Gathered, ..sources })?;
    let backstop = of_set(&set, &arguments.with);
    let objects: Vec<Value> = backstop.policies.iter().flat_map(objects).collect();
    if rules == Rules::OfProfile {
        tell(PROFILE);
    }
    match arguments.output {
        Form::Json => print_json(&json!({"apiVersion": "v1", "kind": "List", "items": objects}))?,
        Form::Yaml => print_text(&documents(&objects).map_err(Failure::failed)?)?,
    }
    set.left_out().iter().for_each(|problem| tell(&left_out(problem)));
    backstop.left_out.iter().for_each(|left_out| tell(&left_out.to_string()));
    backstop.policies.iter().flat_map(endings).for_each(|words| tell(&words));
    Ok(Outcome::Fine)
}

/// Whether it is a namespace's and can't be read, which is told.
fn is_namespaces_fault(manifest: &Manifest) -> bool {
    let of_namespace = ["Policy", "PolicyException"].contains(&manifest.kind());
    let problem = of_namespace.then(|| Sources::default().add(manifest).err()).flatten();
    problem.inspect(|problem| tell(&left_out(problem))).is_some()
}

fn left_out(problem: &Problem) -> String {
    format!("{} is left out: {}", problem.place, problem.reason)
}

/// The set as it would be in force, so that only what a server takes is exported.
fn load(arguments: &Arguments, sources: &Sources) -> Result<PolicySet, Failure> {
    let options = Options { cache: cache(arguments.cache.as_deref())?, embedded: &COMPILED, ..Options::default() };
    let engine = Engine::new(options).map_err(ExportError::Engine).map_err(Failure::failed)?;
    let own = Some(arguments.namespace.clone());
    let loader = Loader::new(engine, portreeve_builtin::CATALOGUE, [].into(), own);
    loader.load(sources).map_err(ExportError::Refused).map_err(Failure::input)
}

fn of_set(set: &PolicySet, with: &[String]) -> Backstop {
    let excluded: BTreeSet<String> = set.index().excluded().map(str::to_owned).collect();
    Backstop::of(&Demand {
        policies: set.policies().iter().filter_map(|policy| in_force(set, policy)).collect(),
        exceptions: set.exceptions(),
        excluded: &excluded,
        with,
        now: Timestamp::now(),
    })
}

fn in_force<'a>(set: &'a PolicySet, policy: &'a Policy) -> Option<InForce<'a>> {
    let module = set.modules().iter().find(|module| module.carries(&policy.id))?;
    let instance = module.instances().iter().find(|instance| instance.id == policy.id)?;
    let builtin = module.file().is_none().then_some(instance.policy.as_str());
    Some(InForce { policy, builtin, settings: &instance.settings })
}

fn objects(stated: &Stated) -> impl Iterator<Item = Value> {
    [json!(stated.policy), json!(stated.binding)].into_iter()
}

fn documents(objects: &[Value]) -> Result<String, ExportError> {
    let documents = objects.iter().map(serde_saphyr::to_string).collect::<Result<Vec<String>, _>>()?;
    Ok(documents.join("---\n"))
}

/// What there is to tell of the exceptions of a policy.
fn endings(stated: &Stated) -> impl Iterator<Item = String> {
    let policy = stated.binding.spec.policy_name.clone();
    stated.until.iter().map(move |(exception, end)| {
        format!("{policy} holds the exception {exception}, which it can't end: export it again at {end}")
    })
}
