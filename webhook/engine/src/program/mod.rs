//! A module in force: one case in, one outcome for each instance out, always, and by the deadline.
//!
//! All instances that apply are run in one call, with at most half of the time. If that run fails as a whole, each is
//! run by itself in what time is left, so that only the guilty one fails.

mod circuit;
mod run;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_admission::case::Case;
use portreeve_admission::verdict::{Failure, Outcome};

use circuit::{Admission, Circuit};
use run::Runner;

use crate::digest::ModuleDigest;
use crate::instance::Instances;
use crate::load::{Label, Loaded, Start};
use crate::runtime::Runtime;
use crate::{LoadError, Manifest, bindings};

/// A module in force with its instances. Share it behind an `Arc`: evaluations don't wait for each other, beyond
/// `Limits::evaluations` of them.
pub struct Program {
    runtime: Arc<Runtime>,
    digest: ModuleDigest,
    label: Label,
    circuits: HashMap<String, Circuit>,
    runner: Runner,
}

impl Program {
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        digest: ModuleDigest,
        loaded: Loaded,
        instances: Instances,
        settings: Vec<bindings::Instance>,
    ) -> Result<Self, LoadError> {
        let Loaded { label, component } = loaded;
        let now = Instant::now();
        let circuits = instances.ids().map(|id| (id.clone(), Circuit::new(runtime.suspension, now))).collect();
        let machine = label.placement.machine(&runtime);
        let reconfigure = match label.start {
            Start::Frozen => None,
            Start::ConfiguredEachTime { .. } => Some(settings),
        };
        let runner = Runner::new(machine, &component, digest, instances, reconfigure)?;
        Ok(Self { digest, label, circuits, runner, runtime })
    }

    /// Digest of the module.
    #[must_use]
    pub fn digest(&self) -> ModuleDigest {
        self.digest
    }

    /// The policies that the module carries.
    #[must_use]
    pub fn manifests(&self) -> &[Manifest] {
        &self.label.manifests
    }

    /// How each evaluation comes by its settings.
    #[must_use]
    pub fn start(&self) -> &Start {
        &self.label.start
    }

    /// Judges the case by these instances. Blocks until all are done or the deadline has passed, and answers for
    /// each of them, in the order asked. An id that is not an instance of this program fails by contract.
    #[must_use]
    pub fn evaluate(&self, case: &Case, ids: &[&str], deadline: Instant) -> Vec<(String, Outcome)> {
        self.runtime.counters.evaluations.add(1);
        let mut evaluation = Evaluation { program: self, case, deadline, outcomes: HashMap::with_capacity(ids.len()) };
        evaluation.run(ids);
        let outcomes = evaluation.outcomes;
        let outcome = |id| outcomes.get(id).cloned().unwrap_or(Outcome::Failed(Failure::NoTurn));
        let answers: Vec<_> = ids.iter().map(|id| ((*id).to_owned(), outcome(*id))).collect();
        for (_, outcome) in &answers {
            self.runtime.counters.outcome(outcome);
        }
        answers
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("digest", &self.digest).field("label", &self.label).finish_non_exhaustive()
    }
}

/// One call of `evaluate`.
struct Evaluation<'a> {
    program: &'a Program,
    case: &'a Case,
    deadline: Instant,
    outcomes: HashMap<&'a str, Outcome>,
}

impl<'a> Evaluation<'a> {
    fn run(&mut self, ids: &[&'a str]) {
        // One slot serves the whole call: its runs come one after the other.
        let Some(_slot) = self.program.runtime.slots.take(self.deadline) else { return };
        let (together, tried) = self.admit(ids);
        match together.as_slice() {
            [] => {}
            [id] => self.alone(id, self.deadline),
            several => self.together(several),
        }
        self.one_by_one(&tried);
    }

    /// Those to run as ever, and those to try; the others get their outcome here.
    fn admit(&mut self, ids: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
        let now = Instant::now();
        let (mut together, mut tried) = (Vec::with_capacity(ids.len()), Vec::new());
        for id in ids.iter().copied() {
            match self.program.circuits.get(id).map(|circuit| circuit.admit(now)) {
                Some(Admission::Run) => together.push(id),
                Some(Admission::Try) => tried.push(id),
                Some(Admission::Suspended(times)) => self.fail(id, Failure::Suspended(times)),
                None => self.fail(id, Failure::Contract(format!("{id:?} is not an instance of this module"))),
            }
        }
        (together, tried)
    }

    fn together(&mut self, ids: &[&'a str]) {
        let half = Instant::now() + self.left() / 2;
        match self.program.runner.run(&self.program.runtime, self.case, ids, half) {
            Ok(outcomes) => {
                for (id, outcome) in ids.iter().copied().zip(outcomes) {
                    self.ended(id, outcome);
                }
            }
            Err(failure) => {
                tracing::debug!(module = %self.program.digest, %failure, "policies failed together and are run alone");
                self.program.runtime.counters.run_alone.add(1);
                self.one_by_one(ids);
            }
        }
    }

    /// Each gets an equal share of the time that is left when its turn comes: what one saves goes to the rest.
    fn one_by_one(&mut self, ids: &[&'a str]) {
        for (turn, id) in ids.iter().copied().enumerate() {
            let waiting = u32::try_from(ids.len() - turn).unwrap_or(u32::MAX);
            self.alone(id, Instant::now() + self.left() / waiting);
        }
    }

    fn alone(&mut self, id: &'a str, deadline: Instant) {
        if deadline <= Instant::now() {
            return self.fail(id, Failure::NoTurn);
        }
        match self.program.runner.run(&self.program.runtime, self.case, &[id], deadline) {
            Ok(outcomes) => outcomes.into_iter().for_each(|outcome| self.ended(id, outcome)),
            Err(failure) => self.ended(id, Outcome::Failed(failure)),
        }
    }

    /// A run of this policy came to this end.
    fn ended(&mut self, id: &'a str, outcome: Outcome) {
        if let Some(circuit) = self.program.circuits.get(id) {
            match &outcome {
                Outcome::Failed(Failure::Deadline) => circuit.timed_out(Instant::now()),
                _ => circuit.ended(),
            }
        }
        self.outcomes.insert(id, outcome);
    }

    fn fail(&mut self, id: &'a str, failure: Failure) {
        self.outcomes.insert(id, Outcome::Failed(failure));
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
