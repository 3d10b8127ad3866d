//! A policy that keeps running out of time is left alone for a while.

use std::time::{Duration, Instant};

use portreeve_admission::verdict::{Failure, Outcome};
use portreeve_engine::{Engine, Limits, Options, Program, Suspension};

use crate::cases::{deployment, does, good};
use crate::guests;

fn program(pause: Duration) -> Program {
    let options = Options {
        limits: Limits { evaluations: 1, ..Limits::default() },
        suspension: Suspension { after: 2, pause },
        ..Options::default()
    };
    Engine::new(options).unwrap().load(guests::hostile(), &[good(), does("loop")]).unwrap()
}

/// How `good` and `loop` end when they are asked together with a second.
fn ends(program: &Program) -> (bool, Failure) {
    let deadline = Instant::now() + Duration::from_secs(1);
    let mut outcomes = program.evaluate(&deployment(), &["good", "loop"], deadline);
    let (looping, good) = (outcomes.pop().unwrap(), outcomes.pop().unwrap());
    let Outcome::Failed(failure) = looping else { panic!("the loop ended") };
    (matches!(good, Outcome::Verdict(_)), failure)
}

#[test]
fn a_policy_that_runs_out_of_time_again_and_again_is_suspended() {
    let program = program(Duration::from_secs(600));
    assert_eq!(ends(&program), (true, Failure::Deadline));
    assert_eq!(ends(&program), (true, Failure::Deadline));
    let begun = Instant::now();
    assert_eq!(ends(&program), (true, Failure::Suspended(2)));
    assert!(begun.elapsed() < Duration::from_secs(1), "it was run all the same");
}

#[test]
fn a_suspended_policy_is_tried_again_away_from_the_others() {
    let program = program(Duration::ZERO);
    for _ in 0..4 {
        assert_eq!(ends(&program), (true, Failure::Deadline));
    }
}

#[test]
fn one_that_is_never_suspended_is_asked_however_often_it_ran_out_of_time() {
    let program = program(Duration::from_secs(600)).never_suspended();
    for _ in 0..5 {
        assert_eq!(ends(&program), (true, Failure::Deadline));
    }
}
