//! Every case of every policy through the real component: it says what the same policy says natively, to the letter.
//! That the native answer is the right one is tested with the catalogue.

#[path = "../../policies/catalogue/tests/cases/file.rs"]
#[allow(dead_code, reason = "what a case expects is compared by the catalogue's own tests")]
mod file;
#[path = "../../policies/catalogue/tests/cases/play.rs"]
#[allow(dead_code, reason = "only the making of the request is shared")]
mod play;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use portreeve_admission::case::FactKind;
use portreeve_admission::verdict::{Failure, Outcome};
use portreeve_engine::Instance;
use portreeve_sdk::export::Registration;
use portreeve_sdk::native;
use portreeve_sdk::{Stop, Verdict};
use portreeve_tests::gate::loader;
use portreeve_tests::places;

/// A case with the instance that it is judged by.
struct Tried {
    policy: Registration,
    case: file::CaseFile,
    instance: Instance,
}

fn all() -> Vec<Tried> {
    let mut all = Vec::new();
    for policy in portreeve_catalogue::policies() {
        let name = policy.manifest().name;
        for (_, case) in file::cases(&places::checkout().join("policies/catalogue").join(name)) {
            let granted: BTreeSet<FactKind> = FactKind::ALL.into();
            let id = format!("case-{}", all.len());
            let instance = Instance { id, policy: name.to_owned(), settings: case.settings.clone(), granted };
            let policy = portreeve_catalogue::policies().into_iter().find(|p| p.manifest().name == name).unwrap();
            all.push(Tried { policy, case, instance });
        }
    }
    all
}

/// What a policy said, in a form in which both sides can be compared.
fn said(verdict: &Verdict) -> String {
    let finding = |f: &portreeve_sdk::view::Violation| {
        format!("{} {:?} {} {:?} {:?}", f.rule, f.container, f.pointer, f.message, f.remedy)
    };
    let findings: Vec<String> = verdict.violations().iter().map(finding).collect();
    let advisories: Vec<String> = verdict.advisories().iter().map(finding).collect();
    format!("{findings:?} {advisories:?} {:?} {:?}", native::edits(verdict).unwrap(), verdict.summary())
}

fn answered(outcome: &Outcome) -> String {
    let finding = |f: &portreeve_admission::verdict::Violation| {
        format!("{} {:?} {} {:?} {:?}", f.rule, f.container, f.pointer, f.message, f.remedy)
    };
    match outcome {
        Outcome::Verdict(verdict) => {
            let findings: Vec<String> = verdict.violations.iter().map(finding).collect();
            let advisories: Vec<String> = verdict.advisories.iter().map(finding).collect();
            format!("{findings:?} {advisories:?} {:?} {:?}", verdict.edits, verdict.summary.as_deref())
        }
        Outcome::Failed(Failure::MissingFact { kind, key, .. }) => format!("missing {kind} {key}"),
        Outcome::Failed(failure) => format!("failed: {failure}"),
    }
}

fn stopped(stop: &Stop) -> String {
    match stop {
        Stop::MissingFact(missing) => format!("missing {} {}", missing.kind, missing.key),
        Stop::Failed(reason) => format!("failed: the policy gave up: {reason}"),
    }
}

#[test]
fn the_component_says_what_the_policy_says_natively() {
    let all = all();
    let instances: Vec<Instance> = all.iter().map(|tried| tried.instance.clone()).collect();
    let program = loader().unwrap().engine().load(portreeve_builtin::CATALOGUE, &instances).unwrap();
    for tried in &all {
        let scene = play::scene(&tried.case, &tried.case.object).unwrap();
        let judge = tried.policy.configure(&tried.case.settings.to_string()).unwrap();
        let native = judge.evaluate(&scene.views(), &tried.instance.id);
        let deadline = Instant::now() + Duration::from_secs(20);
        let through = program.evaluate(scene.case(), &[&tried.instance.id], deadline);
        let native = native.map_or_else(|stop| stopped(&stop), |verdict| said(&verdict));
        assert_eq!(answered(&through[0].1), native, "{}: {}", tried.instance.policy, tried.case.name);
    }
    println!("{} cases through the component", all.len());
}
