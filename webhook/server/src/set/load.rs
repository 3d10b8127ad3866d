//! From sources to a set in force: names are checked, modules found, settings held against their schemas, modules
//! configured and compiled. All problems are told at once, and any problem means that nothing changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portreeve_admission::api::{
    ClusterPolicySpec, Mode, ModuleSource, PolicyExceptionSpec, PolicySetSpec, Profile, Resource,
};
use portreeve_admission::exception::Exception;
use portreeve_admission::matching::Index;
use portreeve_admission::policy::{Abilities, Policy, ResourceRule};
use portreeve_engine::{Engine, Instance, Manifest};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::folder::{Located, Sources, place_of};
use super::namespace::Namespace;
use super::profile::{EXCLUDED_NAMESPACES, platform};
use super::{LoadedModule, PolicySet, settings};
use crate::deadline::duration;

/// What a policy may take if neither it nor the set says.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Runs of one module from outside that may go on at once.
const OUTSIDE_TURNS: usize = 2;

/// Makes sets.
pub struct Loader {
    engine: Engine,
    /// The catalogue.
    builtin: &'static [u8],
    default_labels: BTreeMap<String, String>,
    own_namespace: Option<String>,
}

/// A set that can't be put in force.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LoadError {
    /// At least one.
    pub problems: Vec<Problem>,
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
        Self { engine, builtin, default_labels, own_namespace }
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
        let mut draft = Draft::default();
        let sources = draft.with_profile(sources);
        draft.sort(&sources);
        let set = draft.set.clone().unwrap_or_default();
        let modules = draft.modules(self);
        let policies = draft.policies(&modules, &set);
        draft.in_order()?;
        let loaded = self.compile(&mut draft, &modules, &policies);
        draft.in_order()?;
        Ok(self.put_together(policies, loaded, draft, &sources, &set))
    }

    fn compile(&self, draft: &mut Draft, modules: &[Module], policies: &[Drafted]) -> Vec<Arc<LoadedModule>> {
        let mut loaded = Vec::new();
        for module in modules {
            let own: Vec<&Drafted> = policies.iter().filter(|policy| policy.module == module.source).collect();
            let instances: Vec<Instance> = own.iter().map(|policy| policy.instance.clone()).collect();
            match self.engine.load(&module.bytes, &instances) {
                Ok(program) => loaded.push(Arc::new(LoadedModule {
                    program,
                    ids: own.iter().map(|policy| policy.policy.id.clone()).collect(),
                    turns: module.source.is_outside().then(|| Arc::new(Semaphore::new(OUTSIDE_TURNS))),
                })),
                Err(error) => draft.problem(&module.place, chain(&error)),
            }
        }
        loaded
    }

    fn put_together(
        &self,
        drafted: Vec<Drafted>,
        modules: Vec<Arc<LoadedModule>>,
        draft: Draft,
        sources: &Sources,
        set: &PolicySetSpec,
    ) -> PolicySet {
        let excluded = set.excluded_namespaces.clone().unwrap_or_else(|| EXCLUDED_NAMESPACES.map(str::to_owned).into());
        let excluded: BTreeSet<String> = excluded.into_iter().chain(self.own_namespace.clone()).collect();
        let (digest, content) = described(&drafted, &draft.exceptions, &excluded, &draft.module_bytes);
        let policies: Vec<Policy> = drafted.into_iter().map(|drafted| drafted.policy).collect();
        PolicySet {
            index: Index::new(&policies, excluded),
            policies,
            modules,
            exceptions: draft.exceptions.into_iter().map(|(exception, _)| exception).collect(),
            namespaces: sources.namespaces.clone().into_iter().collect(),
            default_namespace: Namespace { labels: self.default_labels.clone(), ..Namespace::default() },
            digest,
            content,
        }
    }
}

