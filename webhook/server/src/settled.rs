//! A new set is tried before it is in force: its edits are made on a small corpus of objects, in namespaces of each
//! kind that its policies tell apart, by the gate that requests pass. Policies that contradict each other, or that
//! never come to rest, refuse the set; who wrote it learns so at once, and not from the first workload that meets them.
//! What else goes wrong there, as that facts are missing, is nothing that a set is refused for: it has modes of its
//! own. What no object of the corpus shows is guarded where requests are answered.

mod namespaces;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use portreeve_admission::decision::PolicyFailure;
use portreeve_admission::policy::Policy;
use portreeve_admission::review::decode;
use portreeve_admission::subject::TemplatePaths;
use portreeve_admission::verdict::Failure;
use portreeve_supply::{ImageLock, Images};

use crate::around::Around;
use crate::creation;
use crate::manifest::{Manifest, read_stream};
use crate::set::{LoadError, PolicySet, Problem, Sources};
use crate::way::{Book, Gate, Runner};

use namespaces::Tried;

/// The most that all of it may take. A module from outside that is slow must not keep a set from being in force.
const LONGEST: Duration = Duration::from_secs(2);

/// Evaluations that trials of sets may have at one time, beside those of requests.
pub(crate) const TURNS: usize = 4;

const CORPUS: &str = include_str!("settled/corpus.yaml");

/// Who makes the objects of the corpus.
const USER: &str = "portreeve:settled";

/// The set, if its policies come to rest on every object of the corpus. Blocks meanwhile.
///
/// # Errors
/// Each contradiction, with the policies, the place and the first object that showed it.
pub fn settled(set: PolicySet, sources: &Sources, paths: &TemplatePaths) -> Result<Arc<PolicySet>, LoadError> {
    let set = Arc::new(set);
    let faults = faults(&set, paths, Instant::now() + LONGEST);
    if faults.is_empty() {
        return Ok(set);
    }
    Err(faults.iter().map(|fault| fault.problem(sources)).collect::<Vec<_>>().into())
}

/// What is wrong between policies, and where it was seen.
pub(crate) struct Fault {
    /// At least one, in the order of their names.
    pub(crate) policies: Vec<String>,
    what: String,
    seen: String,
}

/// What is wrong between the policies of a set, as far as it is found by then. Blocks meanwhile.
pub(crate) fn faults(set: &Arc<PolicySet>, paths: &TemplatePaths, end: Instant) -> Vec<Fault> {
    if !set.policies().iter().any(Policy::edits) {
        return Vec::new();
    }
    let begun = Instant::now();
    let faults = waited_for(tried(set, paths, end)).unwrap_or_default();
    tracing::debug!(took = ?begun.elapsed(), "the set was tried");
    faults
}

/// What is wrong, each between the same policies once.
async fn tried(set: &Arc<PolicySet>, paths: &TemplatePaths, end: Instant) -> Vec<Fault> {
    let corpus = read_stream("corpus.yaml", CORPUS).unwrap_or_default();
    let (mut faults, mut known) = (Vec::new(), BTreeSet::new());
    for tried in namespaces::of(set) {
        let gate = gate(Arc::clone(set), paths, tried.clone());
        for manifest in &corpus {
            let Some(failures) = failures(&gate, &tried, manifest, end).await else { continue };
            if Instant::now() >= end || failures.iter().any(|failed| is_for_time(&failed.failure)) {
                tracing::warn!(object = %seen_on(manifest, &tried), "the set was not tried any further, since it takes long");
                return faults;
            }
            let found = found(&failures, &seen_on(manifest, &tried));
            faults.extend(found.into_iter().filter(|fault| known.insert(fault.policies.clone())));
        }
    }
    faults
}

