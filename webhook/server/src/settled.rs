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
use portreeve_admission::review::{ReviewError, decode};
use portreeve_admission::subject::TemplatePaths;
use portreeve_admission::verdict::Failure;
use portreeve_supply::{ImageLock, Images};

use crate::around::Around;
use crate::creation;
use crate::manifest::{Manifest, ManifestError, read_stream};
use crate::set::{LoadError, PolicySet, Problem, Sources, chain};
use crate::way::{Book, Gate, Runner};

use namespaces::Tried;

/// The most that all of it may take. A module from outside that is slow must not keep a set from being in force.
const LONGEST: Duration = Duration::from_secs(2);

/// Evaluations that trials of sets may have at one time, beside those of requests.
pub(crate) const TURNS: usize = 4;

const CORPUS: &str = include_str!("settled/corpus.yaml");

/// Who makes the objects of the corpus.
const USER: &str = "portreeve:settled";

/// Tries sets, so many evaluations at once, whoever asks for it.
#[derive(Debug, Clone)]
pub struct Trials {
    /// The kinds that have pod templates.
    paths: TemplatePaths,
    runner: Runner,
}

impl Default for Trials {
    fn default() -> Self {
        Self::of(TemplatePaths::default())
    }
}

impl Trials {
    /// Trials where pod templates are at these paths.
    #[must_use]
    pub fn of(paths: TemplatePaths) -> Self {
        Self { paths, runner: Runner::new(TURNS) }
    }

    /// The set, if its policies come to rest on every object of the corpus. Blocks meanwhile.
    ///
    /// # Errors
    /// Each contradiction, with the policies, the place and the first object that showed it.
    pub fn settled(&self, set: PolicySet, sources: &Sources) -> Result<Arc<PolicySet>, LoadError> {
        let set = Arc::new(set);
        let faults = self.faults(&set, Instant::now() + LONGEST);
        if faults.is_empty() {
            return Ok(set);
        }
        Err(faults.iter().map(|fault| fault.problem(sources)).collect::<Vec<_>>().into())
    }

    /// What is wrong between the policies of a set, as far as it is found by then. Blocks meanwhile. A trial that can't
    /// be made finds nothing, which is told.
    pub(crate) fn faults(&self, set: &Arc<PolicySet>, end: Instant) -> Vec<Fault> {
        if !set.policies().iter().any(Policy::edits) {
            return Vec::new();
        }
        let begun = Instant::now();
        let faults = waited_for(self.tried(set, end)).flatten().unwrap_or_else(|error| {
            tracing::error!(
                "the set {} was not tried, and nothing is known against it: {}",
                set.digest(),
                chain(&error)
            );
            Vec::new()
        });
        tracing::debug!(took = ?begun.elapsed(), "the set was tried");
        faults
    }

    /// What is wrong, each between the same policies once.
    async fn tried(&self, set: &Arc<PolicySet>, end: Instant) -> Result<Vec<Fault>, NotTried> {
        let corpus = corpus()?;
        let (mut faults, mut known) = (Vec::new(), BTreeSet::new());
        for tried in namespaces::of(set) {
            let gate = self.gate(Arc::clone(set), tried.clone());
            for manifest in &corpus {
                let failures = failures(&gate, &tried, manifest, end).await?;
                if Instant::now() >= end || failures.iter().any(|failed| is_for_time(&failed.failure)) {
                    tracing::warn!(object = %seen_on(manifest, &tried), "the set was not tried any further, since it takes long");
                    return Ok(faults);
                }
                let found = found(&failures, &seen_on(manifest, &tried));
                faults.extend(found.into_iter().filter(|fault| known.insert(fault.policies.clone())));
            }
        }
        Ok(faults)
    }

    /// A gate behind which nothing is known but this namespace.
    fn gate(&self, set: Arc<PolicySet>, tried: Tried) -> Gate {
        Gate {
            set: ArcSwap::new(set),
            images: Images::from_lock(ImageLock::default()),
            book: Book::Closed,
            around: Around::Cluster(Arc::new(tried)),
            paths: self.paths.clone(),
            runner: self.runner.clone(),
            clock: Timestamp::now,
            witness: None,
        }
    }
}

/// Why a trial can't be made. It is a courtesy: requests are guarded all the same.
#[derive(Debug, thiserror::Error)]
enum NotTried {
    #[error("there is no thread for it")]
    NoThread(#[source] std::io::Error),
    #[error("there is no runtime for it")]
    NoRuntime(#[source] std::io::Error),
    #[error("its thread panicked")]
    Panicked,
    #[error("what it is tried on can't be read")]
    Corpus(#[from] ManifestError),
    #[error("{object} can't be judged")]
    Object { object: String, source: Box<ReviewError> },
}

/// What sets are tried on.
fn corpus() -> Result<Vec<Manifest>, ManifestError> {
    read_stream("corpus.yaml", CORPUS)
}

/// What is wrong between policies, and where it was seen.
pub(crate) struct Fault {
    /// At least one, in the order of their names.
    pub(crate) policies: Vec<String>,
    what: String,
    seen: String,
}

/// Who failed while this object was put right.
async fn failures(
    gate: &Gate,
    tried: &Tried,
    manifest: &Manifest,
    end: Instant,
) -> Result<Vec<PolicyFailure>, NotTried> {
    let review = creation::review(manifest, Some(&tried.name), manifest.value(), USER);
    let review = decode(review.to_string().as_bytes())
        .map_err(|source| NotTried::Object { object: seen_on(manifest, tried), source: Box::new(source) })?;
    let met = gate.meet(review, end).await;
    Ok(gate.correct(&met, end).await.failures)
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

/// Waits for work from wherever this is called, on a thread of its own.
fn waited_for<T: Send>(work: impl Future<Output = T> + Send) -> Result<T, NotTried> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(NotTried::NoRuntime)?;
        let done = runtime.block_on(work);
        // A run that goes on ends at its deadline, and nobody waits for it.
        runtime.shutdown_background();
        Ok(done)
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("settled".to_owned()).spawn_scoped(scope, run);
        thread.map_err(NotTried::NoThread)?.join().unwrap_or(Err(NotTried::Panicked))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_sets_are_tried_on_can_be_judged() {
        let corpus = corpus().unwrap();
        assert!(!corpus.is_empty());
        for manifest in corpus {
            let review = creation::review(&manifest, Some("shop"), manifest.value(), USER);
            decode(review.to_string().as_bytes()).unwrap();
        }
    }

    #[test]
    fn a_trial_that_panics_is_not_one_that_found_nothing() {
        let ended: Result<(), NotTried> = waited_for(async { panic!("out of its mind") });
        assert!(matches!(ended, Err(NotTried::Panicked)));
    }
}
