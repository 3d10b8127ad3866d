//! Limits that are set, and turns that are waited for.

use std::thread;
use std::time::{Duration, Instant};

use portreeve_admission::verdict::{Failure, Limit, Outcome};
use portreeve_engine::Limits;

use crate::cases::{deployment, does, engine_within, good, outcome, soon, verdict};
use crate::guests;

#[test]
fn more_memory_is_given_if_the_limit_says_so() {
    let limits = Limits { memory_bytes: 160 << 20, evaluations: 1, ..Limits::default() };
    let program = engine_within(limits).load(guests::hostile(), &[does("hoard")]).unwrap();
    verdict(outcome(&program, "hoard", soon()));
}

#[test]
fn fewer_host_calls_are_allowed_if_the_limit_says_so() {
    let limits = Limits { host_calls: 0, evaluations: 1, ..Limits::default() };
    let program = engine_within(limits).load(guests::hostile(), &[good()]).unwrap();
    assert_eq!(outcome(&program, "good", soon()), Outcome::Failed(Failure::Limit(Limit::HostCalls)));
}

#[test]
fn who_gets_no_turn_in_time_is_told_so() {
    let limits = Limits { evaluations: 1, ..Limits::default() };
    let program = engine_within(limits).load(guests::hostile(), &[good(), does("loop")]).unwrap();
    let burning = Instant::now() + Duration::from_secs(2);
    thread::scope(|scope| {
        let looping = scope.spawn(|| outcome(&program, "loop", burning));
        // The slot is taken as soon as this fails for want of one; the loop holds it for two seconds.
        let mut refused = false;
        while !refused && !looping.is_finished() {
            let outcome = outcome(&program, "good", Instant::now() + Duration::from_millis(20));
            refused = outcome == Outcome::Failed(Failure::NoTurn);
        }
        assert!(refused, "two evaluations ran at one time");
    });
}

#[test]
fn more_evaluations_than_slots_all_get_their_turn() {
    let limits = Limits { evaluations: 2, ..Limits::default() };
    let program = engine_within(limits).load(guests::hostile(), &[good()]).unwrap();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let outcomes = program.evaluate(&deployment(), &["good"], soon());
                    assert!(matches!(outcomes[0], Outcome::Verdict(_)), "{outcomes:?}");
                }
            });
        }
    });
}
