//! The way from a list of policy types to the three functions that a component exports. Called by
//! [`catalogue!`](crate::catalogue).

use std::cell::RefCell;

use serde_path_to_error::Segment;

use crate::case::{Case, Views};
use crate::generated::{self, Instance};
#[cfg(any(target_arch = "wasm32", test))]
use crate::generated::{Evaluated, Outcome};
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
#[cfg(any(target_arch = "wasm32", test))]
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::native::Scene;

    /// Says how strict it was told to be.
    struct Strict(u8);

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        levels: Vec<u8>,
    }

    impl Policy for Strict {
        type Settings = Settings;

        fn manifest() -> Manifest {
            Manifest::new("strict", "1.0.0")
        }

        fn configure(settings: Settings) -> Result<Self, SettingsError> {
            let level = settings.levels.into_iter().max();
            level.map(Self).ok_or_else(|| SettingsError::new("/levels", "give at least one"))
        }

        fn evaluate(&self, _: &Case<'_>) -> Result<Verdict, Stop> {
            Err(Stop::Failed(self.0.to_string()))
        }
    }

    fn instance(id: &str, policy: &str, settings: &str) -> Instance {
        Instance { id: id.into(), policy: policy.into(), settings: settings.into() }
    }

    fn refused(policy: &str, settings: &str) -> (String, String) {
        let mut results = configure(&[Registration::of::<Strict>()], vec![instance("a", policy, settings)]);
        let error = results.remove(0).unwrap_err();
        (error.at, error.reason)
    }

    #[test]
    fn a_setting_of_the_wrong_type_is_pointed_at() {
        let (at, reason) = refused("strict", r#"{"levels": [1, "two"]}"#);
        assert_eq!(at, "/levels/1");
        assert!(reason.contains("invalid type: string \"two\""), "{reason}");
    }

    #[test]
    fn settings_that_make_no_sense_are_pointed_at_by_the_policy() {
        assert_eq!(refused("strict", r#"{"levels": []}"#), ("/levels".into(), "give at least one".into()));
    }

    #[test]
    fn a_policy_that_is_not_carried_is_named() {
        assert!(refused("lenient", "{}").1.contains("\"lenient\""));
    }

    #[test]
    fn two_instances_of_one_policy_judge_by_their_own_settings() {
        let both = vec![instance("a", "strict", r#"{"levels": [1]}"#), instance("b", "strict", r#"{"levels": [2]}"#)];
        assert!(configure(&[Registration::of::<Strict>()], both).iter().all(Result::is_ok));
        let views = Scene::create(json!({"kind": "Pod"})).unwrap().views();
        let outcomes: Vec<Outcome> =
            judged(&views, vec!["b".into(), "a".into()]).into_iter().map(|evaluated| evaluated.outcome).collect();
        assert_eq!(outcomes, [Outcome::Failed("2".into()), Outcome::Failed("1".into())]);
    }

    #[test]
    fn an_instance_that_was_not_configured_fails_alone() {
        let views = Scene::create(json!({"kind": "Pod"})).unwrap().views();
        let evaluated = judged(&views, vec!["nobody".into()]);
        assert!(matches!(&evaluated[0].outcome, Outcome::Failed(reason) if reason.contains("nobody")));
    }
}