/// A set in the making, with all that is wrong so far.
#[derive(Default)]
struct Draft {
    policies: Vec<(Located, ClusterPolicySpec)>,
    set: Option<PolicySetSpec>,
    exceptions: Vec<(Exception, PolicyExceptionSpec)>,
    module_bytes: HashMap<Source, Arc<[u8]>>,
    problems: Vec<Problem>,
}

/// Where a module's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Source {
    Builtin,
    File(PathBuf),
}

struct Module {
    source: Source,
    place: String,
    bytes: Arc<[u8]>,
    manifests: Vec<Manifest>,
}

/// A policy with what its module is to be configured with.
struct Drafted {
    policy: Policy,
    module: Source,
    instance: Instance,
    spec: ClusterPolicySpec,
}

impl Source {
    fn is_outside(&self) -> bool {
        *self != Self::Builtin
    }

    fn of(located: &Located, module: &ModuleSource) -> Self {
        match module {
            ModuleSource::Builtin { .. } => Self::Builtin,
            ModuleSource::File { file, .. } => Self::File(located.folder.join(file)),
        }
    }
}

impl Draft {
    fn problem(&mut self, place: &str, reason: impl Into<String>) {
        self.problems.push(Problem { place: place.to_owned(), reason: reason.into() });
    }

    fn in_order(&mut self) -> Result<(), LoadError> {
        if self.problems.is_empty() { Ok(()) } else { Err(LoadError { problems: std::mem::take(&mut self.problems) }) }
    }

    /// The sources, with the built-in profile under those of its policies that nobody replaces.
    fn with_profile(&mut self, sources: &Sources) -> Sources {
        let sets = sources.resources.iter().filter_map(|located| match &located.resource {
            Resource::PolicySet(set) => Some(set.spec.profile),
            _ => None,
        });
        let mut all = sources.clone();
        if sets.into_iter().any(|profile| profile == Profile::Platform) {
            let own: BTreeSet<String> = sources.resources.iter().map(|located| located.resource.reference()).collect();
            all.add_builtin(platform().into_iter().filter(|resource| !own.contains(&resource.reference())));
        }
        all
    }

    fn sort(&mut self, sources: &Sources) {
        let mut seen: HashMap<String, String> = HashMap::new();
        for located in &sources.resources {
            let reference = located.resource.reference();
            if let Some(first) = seen.insert(reference.clone(), located.place.clone()) {
                self.problem(&located.place, format!("{reference} stands twice; the other one is at {first}"));
                continue;
            }
            match &located.resource {
                Resource::ClusterPolicy(object) => self.policies.push((located.clone(), object.spec.clone())),
                Resource::PolicySet(object) if self.set.is_none() => self.set = Some(object.spec.clone()),
                Resource::PolicySet(_) => self.problem(&located.place, "a second PolicySet: one set is in force"),
                Resource::PolicyException(object) => match Exception::new(&object.metadata, object.spec.clone()) {
                    Ok(exception) => self.exceptions.push((exception, object.spec.clone())),
                    Err(error) => self.problem(&place_of(located), error.to_string()),
                },
            }
        }
        self.choose();
        self.policies.sort_by_key(|(located, _)| located.resource.reference());
    }

    /// Keeps the policies that the set names, and asks for each name to be there.
    fn choose(&mut self) {
        let named = self.set.as_ref().map(|set| set.policies.clone()).unwrap_or_default();
        let name = |located: &Located| match &located.resource {
            Resource::ClusterPolicy(object) => object.metadata.name.clone(),
            _ => String::new(),
        };
        let known: BTreeSet<String> = self.policies.iter().map(|(located, _)| name(located)).collect();
        for missing in named.iter().filter(|name| !known.contains(*name)) {
            self.problem("PolicySet", format!("spec.policies names {missing:?}, and there is no such ClusterPolicy"));
        }
        if !named.is_empty() {
            self.policies.retain(|(located, _)| named.contains(&name(located)));
        }
        let unknown = |exception: &Exception| !known.contains(exception.policy());
        let strays: Vec<Problem> = self
            .exceptions
            .iter()
            .filter(|(exception, _)| unknown(exception))
            .map(|(exception, _)| Problem {
                place: format!("PolicyException/{}", exception.name),
                reason: format!("spec.policy names {:?}, and there is no such ClusterPolicy", exception.policy()),
            })
            .collect();
        self.problems.extend(strays);
    }

