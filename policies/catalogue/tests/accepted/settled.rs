//! Objects before and after the edits of policies, as the host makes them: rewritten images first, then all others,
//! until nothing changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use portreeve_admission::document::Document;
use portreeve_admission::plan::Editable;
use portreeve_admission::settle::{Asked, Round, Settling};
use portreeve_admission::subject::{Seat, TemplatePaths};
use portreeve_admission::verdict::{Outcome, Verdict};
use portreeve_cases::{WrittenCase, WrittenFact, questions, read_paths};
use portreeve_sdk::Can;
use portreeve_sdk::export::{Judge, Registration};
use portreeve_sdk::native::{Scene, outcome};
use serde::Deserialize;
use serde_json::Value;

/// An object before and after.
#[derive(Debug)]
pub(crate) struct Edited {
    /// What it shows.
    pub(crate) name: String,
    /// The policy that edited it; empty for all.
    pub(crate) policy: String,
    pub(crate) before: Value,
    pub(crate) after: Value,
    row: Row,
}

/// An object that is edited by all policies.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// What is there to stumble over.
    name: String,
    /// Settings by policy. Left out: none.
    #[serde(default)]
    settings: BTreeMap<String, Value>,
    #[serde(default)]
    facts: Vec<WrittenFact>,
    object: Value,
}

/// A policy that is configured.
struct Configured {
    name: &'static str,
    /// When it is asked: what renames images first, then what rewrites them by what is known of them, then all others.
    stage: usize,
    judge: Judge,
}

/// The cases of a policy.
pub(crate) fn cases(policy: &str) -> Vec<WrittenCase> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(policy).join("cases");
    let files = read_paths(&[folder]).unwrap_or_else(|errors| panic!("{errors}"));
    files.into_iter().flat_map(|file| file.cases).collect()
}

impl Row {
    /// Those of `objects.yaml`.
    pub(crate) fn all() -> Vec<Self> {
        serde_saphyr::from_str(include_str!("objects.yaml")).unwrap()
    }

    /// The object of a case, for all policies.
    pub(crate) fn of_case(case: WrittenCase) -> Self {
        Self { name: case.name, settings: BTreeMap::new(), facts: case.facts, object: case.object }
    }

    /// As a request that makes the object.
    fn written(&self, object: &Value) -> WrittenCase {
        let written = serde_json::json!({"name": self.name, "object": object, "expect": {}});
        let written: WrittenCase = serde_json::from_value(written).unwrap();
        WrittenCase { facts: self.facts.clone(), ..written }
    }
}

impl Edited {
    /// By the policy that the case is for; none if it is not for edits.
    pub(crate) fn by_one(policy: &Registration, case: &WrittenCase) -> Option<Self> {
        if !case.mutate {
            return None;
        }
        let name = policy.manifest().name;
        let configured = [configured(policy, &Value::Object(case.settings.clone()))];
        let again = |object: &Value| WrittenCase { object: object.clone(), ..case.clone() };
        let after = settle(&configured, &case.object, &again);
        let row = Row {
            settings: [(name.to_owned(), Value::Object(case.settings.clone()))].into(),
            ..Row::of_case(case.clone())
        };
        let name = format!("{name}: {}", case.name);
        Some(Self { name, policy: policy.manifest().name.to_owned(), before: case.object.clone(), after, row })
    }

    /// By every policy of the catalogue.
    pub(crate) fn by_all(row: &Row) -> Self {
        let after = by_all(row, &row.object);
        Self { name: row.name.clone(), policy: String::new(), before: row.object.clone(), after, row: row.clone() }
    }

    /// What comes of editing it by all once more.
    pub(crate) fn again(&self) -> Value {
        by_all(&self.row, &self.after)
    }
}

fn by_all(row: &Row, object: &Value) -> Value {
    let policies = portreeve_catalogue::policies();
    let none = Value::Object(serde_json::Map::new());
    let settings = |policy: &Registration| row.settings.get(policy.manifest().name).unwrap_or(&none).clone();
    let policies: Vec<Configured> = policies.iter().map(|policy| configured(policy, &settings(policy))).collect();
    settle(&policies, object, &|object| row.written(object))
}

fn configured(policy: &Registration, settings: &Value) -> Configured {
    let manifest = policy.manifest();
    let judge = policy.configure(&settings.to_string());
    let judge = judge.unwrap_or_else(|error| panic!("{}: {error:?}", manifest.name));
    let stage = match (manifest.can == Can::REWRITE_IMAGES, manifest.facts.is_empty()) {
        (true, true) => 0,
        (true, false) => 1,
        (false, _) => 2,
    };
    Configured { name: manifest.name, stage, judge }
}

/// Edits until nothing changes. A policy that comes to no verdict has no edits.
fn settle(policies: &[Configured], object: &Value, written: &dyn Fn(&Value) -> WrittenCase) -> Value {
    let mut settling = Settling::new(Arc::new(Document::from_value(object.clone())), Editable::Everything);
    for stage in 0..3 {
        settling.next_stage();
        let stage: Vec<_> = policies.iter().filter(|policy| policy.stage == stage).collect();
        loop {
            let verdicts = ask(&stage, &written(settling.object().value()));
            let asked: Vec<Asked<'_>> = verdicts
                .iter()
                .map(|(policy, template, verdict)| Asked { policy, template, edits: verdict.edits.iter().collect() })
                .collect();
            match settling.round(&asked) {
                Round::Edited => {}
                Round::Settled => break,
                Round::Refused(failures) | Round::Broken(failures) => panic!("{failures:?} at {object}"),
            }
        }
    }
    settling.object().value().clone()
}

fn ask(policies: &[&Configured], written: &WrittenCase) -> Vec<(&'static str, Seat, Verdict)> {
    let questions = questions(written, &TemplatePaths::default()).unwrap();
    let mut verdicts = Vec::new();
    for question in &questions {
        let views = Scene::from(question.clone()).views();
        let template = question.subject.as_ref().map(|subject| subject.at.clone()).unwrap_or_default();
        for policy in policies {
            if let Outcome::Verdict(verdict) = outcome(policy.judge.evaluate(&views, policy.name)) {
                verdicts.push((policy.name, template.clone(), verdict));
            }
        }
    }
    verdicts
}
