//! What sources say, sorted out: the profile, the set, which policies are in force, exceptions, which module carries
//! what. Names are checked here; what a policy's own manifest has to say is checked in `drafted`, and how much
//! namespaces may ask of themselves in `bounds`.

mod bounds;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use jiff::Timestamp;
use portreeve_admission::api::{ClusterPolicySpec, ModuleSource, Object, PolicyExceptionSpec, PolicySetSpec, Resource};
use portreeve_admission::break_glass::{BreakGlass, BreakGlassError, UNTIL};
use portreeve_admission::exception::Exception;
use portreeve_builtin::RULES;

use super::folder::{Located, Sources, WrittenBy, place_of};
use super::load::{LoadError, Problem};
use super::registry::Lacking;
use crate::config::NamespacedPolicies;

/// A set in the making, with all that is wrong so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) set: Option<PolicySetSpec>,
    /// File, line and name of the set, if there is one.
    set_place: String,
    policies: Vec<InForce>,
    exceptions: Vec<Excepted>,
    problems: Vec<Problem>,
    written_by: WrittenBy,
    switch: Switch,
    break_glass: Option<BreakGlass>,
    left_out: Vec<Problem>,
    /// Whether some of it may do later.
    pub(super) passing: bool,
}

/// Whether the switch that drops denials counts where it stands in a cluster, where many may annotate a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Switch {
    /// Whoever set it was asked whether he may.
    #[default]
    Heeded,
    /// Nobody may set it.
    Ignored,
}

/// What a problem leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// The whole set is refused.
    RefusesAll,
    /// What it is about is not part of the set.
    LeftOut,
}

/// What there is beside policies, if nothing is wrong.
pub(super) struct Finished {
    /// Exceptions.
    pub(super) exceptions: Vec<(Exception, PolicyExceptionSpec)>,
    /// What was wrong with a namespace's own part, and a switch that nobody may set.
    pub(super) left_out: Vec<Problem>,
    /// Whether denials are dropped for a time.
    pub(super) break_glass: Option<BreakGlass>,
}

/// A ClusterPolicy that is to be in force.
pub(super) struct InForce {
    /// Its name, that of a Policy with its namespace.
    pub(super) name: String,
    /// When it was first stored, if it was.
    created: Option<Timestamp>,
    /// The namespace whose own it is, if it is one's.
    pub(super) namespace: Option<String>,
    /// File, line and name.
    pub(super) place: String,
    pub(super) spec: ClusterPolicySpec,
    source: Source,
}

/// An exception that is to count.
struct Excepted {
    exception: Exception,
    spec: PolicyExceptionSpec,
    /// File, line and name.
    place: String,
}

/// The policies of one module; at least one.
pub(super) struct Group {
    pub(super) source: Source,
    pub(super) policies: Vec<InForce>,
}

/// Where a module's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Source {
    Builtin,
    File(PathBuf),
    /// By digest in a registry.
    Registry(String),
}

const FILE_IN_A_CLUSTER: &str =
    "spec.module.file: a file is named in policy files alone; in a cluster use builtin or oci";

/// A set is asked by names that no namespace qualifies.
const POLICY_IN_A_SET: &str =
    "a Policy can't be part of a set: write a ClusterPolicy whose match.namespaceSelector names the namespace";

const POLICY_OF_NO_NAMESPACE: &str = "metadata.namespace: a Policy is a namespace's own, and this one names none";

impl Group {
    /// Where the module is first named.
    pub(super) fn place(&self) -> &str {
        self.policies.first().map(|policy| policy.place.as_str()).unwrap_or_default()
    }
}

impl Excepted {
    /// Why it can't be one to this policy; none if it can. What rules a policy has is known of those that ship.
    fn refused_by(&self, policy: &ClusterPolicySpec) -> Option<String> {
        let (name, namespace) = (self.exception.policy(), self.exception.namespace());
        if let Some(Err(refused)) = policy.exceptions.as_ref().map(|rules| rules.allow_in(name, namespace)) {
            return Some(refused.to_string());
        }
        let ModuleSource::Builtin { builtin } = &policy.module else { return None };
        let (_, known) = RULES.iter().find(|(name, _)| name == builtin)?;
        let unknown = self.spec.rules.iter().find(|rule| !known.contains(&rule.as_str()))?;
        Some(format!("spec.rules: {builtin:?} has no rule {unknown:?}; there are {}", known.join(", ")))
    }
}

impl Source {
    /// Whether it is not ours.
    pub(super) fn is_outside(&self) -> bool {
        *self != Self::Builtin
    }

    /// The file, if it comes from one.
    pub(super) fn into_file(self) -> Option<PathBuf> {
        match self {
            Self::Builtin | Self::Registry(_) => None,
            Self::File(path) => Some(path),
        }
    }

