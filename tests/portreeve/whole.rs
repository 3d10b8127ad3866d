//! What is measured as the whole catalogue is the whole catalogue, and nothing is wrong with what it is measured on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use portreeve_admission::verdict::{Outcome, Verdict};
use portreeve_tests::gate::{Setting, loader, plenty};
use portreeve_tests::review::create;
use portreeve_tests::whole;

#[test]
fn no_policy_of_the_catalogue_is_left_out() {
    let measured: BTreeSet<String> = whole::catalogue().unwrap().into_iter().map(|instance| instance.policy).collect();
    let carried = portreeve_catalogue::policies();
    assert_eq!(measured, carried.iter().map(|policy| policy.manifest().name.to_owned()).collect());
}

#[test]
fn every_policy_finds_its_facts_and_nothing_wrong() {
    let instances = whole::catalogue().unwrap();
    let program = loader().unwrap().engine().load(portreeve_builtin::CATALOGUE, &instances).unwrap();
    let ids: Vec<&str> = instances.iter().map(|instance| instance.id.as_str()).collect();
    let answers = program.evaluate(&whole::case().unwrap(), &ids, Instant::now() + Duration::from_secs(20));
    assert_eq!(answers.len(), ids.len());
    for (id, outcome) in ids.iter().zip(answers) {
        assert_eq!(outcome, Outcome::Verdict(Verdict::default()), "{id}");
    }
}

#[tokio::test]
async fn a_server_with_all_of_it_admits_the_pod() {
    let setting = Setting::default().with(whole::POLICIES).unwrap().with(whole::AROUND).unwrap();
    let gate = setting.gate().unwrap();
    assert_eq!(gate.set.load().policies().len(), whole::catalogue().unwrap().len());
    let review = create(&whole::pod()).to_string();
    let answered = gate.validate(review.as_bytes(), plenty()).await.unwrap();
    assert!(answered.response.refusal.is_none(), "{:?}", answered.response.refusal);
}
