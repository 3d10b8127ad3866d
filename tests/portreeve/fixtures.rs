//! The Pod Security Standards through the real component: the public fixtures and our own pods, each judged by the
//! level and version that it is about. How they have to end is told by the policy's own tests.

#[path = "../../policies/catalogue/pod-security/tests/trials.rs"]
mod trials;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use portreeve_admission::case::FactKind;
use portreeve_admission::verdict::{Outcome, Verdict};
use portreeve_engine::Instance;
use portreeve_sdk::native::Scene;
use portreeve_tests::gate::loader;
use serde_json::{Value, json};

use self::trials::{Tally, Trial};

/// The instance of the policy that judges by the level and version of the trial.
fn instance(trial: &Trial) -> Instance {
    Instance {
        id: id(trial),
        policy: "pod-security".to_owned(),
        settings: json!({"level": trial.level, "version": trial.version}),
        granted: BTreeSet::from([FactKind::Namespace]),
    }
}

fn id(trial: &Trial) -> String {
    format!("{}-{}", trial.level, trial.version.replace('.', "-"))
}

/// Ids of the checks that failed.
fn failed(verdict: &Verdict) -> Vec<String> {
    let check = |details: &Option<Value>| details.as_ref().unwrap()["check"].as_str().unwrap().to_owned();
    verdict.violations.iter().map(|violation| check(&violation.details)).collect()
}

/// One test, since the component is configured once for all levels and versions.
#[test]
fn pods_pass_and_fail_through_the_component_as_they_should() {
    let public = trials::public().unwrap_or_default();
    let all: Vec<Trial> = trials::own().into_iter().chain(public).collect();
    let mut instances: Vec<Instance> = all.iter().map(instance).collect();
    instances.sort_by(|one, other| one.id.cmp(&other.id));
    instances.dedup_by(|one, other| one.id == other.id);
    let program = loader().unwrap().engine().load(portreeve_builtin::CATALOGUE, &instances).unwrap();
    let mut tally = Tally::default();
    let mut faults = Vec::new();
    for trial in &all {
        let scene = Scene::create(trial.pod.clone()).unwrap();
        let scene = scene.with_fact(FactKind::Namespace, "", Ok(json!({"labels": {}})));
        let deadline = Instant::now() + Duration::from_secs(20);
        match program.evaluate(scene.case(), &[&id(trial)], deadline).remove(0) {
            Outcome::Verdict(verdict) => faults.extend(trial.fault(&failed(&verdict))),
            Outcome::Failed(failure) => faults.push(format!("{}: {failure}", trial.name)),
        }
        tally.count(trial);
    }
    println!("{} pods through the component, allowed and denied at each version:\n{tally}", all.len());
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), all.len(), faults.join("\n"));
    assert!(tally.denied().next().is_some(), "no pod was denied");
}