    fn of(located: &Located) -> Self {
        match &located.resource {
            Resource::ClusterPolicy(Object {
                spec: ClusterPolicySpec { module: ModuleSource::Oci { oci, .. }, .. },
                ..
            }) => Self::Registry(oci.clone()),
            _ => located.module_file().map_or(Self::Builtin, Self::File),
        }
    }
}

impl Draft {
    /// Sorts out what the sources say, and keeps what is to be in force.
    pub(super) fn of(sources: &Sources, bounds: NamespacedPolicies, switch: Switch) -> Self {
        let mut draft = Self::of_each(sources, bounds, switch);
        draft.choose();
        draft
    }

    /// Sorts out what the sources say, each for itself: whether what one names is there is not asked.
    pub(super) fn of_each(sources: &Sources, bounds: NamespacedPolicies, switch: Switch) -> Self {
        let mut all = sources.clone();
        all.add_profile();
        let (problems, written_by) = (all.unreadable.clone(), all.written_by);
        let mut draft = Self { problems, written_by, switch, ..Self::default() };
        draft.sort(&all);
        draft.bound(bounds);
        draft.disallow();
        draft
    }

    /// Puts down a problem.
    pub(super) fn problem(&mut self, place: &str, reason: impl Into<String>) {
        self.problems.push(Problem { place: place.to_owned(), reason: reason.into() });
    }

    /// Puts down a problem of a policy.
    pub(super) fn problem_of(&mut self, policy: &InForce, reason: String) -> Weight {
        match policy.namespace {
            Some(_) => self.problem_of_namespace(policy.place.clone(), reason),
            None => {
                self.problem(&policy.place, reason);
                Weight::RefusesAll
            }
        }
    }

    /// Puts down what is wrong with a namespace's own part.
    fn problem_of_namespace(&mut self, place: String, reason: String) -> Weight {
        let problem = Problem { place, reason };
        match self.written_by {
            WrittenBy::OneHand => {
                self.problems.push(problem);
                Weight::RefusesAll
            }
            WrittenBy::Namespaces | WrittenBy::Gathered => {
                self.left_out.push(problem);
                Weight::LeftOut
            }
        }
    }

    /// Puts down that the module of these policies can't be had.
    pub(super) fn lacks(&mut self, group: &Group, Lacking { reason, passing }: Lacking) {
        if self.written_by == WrittenBy::Gathered {
            let places = group.policies.iter().map(|policy| policy.place.clone());
            self.left_out.extend(places.map(|place| Problem { place, reason: reason.clone() }));
        } else {
            self.passing |= passing;
            self.problem(group.place(), reason);
        }
    }

