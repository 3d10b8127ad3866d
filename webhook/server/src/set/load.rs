//! From sources to a set in force: modules are found, settings held against their schemas, modules configured and
//! compiled. All problems are told at once, and any problem means that nothing changes. What the sources say is sorted
//! out in `draft`, one policy in `drafted`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use portreeve_admission::api::{PolicyExceptionSpec, PolicySetSpec};
use portreeve_admission::break_glass::BreakGlass;
use portreeve_admission::exception::Exception;
use portreeve_admission::matching::Index;
use portreeve_admission::policy::Policy;
use portreeve_admission::recovery::NAMESPACES;
use portreeve_engine::{Engine, Instance, Manifest, Program, Rehearsal};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::draft::{Draft, Finished, Group, Source, Switch, Weight};
use super::drafted::{Drafted, draft_policy, instance_by_name};
use super::folder::{Located, Sources};
use super::namespace::Namespace;
use super::profile::ALWAYS_EXCLUDED;
use super::registry::{Lacking, RegistryModules};
use super::{LoadedModule, PolicySet, ungranted};
use crate::config::NamespacedPolicies;
use crate::digest::sha256;

/// Runs of one module from outside that may go on at once.
const OUTSIDE_TURNS: usize = 2;

/// Makes sets.
pub struct Loader {
    engine: Engine,
    /// The catalogue.
    builtin: &'static [u8],
    default_labels: BTreeMap<String, String>,
    own_namespace: Option<String>,
    pub(super) bounds: NamespacedPolicies,
    pub(super) switch: Switch,
    registry: Option<RegistryModules>,
}

/// A set that can't be put in force.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LoadError {
    /// At least one.
    pub problems: Vec<Problem>,
    /// Whether the same sources may do later: a registry gave no answer.
    pub passing: bool,
}

impl From<Vec<Problem>> for LoadError {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems, passing: false }
    }
}

/// One thing that is wrong with a set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}{reason}", if .place.is_empty() { "" } else { ": " })]
pub struct Problem {
    /// File and line, and the resource; empty if the reason says it.
    pub place: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl Problem {
    /// Whether it is one of this resource, named by kind and name as in `Policy/shop/labels`.
    #[must_use]
    pub fn is_of(&self, reference: &str) -> bool {
        let place = self.place.as_str();
        place == reference || place.strip_suffix(')').is_some_and(|place| place.ends_with(&format!("({reference}")))
    }
}

impl Loader {
    /// A loader that runs policies on this engine. `default_labels` are those of namespaces that nobody describes;
    /// our own namespace, if we have one, no policy sees.
    #[must_use]
    pub fn new(
        engine: Engine,
        builtin: &'static [u8],
        default_labels: BTreeMap<String, String>,
        own_namespace: Option<String>,
    ) -> Self {
        let (bounds, switch) = (NamespacedPolicies::default(), Switch::default());
        Self { engine, builtin, default_labels, own_namespace, bounds, switch, registry: None }
    }

    /// One that takes modules out of registries too.
    #[must_use]
    pub fn with_registry(self, registry: RegistryModules) -> Self {
        Self { registry: Some(registry), ..self }
    }

    /// The same with other bounds on what namespaces ask of themselves.
    #[must_use]
    pub fn with_bounds(self, bounds: NamespacedPolicies) -> Self {
        Self { bounds, ..self }
    }

    /// The same where nobody may set the switch that drops denials: in a cluster it is left out.
    #[must_use]
    pub fn without_break_glass(self) -> Self {
        Self { switch: Switch::Ignored, ..self }
    }

    /// Waits for the modules that registries are still giving, and returns those that came: while they are held, no
    /// registry is asked for them again. For whoever has no set to go on with. Blocks.
    pub(crate) fn await_modules(&self) -> Vec<Arc<[u8]>> {
        self.registry.as_ref().map(RegistryModules::await_all).unwrap_or_default()
    }

    /// The engine that policies run on.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Makes a set. Blocks while modules are compiled.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load(&self, sources: &Sources) -> Result<PolicySet, LoadError> {
        self.make(sources, Engine::load)
    }

