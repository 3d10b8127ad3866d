//! In process: the evaluation of a set's policies alone, and the gate from bytes to answer. Every fact is known, but at
//! the gate those about signatures, which no server verifies so far.

use std::time::{Duration, Instant};

use portreeve_admission::verdict::{Outcome, Verdict};
use portreeve_engine::Instance;
use portreeve_supply::RegistriesConfig;
use portreeve_tests::gate::{Setting, loader, plenty};
use portreeve_tests::review::create;
use portreeve_tests::whole;

use crate::sample::{Samples, shown};

const ROUNDS: usize = 20_000;

/// Prints both, of the platform profile and of the whole catalogue.
pub(crate) fn all() {
    println!("  platform profile");
    set(&whole::profile(), Setting::platform());
    println!("  whole catalogue");
    set(&whole::catalogue().unwrap(), Setting::default().with(whole::POLICIES).unwrap());
}

fn set(instances: &[Instance], setting: Setting) {
    println!("    evaluate, {} policies  {}", instances.len(), shown(evaluation(instances).quantiles()));
    println!("    gate, /validate        {}", shown(gate(setting).quantiles()));
}

fn evaluation(instances: &[Instance]) -> Samples {
    let program = loader().unwrap().engine().load(portreeve_builtin::CATALOGUE, instances).unwrap();
    let ids: Vec<&str> = instances.iter().map(|instance| instance.id.as_str()).collect();
    let case = whole::case().unwrap();
    let mut samples = Samples::default();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let answers = program.evaluate(&case, &ids, begun + Duration::from_secs(5));
        samples.add(begun.elapsed());
        assert_eq!(answers.len(), ids.len());
        assert!(answers.iter().all(|outcome| *outcome == Outcome::Verdict(Verdict::default())), "{answers:?}");
    }
    samples
}

fn gate(setting: Setting) -> Samples {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("images.lock");
    std::fs::write(&lock, whole::lock()).unwrap();
    let registries = RegistriesConfig { lock_file: Some(lock), ..RegistriesConfig::default() };
    let gate = setting.with(whole::AROUND).unwrap().registries(registries).gate().unwrap();
    let body = create(&whole::pod()).to_string();
    let mut samples = Samples::default();
    runtime.block_on(async {
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let answered = gate.validate(body.as_bytes(), plenty()).await.unwrap();
            samples.add(begun.elapsed());
            assert!(answered.response.refusal.is_none(), "{:?}", answered.response.refusal);
        }
    });
    samples
}