    /// All that is wrong: with the whole, and with a namespace's own part.
    pub(super) fn problems(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems, self.left_out)
    }

    /// The exceptions and what was left out, if nothing is wrong with the whole.
    pub(super) fn finish(self) -> Result<Finished, LoadError> {
        if self.problems.is_empty() {
            let Self { exceptions, left_out, break_glass, .. } = self;
            let exceptions = exceptions.into_iter().map(|excepted| (excepted.exception, excepted.spec)).collect();
            return Ok(Finished { exceptions, left_out, break_glass });
        }
        Err(LoadError { problems: self.problems, passing: self.passing })
    }

    /// The policies in force, by module, in the order of their names. Modules that may not be read have none.
    pub(super) fn groups(&mut self) -> Vec<Group> {
        let mut policies = std::mem::take(&mut self.policies);
        policies.retain(|policy| self.may_read(&policy.source));
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        let mut groups: BTreeMap<Source, Vec<InForce>> = BTreeMap::new();
        for policy in policies {
            groups.entry(policy.source.clone()).or_default().push(policy);
        }
        groups.into_iter().map(|(source, policies)| Group { source, policies }).collect()
    }

    fn sort(&mut self, sources: &Sources) {
        let mut seen: HashMap<String, String> = HashMap::new();
        let mut sets = Vec::new();
        for located in &sources.resources {
            let reference = located.resource.reference();
            if let Some(first) = seen.insert(reference.clone(), located.place.clone()) {
                self.problem(&located.place, format!("{reference} stands twice; the other one is at {first}"));
            } else if let Resource::PolicySet(set) = &located.resource {
                sets.push((located, set));
            } else {
                self.add(located);
            }
        }
        self.take_set(sets);
    }

    /// Takes the oldest of these sets: one that comes later is the one too many.
    fn take_set(&mut self, mut sets: Vec<(&Located, &Object<PolicySetSpec>)>) {
        sets.sort_by_key(|(_, set)| age(set));
        let mut sets = sets.into_iter();
        let Some((located, set)) = sets.next() else { return };
        self.set = Some(set.spec.clone());
        self.set_place = place_of(located);
        if let Err(error) = set.spec.check() {
            self.problem(&place_of(located), format!("spec.{error}"));
        }
        self.take_switch(&set.metadata.annotations, located);
        let first = located.resource.reference();
        for (second, _) in sets {
            self.problem(
                &place_of(second),
                format!("a second PolicySet: one set is in force, and {first} is there already"),
            );
        }
    }

    fn take_switch(&mut self, annotations: &BTreeMap<String, String>, located: &Located) {
        match BreakGlass::of(annotations) {
            Ok(None) => {}
            // It says nothing of an end: what is left when the end was taken back.
            Err(BreakGlassError::NoEnd) if self.written_by == WrittenBy::Namespaces => {}
            _ if self.ignores_switch() => {
                let reason = format!(
                    "metadata.annotations: {UNTIL} is not heeded and denials count, since kubernetes.breakGlassGroup \
                     names no group that may set it: take it back, or name one"
                );
                self.left_out.push(Problem { place: place_of(located), reason });
            }
            Ok(glass) => self.break_glass = glass,
            Err(error) => self.problem(&place_of(located), error.to_string()),
        }
    }

    /// Whoever writes policy files decides about the switch too.
    fn ignores_switch(&self) -> bool {
        self.written_by == WrittenBy::Namespaces && self.switch == Switch::Ignored
    }

    /// Whether a module may come from there. Whoever writes to a cluster says nothing of a replica's disk.
    fn may_read(&self, source: &Source) -> bool {
        self.written_by != WrittenBy::Namespaces || !matches!(source, Source::File(_))
    }

    fn add(&mut self, located: &Located) {
        match &located.resource {
            Resource::ClusterPolicy(object) => {
                let source = Source::of(located);
                if !self.may_read(&source) {
                    self.problem(&place_of(located), FILE_IN_A_CLUSTER);
                }
                self.policies.push(InForce {
                    name: object.metadata.name.clone(),
                    created: object.metadata.created,
                    namespace: None,
                    place: place_of(located),
                    source,
                    spec: object.spec.clone(),
                });
            }
            // Of sets there is one: `take_set`.
            Resource::PolicySet(_) => {}
            Resource::PolicyException(object) => match Exception::new(&object.metadata, object.spec.clone()) {
                Ok(exception) => {
                    self.exceptions.push(Excepted { exception, spec: object.spec.clone(), place: place_of(located) });
                }
                Err(error) => {
                    self.problem_of_namespace(place_of(located), error.to_string());
                }
            },
            Resource::Policy(object) => match (self.written_by, &object.metadata.namespace) {
                (WrittenBy::OneHand, _) => self.problem(&place_of(located), POLICY_IN_A_SET),
                (_, None) => {
                    self.problem_of_namespace(place_of(located), POLICY_OF_NO_NAMESPACE.to_owned());
                }
                (_, Some(namespace)) => self.policies.push(InForce {
                    name: format!("{namespace}/{}", object.metadata.name),
                    created: object.metadata.created,
                    namespace: Some(namespace.clone()),
                    place: place_of(located),
                    spec: object.spec.clone().for_cluster(),
                    source: Source::Builtin,
                }),
            },
        }
    }

    /// Leaves out the exceptions that their policies do not allow where they are, or have no such rule for.
    fn disallow(&mut self) {
        for excepted in std::mem::take(&mut self.exceptions) {
            let is_loosened = |policy: &&InForce| policy.namespace.is_none() && policy.name == excepted.spec.policy;
            let refused = self.policies.iter().find(is_loosened).and_then(|policy| excepted.refused_by(&policy.spec));
            match refused {
                None => self.exceptions.push(excepted),
                Some(reason) => {
                    self.problem_of_namespace(excepted.place, reason);
                }
            }
        }
    }

    /// Keeps the policies that the set names, and asks for each name to be there.
    fn choose(&mut self) {
        let named = self.set.as_ref().map(|set| set.policies.clone()).unwrap_or_default();
        let of_cluster = self.policies.iter().filter(|policy| policy.namespace.is_none());
        let known: BTreeSet<String> = of_cluster.map(|policy| policy.name.clone()).collect();
        for missing in named.iter().filter(|name| !known.contains(*name)) {
            let reason = format!("spec.policies names {missing:?}, and there is no such ClusterPolicy");
            self.problem(&self.set_place.clone(), reason);
        }
        if !named.is_empty() {
            self.policies.retain(|policy| policy.namespace.is_some() || named.contains(&policy.name));
        }
        let (exceptions, strays): (Vec<_>, Vec<_>) = std::mem::take(&mut self.exceptions)
            .into_iter()
            .partition(|excepted| known.contains(excepted.exception.policy()));
        self.exceptions = exceptions;
        for Excepted { exception, place, .. } in strays {
            let reason = format!("spec.policy names {:?}, and there is no such ClusterPolicy", exception.policy());
            self.problem_of_namespace(place, reason);
        }
    }
}

/// The order of PolicySets, the oldest first. What is not stored yet is the newest of all.
pub(super) fn age(set: &Object<PolicySetSpec>) -> (bool, Option<Timestamp>) {
    (set.metadata.created.is_none(), set.metadata.created)
}