    /// Makes the same set without waiting for the compiler, but for modules that were never seen: it is to be
    /// [compiled](Self::compile) while it serves.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load_at_once(&self, sources: &Sources) -> Result<PolicySet, LoadError> {
        self.make(sources, Engine::load_at_once)
    }

    /// Compiles a set that serves already. Blocks.
    ///
    /// # Errors
    /// Why a module can't be compiled. The set serves as before.
    pub fn compile(&self, set: &PolicySet) -> Result<(), portreeve_engine::LoadError> {
        set.compile(|module, instances| self.engine.load(module, instances))
    }

    /// Namespaces that no policy of this set sees.
    pub(super) fn excluded(&self, set: &PolicySetSpec) -> BTreeSet<String> {
        let named = set.excluded_namespaces.clone();
        let named = named.unwrap_or_else(|| NAMESPACES.map(|(name, _)| name.to_owned()).into());
        named.into_iter().chain(ALWAYS_EXCLUDED.map(str::to_owned)).chain(self.own_namespace.clone()).collect()
    }

    fn make(&self, sources: &Sources, put: PutInForce) -> Result<PolicySet, LoadError> {
        let mut draft = Draft::of(sources, self.bounds, self.switch);
        let set = draft.set.clone().unwrap_or_default();
        let groups = self.groups(&mut draft);
        let modules: Vec<Made> =
            groups.into_iter().filter_map(|group| self.module(&mut draft, group, &set, put)).collect();
        let Finished { mut exceptions, left_out, break_glass } = draft.finish()?;
        exceptions.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        let excluded = self.excluded(&set);
        let (digest, content) = described(&modules, &exceptions, &excluded, break_glass.as_ref());
        let (mut policies, mut conditions, mut loaded) = (Vec::new(), HashMap::new(), Vec::new());
        for module in modules {
            for drafted in module.policies {
                if !drafted.conditions.is_empty() {
                    conditions.insert(drafted.policy.id.clone(), drafted.conditions);
                }
                policies.push(drafted.policy);
            }
            loaded.push(module.loaded);
        }
        policies.sort_by(|a: &Policy, b| a.id.cmp(&b.id));
        Ok(PolicySet {
            index: Index::new(&policies, excluded),
            standings: policies.iter().map(Policy::standings).collect(),
            policies,
            conditions,
            modules: loaded,
            exceptions: exceptions.into_iter().map(|(exception, _)| exception).collect(),
            namespaces: sources.namespaces.clone().into_iter().collect(),
            objects: sources.objects.clone(),
            default_namespace: Namespace { labels: self.default_labels.clone(), ..Namespace::default() },
            digest,
            content,
            failure_policy: set.failure_policy,
            left_out,
            break_glass,
            written: sources.resources.iter().map(written).collect(),
            written_by: sources.written_by,
        })
    }

    /// The policies by module. Of modules out of registries all begin to be pulled: each is waited for at its turn.
    pub(super) fn groups(&self, draft: &mut Draft) -> Vec<Group> {
        let groups = draft.groups();
        for group in &groups {
            if let (Source::Registry(named), Some(registry)) = (&group.source, &self.registry) {
                registry.begin(named);
            }
        }
        groups
    }

    /// One module with its policies, put in force; none if something is wrong, which the draft then knows.
    fn module(&self, draft: &mut Draft, group: Group, set: &PolicySetSpec, put: PutInForce) -> Option<Made> {
        let bytes = self.bytes(&group).map_err(|lacking| draft.lacks(&group, lacking)).ok()?;
        // What was in force before comes from the cache, manifests and all. Only what is new is asked what it is.
        let by_name: Option<Vec<Instance>> = group.policies.iter().map(instance_by_name).collect();
        let cached = by_name.and_then(|instances| put(&self.engine, &bytes, &instances).ok());
        let manifests = match &cached {
            Some(program) => program.manifests().to_vec(),
            None => self.inspected(draft, &group, &bytes)?,
        };
        let mut policies = drafted(draft, &group, &manifests, set)?;
        let rehearse = || self.engine.rehearse(&bytes).ok();
        ungranted::leave_out(draft, &group, &manifests, &mut policies, rehearse);
        let program = match cached {
            // It was configured with all of them.
            Some(program) if policies.len() == group.policies.len() => program,
            _ => self.configured(draft, &group, &bytes, &mut policies, put)?,
        };
        let turns = group.source.is_outside().then(|| Arc::new(Semaphore::new(OUTSIDE_TURNS)));
        let instances = policies.iter().map(|policy| policy.instance.clone()).collect();
        let file = group.source.into_file();
        let program = ArcSwap::from_pointee(in_force(program, turns.is_none()));
        let digest = sha256(&bytes);
        Some(Made { loaded: Arc::new(LoadedModule { program, instances, bytes, digest, file, turns }), policies })
    }

    /// A module configured with these policies, but for those that are left out since it refuses their settings.
    fn configured(
        &self,
        draft: &mut Draft,
        group: &Group,
        bytes: &[u8],
        policies: &mut Vec<Drafted>,
        put: PutInForce,
    ) -> Option<Program> {
        loop {
            let instances: Vec<Instance> = policies.iter().map(|policy| policy.instance.clone()).collect();
            let error = match put(&self.engine, bytes, &instances) {
                Ok(program) => return Some(program),
                Err(error) => error,
            };
            let refused = group.policies.iter().find(|located| error.instance() == Some(&located.name));
            let Some(located) = refused else {
                draft.passing |= matches!(error, portreeve_engine::LoadError::NoTurn);
                draft.problem(group.place(), chain(&error));
                return None;
            };
            match draft.problem_of(located, chain(&error)) {
                Weight::LeftOut => policies.retain(|policy| policy.policy.id != located.name),
                Weight::RefusesAll => return None,
            }
        }
    }

    pub(super) fn bytes(&self, group: &Group) -> Result<Arc<[u8]>, Lacking> {
        let lasting = |reason| Lacking { reason, passing: false };
        match &group.source {
            Source::Builtin => Ok(self.builtin.into()),
            Source::File(path) => std::fs::read(path)
                .map(Into::into)
                .map_err(|error| lasting(format!("spec.module.file: {}: {error}", path.display()))),
            Source::Registry(named) => match &self.registry {
                Some(registry) => registry.get(named).map_err(|lacking| Lacking {
                    reason: format!("spec.module.oci: {}", lacking.reason),
                    passing: lacking.passing,
                }),
                None => Err(lasting(format!("spec.module.oci: {named}: modules out of registries can't be had here"))),
            },
        }
    }

    fn inspected(&self, draft: &mut Draft, group: &Group, bytes: &[u8]) -> Option<Vec<Manifest>> {
        self.rehearsal(draft, group, bytes).map(|rehearsal| rehearsal.manifests().to_vec())
    }

    /// A module as it can be asked before it is in force.
    pub(super) fn rehearsal(&self, draft: &mut Draft, group: &Group, bytes: &[u8]) -> Option<Rehearsal> {
        match self.engine.rehearse(bytes) {
            Ok(rehearsal) => Some(rehearsal),
            Err(error) => {
                draft.problem(group.place(), format!("spec.module: {}", chain(&error)));
                None
            }
        }
    }
}

