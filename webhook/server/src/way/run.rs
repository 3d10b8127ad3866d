//! Running policies: so many at once, and never longer than there is time. Modules from outside, and what ships on
//! large objects, run off the runtime's own threads and have a share of the turns, so that what takes its time keeps
//! nobody else waiting. A permit belongs to the work and is given back when the work ends, not when somebody stops
//! waiting for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portreeve_admission::case::Case;
use portreeve_admission::policy::Policy;
use portreeve_admission::review::Review;
use portreeve_admission::verdict::{Failure, Outcome};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{Span, instrument};

use crate::metrics::Evaluations;
use crate::set::{LoadedModule, PolicySet};
use crate::traces::{STEPS, trace_of};

/// Bytes of objects past which they are large: few objects are, and what they take is no longer less than a change of
/// threads.
const LARGE: usize = 64 << 10;

/// How long after its deadline a run may end. The engine stops it within a few milliseconds.
const TO_END: Duration = Duration::from_millis(50);

/// How much there is to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// What takes less time than it would take to hand it to another thread.
    Usual,
    /// Objects that can take so long that others would wait.
    Large,
}

impl Weight {
    /// That of a review, by the size of its objects.
    #[must_use]
    pub fn of(review: &Review) -> Self {
        if review.object_bytes() > LARGE { Self::Large } else { Self::Usual }
    }
}

/// Runs policies.
#[derive(Debug, Clone)]
pub struct Runner {
    turns: Arc<Semaphore>,
    /// Of these turns, those that large objects can have.
    large: Arc<Semaphore>,
    at_once: usize,
    counted: Evaluations,
}

impl Runner {
    /// A runner that runs so many evaluations at once; at least one.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        let at_once = at_once.max(1);
        let turns = |count: usize| Arc::new(Semaphore::new(count.max(1)));
        Self { turns: turns(at_once), large: turns(at_once / 2), at_once, counted: Evaluations::default() }
    }

    /// The same, with its runs counted here.
    #[must_use]
    pub fn counted(self, counted: Evaluations) -> Self {
        Self { counted, ..self }
    }

    /// Evaluations that there may be at once.
    #[must_use]
    pub fn turns(&self) -> usize {
        self.at_once
    }

    /// Evaluations under way.
    #[must_use]
    pub fn running(&self) -> usize {
        self.at_once.saturating_sub(self.turns.available_permits())
    }

    /// The outcome of each policy on the case, in the order of the policies.
    pub async fn run(
        &self,
        set: &PolicySet,
        case: Arc<Case>,
        weight: Weight,
        policies: &[&Policy],
        deadline: Instant,
    ) -> Vec<Outcome> {
        // That of the call, not of a step in it: the log knows no steps.
        let call = &Span::current();
        let (case, each) = (&case, set.modules().iter());
        let runs = each.flat_map(|module| {
            let own = policies.iter().copied().enumerate().filter(|(_, policy)| module.carries(&policy.id));
            let run = move |own| {
                let work = Work { module: Arc::clone(module), case: Arc::clone(case), weight };
                self.run_module(work, own, deadline, call)
            };
            by_timeout(own).into_iter().map(run)
        });
        let mut outcomes = vec![None; policies.len()];
        for (place, outcome) in join_all(runs).await.into_iter().flatten() {
            if let Some(place) = outcomes.get_mut(place) {
                *place = Some(outcome);
            }
        }
        let lost = || Outcome::Failed(Failure::Contract("its module is not loaded".to_owned()));
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect()
    }

    /// One module's share: one call for all of its policies that have this timeout. Each outcome with its policy's
    /// place.
    #[instrument(
        name = "evaluate", target = STEPS, level = "trace", skip_all,
        fields(policies = policies.len(), module = %module.program().digest())
    )]
    async fn run_module(
        &self,
        Work { module, case, weight }: Work,
        Together { timeout, policies, places }: Together<'_>,
        deadline: Instant,
        call: &Span,
    ) -> Vec<(usize, Outcome)> {
        let failed = |failure: &Failure| vec![Outcome::Failed(failure.clone()); places.len()];
        let Some(permits) = self.turn(&module, weight, deadline).await else {
            return placed(&places, failed(&Failure::NoTurn));
        };
        let begun = Instant::now();
        let deadline = deadline.min(begun + timeout);
        // The catalogue takes less time than it would take to hand it to another thread and to wait for its word.
        if module.turns().is_none() && weight == Weight::Usual {
            let asked: Vec<&str> = policies.iter().map(|policy| policy.id.as_str()).collect();
            let outcomes = module.program().evaluate(&case, &asked, deadline);
            self.counted.took(&policies, begun.elapsed(), trace_of(&Span::current()));
            return placed(&places, outcomes);
        }
        let asked: Vec<String> = policies.iter().map(|policy| policy.id.clone()).collect();
        let (call, step) = (call.clone(), Span::current());
        let work = move || {
            let _held_until_done = permits;
            let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            call.in_scope(|| step.in_scope(|| module.program().evaluate(&case, &asked, deadline)))
        };
        // It ends by itself; what has not begun by then, for want of a thread, is not waited for.
        let outcomes =
            match tokio::time::timeout_at((deadline + TO_END).into(), tokio::task::spawn_blocking(work)).await {
                Ok(Ok(outcomes)) => outcomes,
                Ok(Err(_)) => failed(&Failure::Trap("the run was lost".to_owned())),
                Err(_) => failed(&Failure::NoTurn),
            };
        self.counted.took(&policies, begun.elapsed(), trace_of(&Span::current()));
        placed(&places, outcomes)
    }

    /// A turn for the module, one for a large object, and one of all, whichever it takes; none if they don't come
    /// before the deadline.
    async fn turn(
        &self,
        module: &LoadedModule,
        weight: Weight,
        deadline: Instant,
    ) -> Option<Vec<OwnedSemaphorePermit>> {
        let _waiting = self.counted.waits();
        let of_large = (weight == Weight::Large).then_some(&self.large);
        let wait = async {
            let mut turns = Vec::new();
            for each in module.turns().into_iter().chain(of_large).chain([&self.turns]) {
                turns.push(Arc::clone(each).acquire_owned().await.ok()?);
            }
            Some(turns)
        };
        tokio::time::timeout_at(deadline.into(), wait).await.ok().flatten()
    }
}

/// What one module is asked about.
struct Work {
    module: Arc<LoadedModule>,
    case: Arc<Case>,
    /// How long it may take: whether it runs on this thread.
    weight: Weight,
}

/// Policies of one module that run in one call and share its time, each with its place among all that are asked.
struct Together<'a> {
    timeout: Duration,
    policies: Vec<&'a Policy>,
    places: Vec<usize>,
}

/// Nearly always one: a timeout of its own costs a policy a call of its own.
fn by_timeout<'a>(policies: impl Iterator<Item = (usize, &'a Policy)>) -> Vec<Together<'a>> {
    let mut groups: BTreeMap<Duration, (Vec<usize>, Vec<&Policy>)> = BTreeMap::new();
    for (place, policy) in policies {
        let (places, policies) = groups.entry(policy.timeout).or_default();
        places.push(place);
        policies.push(policy);
    }
    groups.into_iter().map(|(timeout, (places, policies))| Together { timeout, policies, places }).collect()
}

fn placed(places: &[usize], outcomes: Vec<Outcome>) -> Vec<(usize, Outcome)> {
    places.iter().copied().zip(outcomes).collect()
}
