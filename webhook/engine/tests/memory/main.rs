//! What hostile guests do to the memory of the process that runs them. Apart from the other tests, since it is the
//! whole process that is measured, and one after the other.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that can't go on has failed")]

#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "../support/cases.rs"]
mod cases;
#[allow(dead_code, reason = "shared with tests that use more of it")]
#[path = "../support/guests.rs"]
mod guests;

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portreeve_admission::verdict::{Failure, Limit, Outcome};
use portreeve_engine::Limits;
use serde_json::json;

use cases::{does, engine_within, instance, outcome, soon};

/// Far more than the tests themselves need, far less than what the guests are after.
const ALLOWED_KIB: u64 = 100 << 10;

fn limits() -> Limits {
    Limits { memory_bytes: 16 << 20, evaluations: 2, ..Limits::default() }
}

#[test]
fn memory_comes_back() {
    let _turn = turn();
    let program = engine_within(limits()).load(guests::hostile(), &[does("hoard")]).unwrap();
    let bomb = || assert_eq!(outcome(&program, "hoard", soon()), Outcome::Failed(Failure::Limit(Limit::Memory)));
    bomb();
    let before = resident_kib();
    (0..1_000).for_each(|_| bomb());
    // A thousand bombs of 16 MiB, had they stayed.
    let after = resident_kib();
    assert!(after < before + ALLOWED_KIB, "from {before} to {after} KiB");
}

#[test]
fn an_answer_is_not_copied_beyond_its_limit() {
    let _turn = turn();
    let settings = json!({});
    let program =
        engine_within(limits()).load(&guests::plain("one-place"), &[instance("a", "plain", settings)]).unwrap();
    let before = resident_kib();
    forget_the_peak();
    assert!(matches!(outcome(&program, "a", soon()), Outcome::Failed(_)));
    // Half a gigabyte, had it been copied whole.
    let peak = peak_kib();
    assert!(peak < before + ALLOWED_KIB, "from {before} to {peak} KiB");
}

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resident memory of this process now.
fn resident_kib() -> u64 {
    status("VmRSS:")
}

/// The most it was since the peak was forgotten.
fn peak_kib() -> u64 {
    status("VmHWM:")
}

/// See `clear_refs` in proc(5).
fn forget_the_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
