//! What the policy `hostile` does, by the name in its settings.

use std::cell::{Cell, RefCell};
use std::hint::black_box;

use serde_json::Value;

use crate::answers::{edit, empty, violation};
use crate::portreeve::policy::types::{Change, Edit, FactKey, Outcome, Root, Verdict};
use crate::portreeve::policy::{facts, log, request};
use crate::{Evaluated, SettingsError, answer};

const MIB: usize = 1 << 20;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static HOARD: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

fn deed(settings: &Value) -> &str {
    settings.get("do").and_then(Value::as_str).unwrap_or_default()
}

/// What goes wrong in `configure` already.
pub fn configure(settings: &Value) -> Result<(), SettingsError> {
    match deed(settings) {
        "refuse" => Err(SettingsError { at: "/do".into(), reason: "it can't be done".into() }),
        "refuse-nowhere" => Err(SettingsError { at: "nowhere".into(), reason: "it can't be done".into() }),
        "never-configure" => endless(),
        "trap-configuring" => trap(),
        "ask-configuring" => {
            black_box(request::user_name());
            Ok(())
        }
        "hoard-configuring" => {
            hoard(128);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What goes wrong in `evaluate`. Most of it is in the verdict; some is in who is answered for.
pub fn evaluate(id: String, settings: &Value, answers: &mut Vec<Evaluated>) {
    match deed(settings) {
        "answer-not" => {}
        "answer-twice" => answers.extend([answer(id.clone(), empty()), answer(id, empty())]),
        "answer-for-another" => answers.push(answer("another".into(), empty())),
        "miss-a-fact" => {
            let key = FactKey { kind: "namespace".into(), key: String::new(), reason: "it is not known".into() };
            answers.push(Evaluated { id, outcome: Outcome::MissingFact(key) });
        }
        "edit-and-give-up" => {
            let outcome = match request::read("/spec/template/metadata/annotations/guest") {
                None => Outcome::Verdict(half_done()),
                Some(_) => Outcome::Failed("it is beyond me".into()),
            };
            answers.push(Evaluated { id, outcome });
        }
        "give-up" => answers.push(Evaluated { id, outcome: Outcome::Failed("it is beyond me".into()) }),
        deed => answers.push(answer(id.clone(), verdict(&id, deed))),
    }
}

fn verdict(id: &str, deed: &str) -> Verdict {
    let mut verdict = empty();
    match deed {
        "nothing" => {}
        "loop" => endless(),
        "trap" => trap(),
        "hoard" => hoard(128),
        "recurse" => drop(black_box(recurse(1))),
        "flood" => (0..u64::MAX).for_each(|_| drop(black_box(request::user_name()))),
        "log" => (0..10_000).for_each(|_| log::write(log::Level::Info, &"line\u{1F600}\n".repeat(1_000))),
        "warn" => log::write(log::Level::Warn, "be warned"),
        "log-much" => log::write(log::Level::Info, &"x".repeat(40 * MIB)),
        "large" => verdict.violations = (0..800).map(|_| violation("large", "", &"x".repeat(4_000))).collect(),
        "huge" => verdict.violations = (0..800).map(|_| violation("huge", "", &"x".repeat(8_000))).collect(),
        "enormous" => verdict.violations.push(violation("enormous", "", &"x".repeat(20 * MIB))),
        "many" => verdict.violations = (0..2_001).map(|_| violation("many", "", "one")).collect(),
        "not-utf8" => verdict.violations.push(violation("not-utf8", "", &not_utf8())),
        "bad-pointer" => verdict.edits.push(edit("bad-pointer", "spec", Change::Remove)),
        "bad-escape" => verdict.violations.push(violation("bad-escape", "/a~2", "it is wrong")),
        "bad-value" => verdict.edits.push(edit("bad-value", "/spec", Change::Set("{".into()))),
        "deep-value" => verdict.edits.push(edit("deep-value", "/spec", Change::Set("[".repeat(100_000)))),
        "large-value" => verdict.edits.push(edit("large-value", "/spec", Change::Set("1".repeat(MIB)))),
        "bad-rule" => verdict.violations.push(violation("Bad Rule", "", "it is wrong")),
        "long-message" => verdict.violations.push(violation("long-message", "", &"x".repeat(5_000))),
        "bad-details" => {
            let mut found = violation("bad-details", "", "it is wrong");
            found.details = Some("[1]".into());
            verdict.violations.push(found);
        }
        "long-summary" => verdict.summary = Some("x".repeat(5_000)),
        "never-rest" => {
            let seen = request::read("/spec/template/metadata/annotations/guest").map_or(0, |seen| seen.len());
            let longer = format!("\"{}\"", "x".repeat(seen));
            verdict.edits.push(edit("rest", "/metadata/annotations/guest", Change::Set(longer)));
        }
        "edit-elsewhere" => verdict.edits.push(Edit {
            rule: "elsewhere".into(),
            root: Root::Object,
            pointer: "/metadata/finalizers".into(),
            change: Change::Remove,
        }),
        "read-nowhere" => drop(black_box(request::read("nowhere"))),
        "ask-as-another" => drop(black_box(facts::get("another", "namespace", ""))),
        "count" => {
            let calls = CALLS.get() + 1;
            CALLS.set(calls);
            verdict.advisories.push(violation("count", "", &format!("{calls} for {id}")));
        }
        "divide" => verdict.advisories.push(violation("divide", "", &format!("{:x}", not_a_number().to_bits()))),
        other => panic!("there is no deed {other:?}"),
    }
    verdict
}

/// The first half of what it never ends.
fn half_done() -> Verdict {
    let begun = Change::Set("\"was here\"".into());
    Verdict { edits: vec![edit("half", "/metadata/annotations/guest", begun)], ..empty() }
}

fn endless() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn trap() -> ! {
    panic!("as told")
}

fn hoard(mib: usize) {
    for _ in 0..mib {
        HOARD.with_borrow_mut(|hoard| hoard.push(black_box(vec![1; MIB])));
    }
}

#[expect(unconditional_recursion, reason = "until the stack ends")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    let below = recurse(depth + 1);
    black_box(frame)[0].wrapping_add(below)
}

fn not_utf8() -> String {
    // SAFETY: none. The host has to find out.
    unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe]) }
}

/// The sign and payload of 0/0 differ between processors, unless somebody sees to it.
fn not_a_number() -> f64 {
    black_box(0.0_f64) / black_box(0.0_f64)
}
