//! Every hostile guest is contained: its failure has the right type, its neighbours keep their verdicts,
//! and nobody else waits. What it does to this process's memory is in `tests/memory`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portreeve_admission::verdict::{Failure, Limit, Outcome};
use serde_json::json;

use crate::cases::{deployment, does, engine, failure, good, instance, outcome, program, soon, verdict};
use crate::guests;

fn is_contract_breach(deed: &str, named: &str) {
    let failure = failure(deed);
    assert!(matches!(&failure, Failure::Contract(breach) if breach.contains(named)), "{deed}: {failure}");
}

#[test]
fn an_endless_loop_ends_at_its_deadline() {
    let program = program(&[does("loop")]);
    let begun = Instant::now();
    let outcome = outcome(&program, "loop", begun + Duration::from_millis(300));
    assert_eq!(outcome, Outcome::Failed(Failure::Deadline));
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_panic_is_a_trap() {
    assert!(matches!(failure("trap"), Failure::Trap(_)));
}

#[test]
fn a_memory_bomb_meets_its_limit() {
    assert_eq!(failure("hoard"), Failure::Limit(Limit::Memory));
}

#[test]
fn deep_recursion_meets_its_limit() {
    let program = engine().load(&guests::plain("recursion"), &[instance("a", "plain", json!({}))]).unwrap();
    assert_eq!(outcome(&program, "a", soon()), Outcome::Failed(Failure::Limit(Limit::Stack)));
}

#[test]
fn deep_recursion_with_large_frames_is_contained() {
    // Rust keeps large frames in linear memory, and where they end is a fault of memory.
    assert!(matches!(failure("recurse"), Failure::Trap(_)));
}

#[test]
fn a_growing_table_meets_its_limit() {
    let program = engine().load(&guests::plain("growing-table"), &[instance("a", "plain", json!({}))]).unwrap();
    assert_eq!(outcome(&program, "a", soon()), Outcome::Failed(Failure::Limit(Limit::Table)));
}

#[test]
fn a_flood_of_host_calls_meets_its_limit() {
    assert_eq!(failure("flood"), Failure::Limit(Limit::HostCalls));
}

#[test]
fn a_flood_of_log_lines_is_dropped_and_counted() {
    let engine = engine();
    let program = engine.load(guests::hostile(), &[does("log")]).unwrap();
    verdict(outcome(&program, "log", soon()));
    assert_eq!(engine.stats().log_lines_dropped, 10_000 - 100);
}

#[test]
fn a_log_line_beyond_what_a_call_may_carry_is_refused() {
    is_contract_breach("log-much", "can't be read");
}

#[test]
fn a_large_answer_within_its_limit_is_read() {
    let verdict = verdict(outcome(&program(&[does("large")]), "large", soon()));
    assert_eq!(verdict.violations.len(), 800);
}

#[test]
fn a_huge_answer_meets_its_limit() {
    assert_eq!(failure("huge"), Failure::Limit(Limit::Output));
}

#[test]
fn an_answer_of_too_many_findings_meets_its_limit() {
    assert_eq!(failure("many"), Failure::Limit(Limit::Output));
}

#[test]
fn an_enormous_answer_is_never_read() {
    is_contract_breach("enormous", "can't be read");
}

#[test]
fn an_answer_that_would_grow_when_copied_is_never_read() {
    let program = engine().load(&guests::plain("one-place"), &[instance("a", "plain", json!({}))]).unwrap();
    let outcome = outcome(&program, "a", soon());
    assert!(matches!(&outcome, Outcome::Failed(Failure::Contract(_))), "{outcome:?}");
}

#[test]
fn text_that_is_not_utf8_breaks_the_contract() {
    is_contract_breach("not-utf8", "can't be read");
}

#[test]
fn pointers_are_checked() {
    is_contract_breach("bad-pointer", "\"spec\" does not begin with");
    is_contract_breach("bad-escape", "\"~\"");
    is_contract_breach("read-nowhere", "\"nowhere\" does not begin with");
}

#[test]
fn values_are_checked() {
    is_contract_breach("bad-value", "is not JSON");
    is_contract_breach("deep-value", "is not JSON");
    is_contract_breach("large-value", "more than");
    is_contract_breach("bad-details", "not a JSON object");
}

#[test]
fn rules_and_sentences_are_checked() {
    is_contract_breach("bad-rule", "\"Bad Rule\"");
    is_contract_breach("long-message", "a message has 5000 bytes");
    is_contract_breach("long-summary", "the summary has 5000 bytes");
}

#[test]
fn answers_are_those_that_were_asked_for() {
    is_contract_breach("answer-not", "0 instances of 1");
    is_contract_breach("answer-twice", "2 instances of 1");
    is_contract_breach("answer-for-another", "\"another\"");
}

#[test]
fn a_fact_is_asked_for_in_ones_own_name() {
    is_contract_breach("ask-as-another", "\"another\"");
}

/// Deeds that end a run, and with it that of whoever shares it.
const ENDING: [&str; 9] =
    ["loop", "trap", "hoard", "recurse", "flood", "huge", "enormous", "not-utf8", "answer-for-another"];

#[test]
fn only_the_guilty_one_fails() {
    for deed in ENDING {
        let program = program(&[good(), does(deed), does("nothing")]);
        // Half of it goes to the run of all three, and a third of the rest to the guilty one alone.
        let deadline = Instant::now() + Duration::from_secs(6);
        let outcomes = program.evaluate(&deployment(), &["good", deed, "nothing"], deadline);
        let fine: Vec<_> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Verdict(_))).collect();
        assert_eq!(fine, [true, false, true], "{deed}: {outcomes:?}");
        assert!(Instant::now() < deadline + Duration::from_secs(5), "{deed}");
    }
}

#[test]
fn a_breach_within_a_verdict_costs_its_neighbours_no_second_run() {
    let engine = engine();
    let program = engine.load(guests::hostile(), &[good(), does("bad-pointer")]).unwrap();
    let outcomes = program.evaluate(&deployment(), &["good", "bad-pointer"], soon());
    assert!(matches!(outcomes[0], Outcome::Verdict(_)));
    assert!(matches!(outcomes[1], Outcome::Failed(Failure::Contract(_))));
    assert_eq!(engine.stats().run_alone, 0);
}

#[test]
fn failures_are_counted_by_their_kind() {
    let engine = engine();
    let program = engine.load(guests::hostile(), &[does("trap"), does("flood"), does("bad-rule")]).unwrap();
    let _ = program.evaluate(&deployment(), &["trap", "flood", "bad-rule"], soon());
    let stats = engine.stats();
    assert_eq!((stats.evaluations, stats.run_alone), (1, 1));
    assert_eq!((stats.traps, stats.limits, stats.breaches, stats.deadlines), (1, 1, 1, 0));
}

#[test]
fn while_one_burns_others_are_answered() {
    let program = program(&[good(), does("loop")]);
    let burning = AtomicBool::new(true);
    let deadline = Instant::now() + Duration::from_secs(3);
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(outcome(&program, "loop", deadline), Outcome::Failed(Failure::Deadline));
            burning.store(false, Ordering::SeqCst);
        });
        for _ in 0..100 {
            verdict(outcome(&program, "good", soon()));
        }
        assert!(burning.load(Ordering::SeqCst), "a hundred good requests took longer than the loop");
    });
}
