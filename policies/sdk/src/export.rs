//! The way from a list of policy types to the three functions that a component exports. Called by
//! [`catalogue!`](crate::catalogue).

use std::cell::RefCell;

use serde_path_to_error::Segment;

use crate::case::{Case, Views};
use crate::generated::{self, Evaluated, Instance, Outcome};
use crate::policy::{Manifest, Policy, SettingsError, Stop};
use crate::verdict::Verdict;

/// A policy of a component: what it says about itself, and how an instance of it is made.
#[derive(Clone, Copy)]
pub struct Registration {
    manifest: fn() -> Manifest,
    configure: fn(&str) -> Result<Box<dyn Configured>, SettingsError>,
}

/// An instance with its settings.
trait Configured {
    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop>;
}

impl<P: Policy> Configured for P {
    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        Policy::evaluate(self, case)
    }
}

/// A policy in force, without the type it was made of.
pub struct Judge(Box<dyn Configured>);

impl Judge {
    /// Judges a case.
    ///
    /// # Errors
    /// As [`Policy::evaluate`].
    pub fn evaluate(&self, views: &Views, id: &str) -> Result<Verdict, Stop> {
        self.0.evaluate(&Case::new(views, id))
    }
}

impl Registration {
    /// The registration of a policy.
    #[must_use]
    pub fn of<P: Policy>() -> Self {
        Self {
            manifest: P::manifest,
            configure: |settings| {
                P::configure(read(settings)?).map(|policy| -> Box<dyn Configured> { Box::new(policy) })
            },
        }
    }

    /// What the policy says about itself.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        (self.manifest)()
    }

    /// An instance with these settings, JSON text.
    ///
    /// # Errors
    /// Names the setting that is wrong and why.
    pub fn configure(&self, settings: &str) -> Result<Judge, SettingsError> {
        (self.configure)(settings).map(Judge)
    }
}

/// Reads settings; an error points at the field.
fn read<S: serde::de::DeserializeOwned>(settings: &str) -> Result<S, SettingsError> {
    let mut json = serde_json::Deserializer::from_str(settings);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let at = error.path().iter().fold(String::new(), |at, segment| match segment {
            Segment::Seq { index } => crate::pointer::child(&at, &index.to_string()),
            Segment::Map { key } => crate::pointer::child(&at, key),
            Segment::Enum { .. } | Segment::Unknown => at,
        });
        SettingsError::new(at, error.inner().to_string())
    })
}

thread_local! {
    /// What `configure` made, by id. A guest has one thread; the host freezes it as it stands after `configure`.
    static IN_FORCE: RefCell<Vec<(String, Judge)>> = const { RefCell::new(Vec::new()) };
}

/// `describe` of the contract.
#[must_use]
pub fn describe(policies: &[Registration]) -> Vec<generated::Manifest> {
    policies.iter().map(|policy| policy.manifest().into()).collect()
}

/// `configure` of the contract.
pub fn configure(policies: &[Registration], instances: Vec<Instance>) -> Vec<Result<(), generated::SettingsError>> {
    let one = |instance: Instance| {
        let judge = configured(policies, &instance)
            .map_err(|error| generated::SettingsError { at: error.at, reason: error.reason })?;
        IN_FORCE.with_borrow_mut(|judges| judges.push((instance.id, judge)));
        Ok(())
    };
    instances.into_iter().map(one).collect()
}

fn configured(policies: &[Registration], instance: &Instance) -> Result<Judge, SettingsError> {
    policies
        .iter()
        .find(|policy| policy.manifest().name == instance.policy)
        .ok_or_else(|| SettingsError::new("", format!("this component carries no policy {:?}", instance.policy)))?
        .configure(&instance.settings)
}

/// `evaluate` of the contract.
#[cfg(target_arch = "wasm32")]
#[must_use]
pub fn evaluate(ids: Vec<String>) -> Vec<Evaluated> {
    judged(&Views::new(crate::host::Host), ids)
}

/// Has each instance judge the request that these views show.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "exports exist in guests alone"))]
fn judged(views: &Views, ids: Vec<String>) -> Vec<Evaluated> {
    IN_FORCE.with_borrow(|judges| {
        let one = |id: String| {
            let outcome = match judges.iter().find(|(known, _)| *known == id) {
                Some((id, judge)) => {
                    judge.evaluate(views, id).map_or_else(Outcome::from, |v| Outcome::Verdict(v.into()))
                }
                None => Outcome::Failed(format!("no instance {id:?} was configured")),
            };
            Evaluated { id, outcome }
        };
        ids.into_iter().map(one).collect()
    })
}