    /// Each module once, inspected.
    fn modules(&mut self, loader: &Loader) -> Vec<Module> {
        let mut sources: Vec<(Source, String)> = self
            .policies
            .iter()
            .map(|(located, spec)| (Source::of(located, &spec.module), place_of(located).to_string()))
            .collect();
        sources.sort();
        sources.dedup_by(|(a, _), (b, _)| a == b);
        sources.into_iter().filter_map(|(source, place)| self.module(loader, source, place)).collect()
    }

    fn module(&mut self, loader: &Loader, source: Source, place: String) -> Option<Module> {
        let bytes: Arc<[u8]> = match &source {
            Source::Builtin => loader.builtin.into(),
            Source::File(path) => match std::fs::read(path) {
                Ok(bytes) => bytes.into(),
                Err(error) => {
                    self.problem(&place, format!("spec.module.file: {}: {error}", path.display()));
                    return None;
                }
            },
        };
        match loader.engine.inspect(&bytes).map(|inspection| inspection.manifests) {
            Ok(manifests) => {
                self.module_bytes.insert(source.clone(), Arc::clone(&bytes));
                Some(Module { source, place, bytes, manifests })
            }
            Err(error) => {
                self.problem(&place, format!("spec.module: {}", chain(&error)));
                None
            }
        }
    }

    fn policies(&mut self, modules: &[Module], set: &PolicySetSpec) -> Vec<Drafted> {
        let mut drafted = Vec::new();
        for (located, spec) in std::mem::take(&mut self.policies) {
            let place = place_of(&located);
            let source = Source::of(&located, &spec.module);
            let Some(module) = modules.iter().find(|module| module.source == source) else { continue };
            match draft_policy(&located, &spec, module, set) {
                Ok(policy) => drafted.push(policy),
                Err(reasons) => reasons.into_iter().for_each(|reason| self.problem(&place, reason)),
            }
        }
        drafted
    }
}

fn draft_policy(
    located: &Located,
    spec: &ClusterPolicySpec,
    module: &Module,
    set: &PolicySetSpec,
) -> Result<Drafted, Vec<String>> {
    let Resource::ClusterPolicy(object) = &located.resource else { return Err(Vec::new()) };
    let manifest = carried(&spec.module, &module.manifests).map_err(|reason| vec![reason])?;
    let settings = Value::Object(spec.settings.clone());
    let mut reasons = Vec::new();
    match settings::faults(&manifest.settings_schema, &settings) {
        Ok(faults) => reasons.extend(faults.iter().map(|fault| format!("spec.{fault}"))),
        Err(reason) => reasons.push(format!("the schema of {:?} is none: {reason}", manifest.name)),
    }
    let selectors =
        [("namespaceSelector", &spec.matching.namespace_selector), ("objectSelector", &spec.matching.object_selector)];
    for (field, selector) in selectors {
        let fault = selector.as_ref().and_then(|selector| selector.check().err());
        reasons.extend(fault.map(|error| format!("spec.match.{field}: {error}")));
    }
    let timeout = spec.timeout.as_deref().or(set.timeout.as_deref()).map(duration).transpose();
    let timeout = timeout.map_err(|error| reasons.push(format!("spec.{error}"))).ok().flatten().unwrap_or(TIMEOUT);
    reasons.extend(undeclared(spec, manifest));
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let id = object.metadata.name.clone();
    let granted: BTreeSet<_> = spec.facts.iter().copied().collect();
    let instance = Instance { id: id.clone(), policy: manifest.name.clone(), settings, granted: granted.clone() };
    let policy = Policy {
        id,
        mode: spec.mode,
        mutate: spec.mutate.unwrap_or(spec.mode != Mode::Audit),
        failure_policy: spec.failure_policy.unwrap_or(set.failure_policy),
        timeout,
        matching: spec.matching.clone(),
        wants: manifest.resources.iter().map(wanted).collect(),
        can: Abilities {
            validate: manifest.can.validate,
            mutate: manifest.can.mutate,
            rewrite_images: manifest.can.rewrite_images,
        },
        facts: granted,
    };
    Ok(Drafted { policy, module: module.source.clone(), instance, spec: spec.clone() })
}

