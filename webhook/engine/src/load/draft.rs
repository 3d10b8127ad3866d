//! A component on a throw-away machine: checked, asked what it carries, configured, frozen. Nothing of it serves.

use wasmtime::Store;
use wasmtime::component::{Component, InstancePre};

use super::snapshot::{Instrumented, Refused};
use crate::bindings::{self, Policy, PolicyIndices};
use crate::digest::ModuleDigest;
use crate::error::Step;
use crate::host::{Host, Journal, failure};
use crate::machine::Machine;
use crate::module::Module;
use crate::runtime::Runtime;
use crate::{LoadError, Manifest, contract, manifest};
use portreeve_admission::pointer::Pointer;
use portreeve_admission::verdict::Failure;

/// A component that keeps to the contract, ready to be set up.
pub(crate) struct Draft<'a> {
    runtime: &'a Runtime,
    machine: Machine,
    digest: ModuleDigest,
    pre: InstancePre<Host>,
    exports: PolicyIndices,
    component: Component,
    instrumented: Result<Instrumented<'a>, Refused>,
}

/// A component after `configure`.
pub(super) enum Configured {
    /// Starts as it stood then.
    Frozen(Vec<u8>),
    /// Can't be frozen, and has to be configured again in every instance.
    Refused(Refused),
}

impl<'a> Draft<'a> {
    /// Compiles the component, quickly, and checks it against the contract. Nothing of it runs.
    pub(crate) fn new(runtime: &'a Runtime, module: &Module<'a>) -> Result<Self, LoadError> {
        let machine = runtime.throw_away().map_err(|error| LoadError::Compile(error.into()))?;
        let instrumented = Instrumented::new(module.bytes);
        let bytes = instrumented.as_ref().map_or(module.bytes, |instrumented| &instrumented.component);
        let component = runtime
            .compiling(|| Component::new(&machine.engine, bytes))
            .map_err(|error| LoadError::Invalid(error.into()))?;
        contract::check(&component)?;
        let wrong = |error: wasmtime::Error| LoadError::WrongTypes(error.into());
        let pre = machine.linker.instantiate_pre(&component).map_err(wrong)?;
        let exports = PolicyIndices::new(&pre).map_err(wrong)?;
        Ok(Self { runtime, machine, digest: module.digest, pre, exports, component, instrumented })
    }

    pub(crate) fn component(&self) -> &Component {
        &self.component
    }

    /// Why this component can't be frozen, as far as its shape tells.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.instrumented.as_ref().err().map(|Refused(reason)| reason.as_str())
    }

    /// Asks the component what policies it carries.
    pub(crate) fn describe(&self) -> Result<Vec<Manifest>, LoadError> {
        let (mut store, _, policy) = self.start()?;
        let described = policy.call_describe(&mut store).map_err(|error| stopped(Step::Describing, &error))?;
        manifest::check(described)
    }

    /// Configures the component and freezes it as it then stands.
    pub(super) fn configure(&self, instances: &[bindings::Instance]) -> Result<Configured, LoadError> {
        let (mut store, instance, policy) = self.start()?;
        let answers =
            policy.call_configure(&mut store, instances).map_err(|error| stopped(Step::Configuring, &error))?;
        // That the call came back does not mean that the settings were accepted.
        check_answers(instances, answers)?;
        Ok(match &self.instrumented {
            Err(Refused(reason)) => Configured::Refused(Refused(reason.clone())),
            Ok(instrumented) => match instrumented.freeze(&mut store, instance) {
                Ok(frozen) => Configured::Frozen(frozen),
                Err(refused) => Configured::Refused(refused),
            },
        })
    }

    fn start(&self) -> Result<(Store<Host>, wasmtime::component::Instance, Policy), LoadError> {
        let limits = &self.runtime.limits;
        let journal = Journal::new(self.digest, limits);
        let mut store = Machine::store(&self.machine.engine, limits, journal, self.runtime.setup_deadline());
        let instance = self.pre.instantiate(&mut store).map_err(|error| stopped(Step::Starting, &error))?;
        let policy = self.exports.load(&mut store, &instance).map_err(|error| LoadError::WrongTypes(error.into()))?;
        Ok((store, instance, policy))
    }
}

/// Why a step of loading that runs the guest came to nothing.
pub(crate) fn stopped(step: Step, error: &wasmtime::Error) -> LoadError {
    match failure(error) {
        Failure::Deadline => LoadError::Deadline { step },
        failure => LoadError::Stopped { step, failure },
    }
}

/// Whether every instance accepted its settings.
pub(crate) fn check_answers(
    instances: &[bindings::Instance],
    answers: Vec<Result<(), bindings::SettingsError>>,
) -> Result<(), LoadError> {
    if answers.len() != instances.len() {
        return Err(LoadError::Answers { instances: instances.len(), answers: answers.len() });
    }
    for (instance, answer) in instances.iter().zip(answers) {
        if let Err(bindings::SettingsError { at, reason }) = answer {
            // A place that is no pointer is shown as the whole: the reason is what the user needs.
            let pointer = at.parse().unwrap_or_else(|_| Pointer::root());
            return Err(LoadError::Settings { instance: instance.id.clone(), pointer, reason });
        }
    }
    Ok(())
}
