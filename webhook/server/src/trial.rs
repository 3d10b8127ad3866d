//! Cases tried on a component: each is played against the instance that its settings make. What a case is, and how it
//! is held against its end, is in `portreeve-cases`.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use portreeve_admission::case::{Case, FactKind};
use portreeve_admission::subject::TemplatePaths;
use portreeve_admission::verdict::{Failure, Outcome};
use portreeve_cases::{Difference, Played, WrittenCase, play};
use portreeve_engine::{Engine, Instance, LoadError, Program};
use serde_json::Value;

/// What one evaluation may take: more than in a cluster, since a busy machine is no reason to fail a case.
const LONGEST: Duration = Duration::from_secs(10);

/// A case and the policy that it is tried on.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// The policy of the module.
    pub policy: &'a str,
    /// The case.
    pub case: &'a WrittenCase,
}

/// Tries the cases, in their order. Blocks while the module is compiled and the cases are played. The policy has every
/// fact that it declares and the case knows; settings that it refuses are a difference of each case that has them.
///
/// # Errors
/// If the module can't be loaded, or does not carry one of the policies.
pub fn run(
    engine: &Engine,
    module: &[u8],
    paths: &TemplatePaths,
    trials: &[Trial<'_>],
) -> Result<Vec<Played>, LoadError> {
    let configured = Configured::load(engine, module, trials)?;
    Ok(trials.iter().map(|trial| configured.play(trial, paths)).collect())
}

/// Policy and settings, which cases have in common.
type Setting = (String, String);

/// The module with an instance for each setting.
struct Configured {
    program: Program,
    instances: HashMap<Setting, Instance>,
    /// By id.
    refused: HashMap<String, Difference>,
}

impl Configured {
    fn load(engine: &Engine, module: &[u8], trials: &[Trial<'_>]) -> Result<Self, LoadError> {
        let mut instances = HashMap::new();
        for trial in trials {
            let id = format!("case-{}", instances.len());
            instances.entry(setting(trial)).or_insert_with(|| instance(id, trial));
        }
        let mut refused = HashMap::new();
        loop {
            let accepted: Vec<Instance> =
                instances.values().filter(|instance| !refused.contains_key(&instance.id)).cloned().collect();
            match engine.load(module, &accepted) {
                Ok(program) => return Ok(Self { program, instances, refused }),
                // The module tells of one at a time; with the others it is asked again.
                Err(LoadError::Settings { instance, pointer, reason }) if !refused.contains_key(&instance) => {
                    refused.insert(instance, Difference::Settings { at: pointer.to_string(), reason });
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn play(&self, trial: &Trial<'_>, paths: &TemplatePaths) -> Played {
        let id = self.instances.get(&setting(trial)).map(|instance| instance.id.as_str()).unwrap_or_default();
        match self.refused.get(id) {
            Some(difference) => Played { differences: vec![difference.clone()], made: Vec::new() },
            None => play(trial.case, paths, |question| self.answer(question, id)),
        }
    }

    fn answer(&self, question: &Case, id: &str) -> Outcome {
        let answers = self.program.evaluate(question, &[id], Instant::now() + LONGEST);
        answers.into_iter().next().unwrap_or(Outcome::Failed(Failure::NoTurn))
    }
}

fn setting(trial: &Trial<'_>) -> Setting {
    (trial.policy.to_owned(), Value::Object(trial.case.settings.clone()).to_string())
}

fn instance(id: String, trial: &Trial<'_>) -> Instance {
    let granted: BTreeSet<FactKind> = FactKind::ALL.into();
    let settings = Value::Object(trial.case.settings.clone());
    Instance { id, policy: trial.policy.to_owned(), settings, granted }
}
