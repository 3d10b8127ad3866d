//! A case from request to end: rounds of edits as the host makes them, then the judgement, then the comparison.

use portreeve_admission::case::FactKind;
use portreeve_admission::edit::{Claim, make};
use portreeve_admission::subject::TemplatePaths;
use portreeve_admission::{document::Document, pointer::Pointer};
use portreeve_sdk::export::Registration;
use portreeve_sdk::native::{self, Scene};
use portreeve_sdk::view::Violation;
use portreeve_sdk::{Stop, Verdict};
use serde_json::Value;

use super::file::{CaseFile, Expected, FactName, Named, Operation};

/// The rounds that edits may take to settle.
const ROUNDS: usize = 3;

/// Plays a case; an error says how it ended otherwise than expected.
pub(crate) fn play(policy: &Registration, case: &CaseFile) -> Result<(), String> {
    let judge = policy.configure(&case.settings.to_string()).map_err(|error| format!("{error:?}"))?;
    let name = policy.manifest().name;
    let evaluate = |object: &Value| {
        let scene = scene(case, object)?;
        Ok::<_, String>(judge.evaluate(&scene.views(), name))
    };
    let mut object = case.object.clone();
    for _ in 0..if case.mutate { ROUNDS } else { 0 } {
        let Ok(verdict) = evaluate(&object)? else { break };
        if !edit(name, &mut object, &verdict)? {
            break;
        }
    }
    match evaluate(&object)? {
        Ok(verdict) => {
            if case.mutate && edit(name, &mut object.clone(), &verdict)? {
                return Err("its edits do not settle".into());
            }
            compare(&case.expect, &case.object, &object, &verdict)
        }
        Err(stop) => stopped(&case.expect, &stop),
    }
}

/// The request that a case is about.
pub(crate) fn scene(case: &CaseFile, object: &Value) -> Result<Scene, String> {
    let mut scene = match (case.operation, &case.old_object) {
        (Operation::Update, Some(old)) => Scene::update(old.clone(), object.clone()),
        (Operation::Create, None) => Scene::create(object.clone()),
        _ => return Err("oldObject belongs to operation: UPDATE".into()),
    }
    .map_err(|error| error.to_string())?;
    if let Some(subresource) = &case.subresource {
        scene = scene.to_subresource(subresource);
    }
    if let Some(namespace) = &case.namespace {
        scene = scene.with_fact(FactKind::Namespace, "", Ok(namespace.clone()));
    }
    for fact in &case.facts {
        let kind = FactKind::named(&fact.kind).ok_or_else(|| format!("there is no fact {:?}", fact.kind))?;
        let value = match (&fact.value, &fact.missing) {
            (Some(value), None) => Ok(value.clone()),
            (None, Some(reason)) => Err(reason.as_str()),
            _ => return Err("a fact has either a value or a reason to be missing".into()),
        };
        scene = scene.with_fact(kind, &fact.key, value);
    }
    Ok(scene)
}

/// Makes the edits of a verdict as the host does; answers whether they changed anything.
fn edit(policy: &str, object: &mut Value, verdict: &Verdict) -> Result<bool, String> {
    let template = template(object);
    let edits = native::edits(verdict).map_err(|error| error.to_string())?;
    let claims: Result<Vec<_>, _> = edits.iter().map(|edit| Claim::new(policy, &template, edit)).collect();
    let made = make(object, &claims.map_err(|error| error.to_string())?).map_err(|error| format!("{error:?}"))?;
    Ok(!made.0.is_empty())
}

fn template(object: &Value) -> Pointer {
    let document = Document::from_value(object.clone());
    let subjects = TemplatePaths::default().subjects(&native::kind_of(object), &document).unwrap();
    subjects.into_iter().next().map(|subject| subject.at).unwrap_or_default()
}

fn stopped(expect: &Expected, stop: &Stop) -> Result<(), String> {
    match (stop, &expect.missing_fact) {
        (Stop::MissingFact(missing), Some(fact))
            if *fact == (FactName { kind: missing.kind.into(), key: missing.key.clone() }) =>
        {
            Ok(())
        }
        _ => Err(format!("no verdict: {stop:?}")),
    }
}

fn compare(expect: &Expected, before: &Value, after: &Value, verdict: &Verdict) -> Result<(), String> {
    if expect.missing_fact.is_some() {
        return Err("there is a verdict, though a fact is missing".into());
    }
    same("violations", &expect.violations, verdict.violations())?;
    same("advisories", &expect.advisories, verdict.advisories())?;
    worded(expect, verdict)?;
    for standing in &expect.after {
        let found = after.pointer(&standing.at).unwrap_or(&Value::Null);
        if *found != standing.value {
            return Err(format!("{} is {found}, not {}", standing.at, standing.value));
        }
    }
    if expect.unchanged && before != after {
        return Err(format!("the object was changed to {after}"));
    }
    let pointers = verdict.violations().iter().chain(verdict.advisories());
    pointers
        .map(|violation| violation.pointer.parse::<Pointer>())
        .try_for_each(|pointer| pointer.map(drop).map_err(|error| error.to_string()))
}

fn same(what: &str, expected: &[Named], found: &[Violation]) -> Result<(), String> {
    let named = |violation: &Violation| Named { rule: violation.rule.clone(), container: violation.container.clone() };
    let mut found: Vec<Named> = found.iter().map(named).collect();
    let mut expected = expected.to_vec();
    found.sort();
    expected.sort();
    if found == expected { Ok(()) } else { Err(format!("{what} are {found:?}, not {expected:?}")) }
}

fn worded(expect: &Expected, verdict: &Verdict) -> Result<(), String> {
    let findings = || verdict.violations().iter().chain(verdict.advisories());
    if let Some(silent) = findings().find(|finding| finding.message.is_empty() || finding.remedy.is_empty()) {
        return Err(format!("{} does not say what is wrong and what to change", silent.rule));
    }
    if let Some(summary) = &expect.summary
        && verdict.summary() != Some(summary)
    {
        return Err(format!("the summary is {:?}", verdict.summary()));
    }
    let texts = findings().flat_map(|finding| [finding.message.as_str(), &finding.remedy]).chain(verdict.summary());
    match &expect.message {
        Some(words) if !texts.clone().any(|text| text.contains(words)) => {
            Err(format!("nothing says {words:?}: {:?}", texts.collect::<Vec<_>>()))
        }
        _ => Ok(()),
    }
}
