//! One run: a fresh instance, one call, and everything dropped.

use std::sync::Arc;
use std::time::Instant;

use portreeve_admission::case::Case;
use portreeve_admission::verdict::{Failure, Outcome};
use wasmtime::Store;
use wasmtime::component::Component;

use crate::Limits;
use crate::LoadError;
use crate::answer;
use crate::bindings::{self, Evaluated, PolicyPre};
use crate::clock;
use crate::digest::ModuleDigest;
use crate::error::Step;
use crate::host::{Host, Journal, failure};
use crate::instance::Instances;
use crate::load::{check_answers, stopped};
use crate::machine::Machine;
use crate::runtime::Runtime;

/// A component linked to the contract's functions, with all that a run needs.
pub(super) struct Runner {
    pre: PolicyPre<Host>,
    module: ModuleDigest,
    instances: Arc<Instances>,
    /// What to configure each instance with, if it does not start configured.
    reconfigure: Option<Vec<bindings::Instance>>,
}

impl Runner {
    pub(super) fn new(
        machine: &Machine,
        component: &Component,
        module: ModuleDigest,
        instances: Instances,
        reconfigure: Option<Vec<bindings::Instance>>,
    ) -> Result<Self, LoadError> {
        let pre = machine.linker.instantiate_pre(component).and_then(PolicyPre::new);
        let pre = pre.map_err(|error| LoadError::WrongTypes(error.into()))?;
        Ok(Self { pre, module, instances: Arc::new(instances), reconfigure })
    }

    /// Runs the instances named in one call.
    ///
    /// # Errors
    /// The failure of the run as a whole. What is wrong with one verdict is that outcome's own.
    pub(super) fn run(
        &self,
        runtime: &Runtime,
        case: &Case,
        ids: &[&str],
        deadline: Instant,
    ) -> Result<Vec<Outcome>, Failure> {
        let journal = Journal::new(self.module, &runtime.limits);
        let mut store = Machine::store(self.pre.engine(), &runtime.limits, journal, deadline);
        let answers = self.call(&mut store, case, ids, deadline);
        runtime.counters.log_lines_dropped.add(store.data().journal.dropped());
        answer::outcomes(ids, answers?, &runtime.limits, findings(&runtime.limits, case))
    }

    /// Starts an instance and configures it, as every run does that does not start configured.
    ///
    /// # Errors
    /// [`LoadError`] names the step, and for settings the instance and the place.
    pub(super) fn configure(&self, runtime: &Runtime) -> Result<(), LoadError> {
        let Some(settings) = &self.reconfigure else { return Ok(()) };
        let deadline = runtime.setup_deadline();
        let Some(_slot) = runtime.slots.take(deadline) else { return Err(LoadError::NoTurn) };
        let journal = Journal::new(self.module, &runtime.limits);
        let mut store = Machine::store(self.pre.engine(), &runtime.limits, journal, deadline);
        let policy = self.pre.instantiate(&mut store).map_err(|error| stopped(Step::Starting, &error))?;
        let answers =
            policy.call_configure(&mut store, settings).map_err(|error| stopped(Step::Configuring, &error))?;
        check_answers(settings, answers)
    }

    fn call(
        &self,
        store: &mut Store<Host>,
        case: &Case,
        ids: &[&str],
        deadline: Instant,
    ) -> Result<Vec<Evaluated>, Failure> {
        let policy = self.pre.instantiate(&mut *store).map_err(|error| failure(&error))?;
        if let Some(settings) = &self.reconfigure {
            // Whoever takes all the time to be configured has not been asked anything yet.
            clock::arm(store, halfway(deadline));
            let answers = policy.call_configure(&mut *store, settings).map_err(|error| failure(&error))?;
            check_answers(settings, answers).map_err(|error| {
                Failure::Contract(format!("it accepted its settings when it was loaded, and now: {error}"))
            })?;
            clock::arm(store, deadline);
        }
        store.data_mut().judge(case.clone(), Arc::clone(&self.instances));
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        policy.call_evaluate(store, &ids).map_err(|error| failure(&error))
    }
}

/// Violations, advisories and edits that one verdict on a case may have.
fn findings(limits: &Limits, case: &Case) -> usize {
    let containers = case.subject.as_ref().map_or(0, |subject| subject.template.containers.len());
    limits.findings_of_container.saturating_mul(containers).saturating_add(limits.findings)
}

fn halfway(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}