/// The policy of the module that the source names.
fn carried<'a>(source: &ModuleSource, manifests: &'a [Manifest]) -> Result<&'a Manifest, String> {
    let names = || manifests.iter().map(|manifest| manifest.name.as_str()).collect::<Vec<_>>().join(", ");
    let wanted = match source {
        ModuleSource::Builtin { builtin } => Some(builtin),
        ModuleSource::File { policy, .. } => policy.as_ref(),
    };
    match (wanted, manifests) {
        (Some(wanted), _) => manifests
            .iter()
            .find(|manifest| &manifest.name == wanted)
            .ok_or_else(|| format!("spec.module: there is no policy {wanted:?}; there are {}", names())),
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("spec.module: say which policy of the module: {}", names())),
    }
}

/// Facts that are granted without being asked for, which is a mistake as a rule.
fn undeclared(spec: &ClusterPolicySpec, manifest: &Manifest) -> Vec<String> {
    let asked = |kind| manifest.facts.iter().any(|need| need.kind == kind);
    let stray = spec.facts.iter().filter(|kind| !asked(**kind));
    stray.map(|kind| format!("spec.facts: {:?} does not ask for {:?}", manifest.name, kind.name())).collect()
}

fn wanted(rule: &portreeve_engine::ResourceRule) -> ResourceRule {
    ResourceRule {
        groups: rule.groups.clone(),
        versions: rule.versions.clone(),
        resources: rule.resources.clone(),
        operations: rule.operations.iter().map(ToString::to_string).collect(),
    }
}

/// The set in words, its digest, and all that records of it name.
fn described(
    drafted: &[Drafted],
    exceptions: &[(Exception, PolicyExceptionSpec)],
    excluded: &BTreeSet<String>,
    modules: &HashMap<Source, Arc<[u8]>>,
) -> (String, Vec<Vec<u8>>) {
    let mut content: Vec<Vec<u8>> = modules.values().map(|bytes| bytes.to_vec()).collect();
    let digests: HashMap<&Source, String> = modules.iter().map(|(source, bytes)| (source, sha256(bytes))).collect();
    let mut policies = Vec::new();
    for drafted in drafted {
        let settings = drafted.instance.settings.to_string().into_bytes();
        policies.push(json!({
            "id": drafted.policy.id,
            "policy": drafted.instance.policy,
            "module": digests.get(&drafted.module),
            "settings": sha256(&settings),
            "mode": drafted.policy.mode,
            "mutate": drafted.policy.mutate,
            "failurePolicy": drafted.policy.failure_policy,
            "timeoutMilliseconds": u64::try_from(drafted.policy.timeout.as_millis()).unwrap_or(u64::MAX),
            "match": drafted.spec.matching,
            "facts": drafted.policy.facts,
        }));
        content.push(settings);
    }
    let exceptions: Vec<Value> =
        exceptions.iter().map(|(exception, spec)| json!({"name": exception.name, "spec": spec})).collect();
    let set = json!({"policies": policies, "exceptions": exceptions, "excludedNamespaces": excluded});
    let set = set.to_string().into_bytes();
    let digest = sha256(&set);
    content.push(set);
    (digest, content)
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// An error with all that led to it, for whoever runs the server.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
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
