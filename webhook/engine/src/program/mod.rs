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
            Start::ConfiguredEachTime { .. } | Start::Meanwhile => Some(settings),
        };
        let runner = Runner::new(machine, &component, digest, instances, reconfigure)?;
        Ok(Self { digest, label, circuits, runner, runtime })
    }

    /// The same, of which no policy is ever suspended: each is asked anew, however often it ran out of time. For
    /// policies that are known to do their work, so that whoever sends objects that take long costs nobody else their
    /// word.
    #[must_use]
    pub fn never_suspended(mut self) -> Self {
        self.circuits.values_mut().for_each(Circuit::stay_closed);
        self
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

    /// Configures an instance that nothing is asked of, to see that it can be done.
    pub(crate) fn configure(&self) -> Result<(), LoadError> {
        self.runner.configure(&self.runtime)
    }

    /// Judges the case by these instances. Blocks until all are done or the deadline has passed: one outcome for each
    /// of them, in the order asked. An id that is not an instance of this program fails by contract.
    #[must_use]
    pub fn evaluate(&self, case: &Case, ids: &[&str], deadline: Instant) -> Vec<Outcome> {
        self.runtime.counters.evaluations.add(1);
        let mut evaluation = Evaluation { program: self, case, ids, deadline, outcomes: vec![None; ids.len()] };
        evaluation.run();
        let outcomes = evaluation.outcomes.into_iter().map(|outcome| {
            // What was not reached had no time.
            let outcome = outcome.unwrap_or(Outcome::Failed(Failure::NoTurn));
            self.runtime.counters.outcome(&outcome);
            outcome
        });
        outcomes.collect()
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("digest", &self.digest).field("label", &self.label).finish_non_exhaustive()
    }
}

/// One call of `evaluate`. Instances go by their place in `ids`.
struct Evaluation<'a> {
    program: &'a Program,
    case: &'a Case,
    ids: &'a [&'a str],
    deadline: Instant,
    outcomes: Vec<Option<Outcome>>,
}

/// An instance that is asked for: its place, its id and its circuit.
#[derive(Clone, Copy)]
struct Asked<'a> {
    place: usize,
    id: &'a str,
    circuit: &'a Circuit,
}

impl<'a> Evaluation<'a> {
    fn run(&mut self) {
        // One slot serves the whole call: its runs come one after the other.
        let Some(_slot) = self.program.runtime.slots.take(self.deadline) else { return };
        let (together, tried) = self.admit();
        match together.as_slice() {
            [] => {}
            [one] => self.alone(*one, self.deadline),
            several => self.together(several),
        }
        self.one_by_one(&tried);
    }

    /// Those to run as ever, and those to try; the others get their outcome here.
    fn admit(&mut self) -> (Vec<Asked<'a>>, Vec<Asked<'a>>) {
        let now = Instant::now();
        let (mut together, mut tried) = (Vec::with_capacity(self.ids.len()), Vec::new());
        for (place, id) in self.ids.iter().copied().enumerate() {
            let Some(circuit) = self.program.circuits.get(id) else {
                self.fail(place, Failure::Contract(format!("{id:?} is not an instance of this module")));
                continue;
            };
            match circuit.admit(now) {
                Admission::Run => together.push(Asked { place, id, circuit }),
                Admission::Try => tried.push(Asked { place, id, circuit }),
                Admission::Suspended(times) => self.fail(place, Failure::Suspended(times)),
            }
        }
        (together, tried)
    }

    fn together(&mut self, asked: &[Asked<'a>]) {
        let half = Instant::now() + self.left() / 2;
        match self.execute(asked, half) {
            Ok(outcomes) => asked.iter().zip(outcomes).for_each(|(asked, outcome)| self.ended(*asked, outcome)),
            Err(failure) => {
                tracing::debug!(module = %self.program.digest, %failure, "policies failed together and are run alone");
                self.program.runtime.counters.run_alone.add(1);
                self.one_by_one(asked);
            }
        }
    }

    /// Each gets an equal share of the time that is left when its turn comes: what one saves goes to the rest.
    fn one_by_one(&mut self, asked: &[Asked<'a>]) {
        for (turn, one) in asked.iter().enumerate() {
            let waiting = u32::try_from(asked.len() - turn).unwrap_or(u32::MAX);
            self.alone(*one, Instant::now() + self.left() / waiting);
        }
    }

    fn alone(&mut self, asked: Asked<'a>, deadline: Instant) {
        if deadline <= Instant::now() {
            return self.fail(asked.place, Failure::NoTurn);
        }
        match self.execute(&[asked], deadline) {
            Ok(outcomes) => outcomes.into_iter().for_each(|outcome| self.ended(asked, outcome)),
            Err(failure) => self.ended(asked, Outcome::Failed(failure)),
        }
    }

    fn execute(&self, asked: &[Asked<'_>], deadline: Instant) -> Result<Vec<Outcome>, Failure> {
        let ids: Vec<_> = asked.iter().map(|asked| asked.id).collect();
        self.program.runner.run(&self.program.runtime, self.case, &ids, deadline)
    }

    /// A run of this instance came to this end.
    fn ended(&mut self, asked: Asked<'_>, outcome: Outcome) {
        match outcome {
            Outcome::Failed(Failure::Deadline) => asked.circuit.timed_out(Instant::now()),
            _ => asked.circuit.ended(),
        }
        self.settle(asked.place, outcome);
    }

    fn fail(&mut self, place: usize, failure: Failure) {
        self.settle(place, Outcome::Failed(failure));
    }

    fn settle(&mut self, place: usize, outcome: Outcome) {
        if let Some(settled) = self.outcomes.get_mut(place) {
            *settled = Some(outcome);
        }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
