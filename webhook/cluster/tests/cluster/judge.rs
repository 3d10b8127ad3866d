//! A judge for tests: it remembers what it was asked about, and finds the faults that a label names.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use portreeve_admission::api::Mode;
use portreeve_admission::decision::{Decision, Finding, Standing};
use portreeve_admission::pointer::Pointer;
use portreeve_admission::verdict::{Root, Violation};
use portreeve_cluster::scan::{Judge, Judged, ScannedKind};
use serde_json::Value;
use tokio::sync::Semaphore;

/// The label of an object with faults, as in `one.two`.
pub(crate) const FAULTY: &str = "faulty";

/// What was judged, in order, as `Deployment/namespace/name`.
#[derive(Clone)]
pub(crate) struct Remembering {
    judged: Arc<Mutex<Vec<String>>>,
    /// How many objects it is willing to judge: it waits for more.
    turns: Arc<Semaphore>,
    /// Calls that last.
    asked: Arc<AtomicUsize>,
}

impl Remembering {
    /// One that judges all that it is asked about.
    pub(crate) fn willing() -> Self {
        Self::for_turns(Semaphore::MAX_PERMITS)
    }

    /// One that judges so many objects, and waits then.
    pub(crate) fn for_turns(turns: usize) -> Self {
        Self { judged: Arc::default(), turns: Arc::new(Semaphore::new(turns)), asked: Arc::default() }
    }

    /// Lets it judge all that comes.
    pub(crate) fn go_on(&self) {
        self.go_on_for(1_000_000);
    }

    /// Lets it judge so many more.
    pub(crate) fn go_on_for(&self, turns: usize) {
        self.turns.add_permits(turns);
    }

    /// How many objects it is asked about right now.
    pub(crate) fn waiting(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// What it has judged so far.
    pub(crate) fn judged(&self) -> Vec<String> {
        self.judged.lock().unwrap().clone()
    }
}

/// A call, until it ends or is broken off.
struct Asked<'a>(&'a AtomicUsize);

impl<'a> Asked<'a> {
    fn begin(asked: &'a AtomicUsize) -> Self {
        asked.fetch_add(1, Ordering::Relaxed);
        Self(asked)
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Judge for Remembering {
    async fn judge(&self, object: &Value, kind: &ScannedKind) -> Judged {
        let _asked = Asked::begin(&self.asked);
        self.turns.acquire().await.unwrap().forget();
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
        assert_eq!(text("/kind"), kind.kind.kind, "lists leave the kind out");
        let name = format!("{}/{}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        self.judged.lock().unwrap().push(name);
        let fault = text(&format!("/metadata/labels/{FAULTY}"));
        let findings = fault.split('.').filter(|fault| !fault.is_empty()).map(finding).collect();
        let policies = vec!["fake".to_owned(), "other".to_owned()];
        Judged { policies, decision: Decision { findings, ..Decision::default() }, mended: Vec::new() }
    }
}

fn finding(fault: &str) -> Finding {
    let violation = Violation {
        rule: "no-faults".to_owned(),
        container: Some("app".to_owned()),
        root: Root::Object,
        pointer: Pointer::default(),
        message: format!("it has the fault {fault}"),
        remedy: "mend it".to_owned(),
        details: None,
    };
    let (policy, mode) = ("fake".to_owned(), Mode::Enforce);
    Finding { policy, mode, template: String::new(), violation, standing: Standing::Counts }
}
