//! Running policies: so many at once, and never longer than there is time. Modules from outside run off the runtime's own
//! threads, where one that takes its time keeps nobody else waiting. A permit belongs to the work and is given back when
//! the work ends, not when somebody stops waiting for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portreeve_admission::case::Case;
use portreeve_admission::policy::Policy;
use portreeve_admission::verdict::{Failure, Outcome};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{Span, instrument};

use crate::metrics::Evaluations;
use crate::set::{LoadedModule, PolicySet};
use crate::traces::STEPS;

/// Runs policies.
#[derive(Debug, Clone)]
pub struct Runner {
    turns: Arc<Semaphore>,
    at_once: usize,
    counted: Evaluations,
}

impl Runner {
    /// A runner that runs so many evaluations at once; at least one.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        let at_once = at_once.max(1);
        Self { turns: Arc::new(Semaphore::new(at_once)), at_once, counted: Evaluations::default() }
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
    pub async fn run(&self, set: &PolicySet, case: Arc<Case>, policies: &[&Policy], deadline: Instant) -> Vec<Outcome> {
        // That of the call, not of a step in it: the log knows no steps.
        let call = &Span::current();
        let (case, each) = (&case, set.modules().iter());
        let runs = each.flat_map(|module| {
            let own = policies.iter().copied().filter(|policy| module.carries(&policy.id));
            let run = move |own| self.run_module(Arc::clone(module), Arc::clone(case), own, deadline, call);
            by_timeout(own).into_iter().map(run)
        });
        let mut outcomes: HashMap<String, Outcome> = join_all(runs).await.into_iter().flatten().collect();
        let lost = || Outcome::Failed(Failure::Contract("its module is not loaded".to_owned()));
        policies.iter().map(|policy| outcomes.remove(&policy.id).unwrap_or_else(lost)).collect()
    }

    /// One module's share: one call for all of its policies that have this timeout.
    #[instrument(
        name = "evaluate", target = STEPS, level = "trace", skip_all,
        fields(policies = policies.len(), module = %module.program().digest())
    )]
    async fn run_module(
        &self,
        module: Arc<LoadedModule>,
        case: Arc<Case>,
        Together { timeout, policies }: Together<'_>,
        deadline: Instant,
        call: &Span,
    ) -> Vec<(String, Outcome)> {
        let Some(permits) = self.turn(&module, deadline).await else { return all_failed(&policies, &Failure::NoTurn) };
        let begun = Instant::now();
        let deadline = deadline.min(begun + timeout);
        // The catalogue takes less time than it would take to hand it to another thread and to wait for its word.
        if module.turns().is_none() {
            let asked: Vec<&str> = policies.iter().map(|policy| policy.id.as_str()).collect();
            let outcomes = module.program().evaluate(&case, &asked, deadline);
            self.counted.took(&policies, begun.elapsed());
            return outcomes;
        }
        let asked: Vec<String> = policies.iter().map(|policy| policy.id.clone()).collect();
        let (call, step) = (call.clone(), Span::current());
        let work = move || {
            let _held_until_done = permits;
            let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            call.in_scope(|| step.in_scope(|| module.program().evaluate(&case, &asked, deadline)))
        };
        let lost = |_| all_failed(&policies, &Failure::Trap("the run was lost".to_owned()));
        let outcomes = tokio::task::spawn_blocking(work).await.unwrap_or_else(lost);
        self.counted.took(&policies, begun.elapsed());
        outcomes
    }

    /// A turn for the module, and one of all; none if neither comes before the deadline.
    async fn turn(
        &self,
        module: &LoadedModule,
        deadline: Instant,
    ) -> Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)> {
        let _waiting = self.counted.waits();
        let own = module.turns().cloned();
        let wait = async {
            let own = match own {
                Some(turns) => Some(turns.acquire_owned().await.ok()?),
                None => None,
            };
            Some((Arc::clone(&self.turns).acquire_owned().await.ok()?, own))
        };
        tokio::time::timeout_at(deadline.into(), wait).await.ok().flatten()
    }
}

/// Policies of one module that run in one call and share its time.
struct Together<'a> {
    timeout: Duration,
    policies: Vec<&'a Policy>,
}

/// Nearly always one: a timeout of its own costs a policy a call of its own.
fn by_timeout<'a>(policies: impl Iterator<Item = &'a Policy>) -> Vec<Together<'a>> {
    let mut groups: BTreeMap<Duration, Vec<&Policy>> = BTreeMap::new();
    for policy in policies {
        groups.entry(policy.timeout).or_default().push(policy);
    }
    groups.into_iter().map(|(timeout, policies)| Together { timeout, policies }).collect()
}

fn all_failed(policies: &[&Policy], failure: &Failure) -> Vec<(String, Outcome)> {
    policies.iter().map(|policy| (policy.id.clone(), Outcome::Failed(failure.clone()))).collect()
}