/// A program as it serves. What ships is never suspended: an object that takes long must not switch a policy off for
/// everybody's.
pub(super) fn in_force(program: Program, ships: bool) -> Program {
    if ships { program.never_suspended() } else { program }
}

/// A resource by its kind and name.
fn written(located: &Located) -> (String, Located) {
    (located.resource.reference(), located.clone())
}

/// How the engine puts a module in force: whole, or at once.
type PutInForce = fn(&Engine, &[u8], &[Instance]) -> Result<Program, portreeve_engine::LoadError>;

/// A module in force.
struct Made {
    loaded: Arc<LoadedModule>,
    policies: Vec<Drafted>,
}

/// The policies of a module, each checked against its manifest.
fn drafted(draft: &mut Draft, group: &Group, manifests: &[Manifest], set: &PolicySetSpec) -> Option<Vec<Drafted>> {
    let mut good = Vec::new();
    let mut weights = Vec::new();
    for located in &group.policies {
        match draft_policy(located, manifests, set) {
            Ok(policy) => good.push(policy),
            Err(reasons) => weights.extend(reasons.into_iter().map(|reason| draft.problem_of(located, reason))),
        }
    }
    weights.iter().all(|weight| *weight == Weight::LeftOut).then_some(good)
}

/// The set in words, its digest, and all that records of it name but the modules. Where files lie says nothing in it:
/// the same policies are the same set.
fn described(
    modules: &[Made],
    exceptions: &[(Exception, PolicyExceptionSpec)],
    excluded: &BTreeSet<String>,
    break_glass: Option<&BreakGlass>,
) -> (String, Vec<Vec<u8>>) {
    let mut content: Vec<Vec<u8>> = Vec::new();
    let mut policies = Vec::new();
    for (module, drafted) in by_name(modules) {
        let settings = drafted.instance.settings.to_string().into_bytes();
        policies.push(json!({
            "id": drafted.policy.id,
            "namespace": drafted.policy.of_namespace,
            "policy": drafted.instance.policy,
            "module": module,
            "settings": sha256(&settings),
            "mode": drafted.policy.mode,
            "mutate": drafted.policy.mutate,
            "rollout": drafted.policy.rollout,
            "failurePolicy": drafted.policy.failure_policy,
            "timeoutMilliseconds": u64::try_from(drafted.policy.timeout.as_millis()).unwrap_or(u64::MAX),
            "match": drafted.policy.matching,
            "facts": drafted.policy.facts,
        }));
        content.push(settings);
    }
    let exceptions: Vec<Value> =
        exceptions.iter().map(|(exception, spec)| json!({"name": exception.name, "spec": spec})).collect();
    let glass = break_glass.map(|glass| json!({"until": glass.until, "reason": glass.reason}));
    let set = json!({
        "policies": policies, "exceptions": exceptions, "excludedNamespaces": excluded, "breakGlass": glass,
    });
    let set = set.to_string().into_bytes();
    let digest = sha256(&set);
    content.push(set);
    (digest, content)
}

/// Every policy with the digest of its module, in the order of the policies' names.
fn by_name(modules: &[Made]) -> Vec<(String, &Drafted)> {
    let mut all = Vec::new();
    for module in modules {
        let digest = module.loaded.digest();
        all.extend(module.policies.iter().map(|drafted| (digest.clone(), drafted)));
    }
    all.sort_by(|(_, a), (_, b)| a.policy.id.cmp(&b.policy.id));
    all
}

/// An error with all that led to it, for whoever runs the server.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}