/// A gate behind which nothing is known but this namespace.
fn gate(set: Arc<PolicySet>, paths: &TemplatePaths, tried: Tried) -> Gate {
    Gate {
        set: ArcSwap::new(set),
        images: Images::from_lock(ImageLock::default()),
        book: Book::Closed,
        around: Around::Cluster(Arc::new(tried)),
        paths: paths.clone(),
        runner: Runner::new(TURNS),
        clock: Timestamp::now,
        witness: None,
    }
}

/// Who failed while this object was put right; none if it is no object that can be judged.
async fn failures(gate: &Gate, tried: &Tried, manifest: &Manifest, end: Instant) -> Option<Vec<PolicyFailure>> {
    let review = creation::review(manifest, Some(&tried.name), manifest.value(), USER);
    let review = decode(review.to_string().as_bytes()).ok()?;
    let met = gate.meet(review, end).await;
    Some(gate.correct(&met, end).await.failures)
}

/// Whether a policy was not done in time: what it would have asked for is not known.
fn is_for_time(failure: &Failure) -> bool {
    matches!(failure, Failure::Deadline | Failure::NoTurn | Failure::Suspended(_))
}

/// Of what failed, what is between policies.
fn found(failures: &[PolicyFailure], seen: &str) -> Vec<Fault> {
    let fault = |mut policies: Vec<String>, what: String| {
        policies.sort();
        Fault { policies, what, seen: seen.to_owned() }
    };
    let conflicts = failures.iter().filter_map(|failed| match &failed.failure {
        Failure::Conflict { pointer, other } => {
            let what = format!("set different values at {pointer}");
            Some(fault(vec![failed.policy.clone(), other.clone()], what))
        }
        _ => None,
    });
    let unsettled = |failed: &&PolicyFailure| matches!(failed.failure, Failure::Unsettled(_));
    let restless: Vec<String> = failures.iter().filter(unsettled).map(|failed| failed.policy.clone()).collect();
    let unsettled = (!restless.is_empty()).then(|| fault(restless, "never come to rest".to_owned()));
    conflicts.chain(unsettled).collect()
}

/// What was tried, in words.
fn seen_on(manifest: &Manifest, tried: &Tried) -> String {
    let object = format!("{} {:?}", manifest.kind(), manifest.name());
    let labels: Vec<String> = tried.asked.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if labels.is_empty() {
        format!("{object} in a namespace without labels")
    } else {
        format!("{object} in a namespace labelled {}", labels.join(", "))
    }
}

impl Fault {
    /// It is that of one policy, or of none alone: which of several was there first is not known here.
    pub(crate) fn problem(&self, sources: &Sources) -> Problem {
        let Self { policies, what, seen } = self;
        let tried = format!("{what}, tried on {seen}");
        if let [policy] = policies.as_slice() {
            let remedy = "mend the policy itself, or turn its mutate off";
            return Problem { place: sources.place_of_policy(policy), reason: format!("its edits {tried}: {remedy}") };
        }
        let named: Vec<String> = policies.iter().map(|policy| sources.named_policy(policy)).collect();
        let of_profile = policies.iter().find(|policy| sources.is_of_profile(policy));
        let replaced = of_profile.map(|name| {
            format!(", or write a ClusterPolicy {name:?} of your own, which takes the place of the profile's")
        });
        let remedy =
            "let them ask for the same, turn mutate off in one of them, or choose namespaces that exclude each other";
        let reason = format!("{} {tried}: {remedy}{}", named.join(" and "), replaced.unwrap_or_default());
        Problem { place: String::new(), reason }
    }
}

/// Waits for work from wherever this is called, on a thread of its own; none if there is no thread for it.
fn waited_for<T: Send>(work: impl Future<Output = T> + Send) -> Option<T> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().ok()?;
        let done = runtime.block_on(work);
        // A run that goes on ends at its deadline, and nobody waits for it.
        runtime.shutdown_background();
        Some(done)
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("settled".to_owned()).spawn_scoped(scope, run).ok()?;
        thread.join().ok().flatten()
    })
}
