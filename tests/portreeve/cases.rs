//! Every case of every policy through the real component: it answers what the same policy answers natively, to the
//! letter. That the native answer is the right one is tested with the catalogue.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use portreeve_admission::case::FactKind;
use portreeve_admission::subject::TemplatePaths;
use portreeve_cases::{WrittenCase, questions, read_paths};
use portreeve_engine::Instance;
use portreeve_sdk::export::Registration;
use portreeve_sdk::native::{Scene, outcome};
use portreeve_tests::gate::loader;
use portreeve_tests::places;
use serde_json::Value;

/// A case with the instance that it is judged by.
struct Tried {
    policy: Registration,
    case: WrittenCase,
    instance: Instance,
}

fn all() -> Vec<Tried> {
    let mut all = Vec::new();
    for policy in portreeve_catalogue::policies() {
        let name = policy.manifest().name;
        let files = read_paths(&[places::checkout().join("policies/catalogue").join(name).join("cases")]).unwrap();
        for case in files.into_iter().flat_map(|file| file.cases) {
            let granted: BTreeSet<FactKind> = FactKind::ALL.into();
            let (id, settings) = (format!("case-{}", all.len()), Value::Object(case.settings.clone()));
            let instance = Instance { id, policy: name.to_owned(), settings, granted };
            let policy = portreeve_catalogue::policies().into_iter().find(|p| p.manifest().name == name).unwrap();
            all.push(Tried { policy, case, instance });
        }
    }
    all
}

#[test]
fn the_component_says_what_the_policy_says_natively() {
    let all = all();
    let instances: Vec<Instance> = all.iter().map(|tried| tried.instance.clone()).collect();
    let program = loader().unwrap().engine().load(portreeve_builtin::CATALOGUE, &instances).unwrap();
    for Tried { policy, case, instance } in &all {
        let judge = policy.configure(&instance.settings.to_string()).unwrap();
        for question in questions(case, &TemplatePaths::default()).unwrap() {
            let deadline = Instant::now() + Duration::from_secs(20);
            let through = program.evaluate(&question, &[&instance.id], deadline).remove(0);
            let native = outcome(judge.evaluate(&Scene::from(question).views(), &instance.id));
            assert_eq!(through, native, "{}: {}", instance.policy, case.name);
        }
    }
    println!("{} cases through the component", all.len());
}
