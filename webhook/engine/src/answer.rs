//! What a guest answered, checked and turned into outcomes. A breach within one policy's verdict is that policy's
//! failure; what can't be laid at one policy's door is the run's.

use portreeve_admission::pointer::Pointer;
use portreeve_admission::verdict::{Change, Edit, Failure, Limit, Outcome, Root, Verdict, Violation};
use serde_json::Value;

use crate::Limits;
use crate::bindings::portreeve::policy::types;
use crate::bindings::{self, Evaluated};
use crate::manifest::is_name;

/// Bytes of a sentence: a message, a remedy, a summary, a reason.
const SENTENCE_BYTES: usize = 4 << 10;
/// Bytes of any one JSON value.
const VALUE_BYTES: usize = 256 << 10;
/// Bytes that a violation, an edit or an answer counts for beside its strings.
const ITEM_BYTES: usize = 64;

/// One outcome for each id, in order. `findings` is how many a verdict may have.
///
/// # Errors
/// If the answers are not those that were asked for, or are larger than an answer may be.
pub(crate) fn outcomes(
    ids: &[&str],
    answers: Vec<Evaluated>,
    limits: &Limits,
    findings: usize,
) -> Result<Vec<Outcome>, Failure> {
    if answers.len() != ids.len() {
        return Err(Failure::Contract(format!("it answered for {} instances of {}", answers.len(), ids.len())));
    }
    let bytes = answers.iter().map(size).fold(0, usize::saturating_add);
    if bytes > limits.answer_bytes {
        return Err(Failure::Limit(Limit::Output));
    }
    ids.iter().zip(answers).map(|(id, answer)| outcome(id, answer, findings)).collect()
}

fn outcome(id: &str, answer: Evaluated, findings: usize) -> Result<Outcome, Failure> {
    if answer.id != id {
        return Err(Failure::Contract(format!("it answered for {:?} where {id:?} was asked", answer.id)));
    }
    Ok(match answer.outcome {
        types::Outcome::Verdict(verdict) => match check(verdict, findings) {
            Ok(verdict) => Outcome::Verdict(verdict),
            Err(failure) => Outcome::Failed(failure),
        },
        types::Outcome::MissingFact(types::FactKey { kind, key, reason }) => {
            Outcome::Failed(Failure::MissingFact { kind: sentence(kind), key: sentence(key), reason: sentence(reason) })
        }
        types::Outcome::Failed(reason) => Outcome::Failed(Failure::Reported(sentence(reason))),
    })
}

/// A failure is told however long its words are; they are cut.
fn sentence(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(SENTENCE_BYTES));
    text
}

fn check(verdict: types::Verdict, findings: usize) -> Result<Verdict, Failure> {
    let types::Verdict { violations, advisories, edits, summary } = verdict;
    if violations.len().saturating_add(advisories.len()).saturating_add(edits.len()) > findings {
        return Err(Failure::Limit(Limit::Output));
    }
    let verdict = || -> Result<Verdict, String> {
        if let Some(summary) = &summary {
            short("the summary", summary)?;
        }
        Ok(Verdict {
            violations: violations.into_iter().map(violation).collect::<Result<_, _>>()?,
            advisories: advisories.into_iter().map(violation).collect::<Result<_, _>>()?,
            edits: edits.into_iter().map(edit).collect::<Result<_, _>>()?,
            summary,
        })
    };
    verdict().map_err(Failure::Contract)
}

fn violation(violation: types::Violation) -> Result<Violation, String> {
    let types::Violation { rule, container, root, pointer, message, remedy, details } = violation;
    let rule = checked_rule(rule)?;
    short("a message", &message)?;
    short("a remedy", &remedy)?;
    if let Some(container) = &container {
        short("the name of a container", container)?;
    }
    let details = details.map(|details| checked_details(&rule, &details)).transpose()?;
    let pointer = checked_pointer(&rule, &pointer)?;
    Ok(Violation { root: own_root(root), pointer, rule, container, message, remedy, details })
}

fn edit(edit: types::Edit) -> Result<Edit, String> {
    let types::Edit { rule, root, pointer, change } = edit;
    let rule = checked_rule(rule)?;
    Ok(Edit {
        root: own_root(root),
        pointer: checked_pointer(&rule, &pointer)?,
        change: match change {
            types::Change::Set(value) => Change::Set(checked_value(&rule, &value)?),
            types::Change::Default(value) => Change::Default(checked_value(&rule, &value)?),
            types::Change::AppendUnique(types::Appended { value, keys }) => {
                Change::AppendUnique { value: checked_value(&rule, &value)?, keys }
            }
            types::Change::Remove => Change::Remove,
        },
        rule,
    })
}

fn own_root(root: types::Root) -> Root {
    match root {
        types::Root::Template => Root::Template,
        types::Root::Object => Root::Object,
    }
}

fn checked_rule(rule: String) -> Result<String, String> {
    if is_name(&rule) {
        return Ok(rule);
    }
    let shown = rule.get(..rule.floor_char_boundary(100)).unwrap_or_default();
    Err(format!("the rule {shown:?} is not 1 to 63 lower-case letters, digits or \"-\""))
}

fn short(what: &str, text: &str) -> Result<(), String> {
    if text.len() <= SENTENCE_BYTES {
        return Ok(());
    }
    Err(format!("{what} has {} bytes, and no more than {SENTENCE_BYTES} are allowed", text.len()))
}

fn checked_pointer(rule: &str, text: &str) -> Result<Pointer, String> {
    short("a pointer", text)?;
    text.parse().map_err(|error| format!("of the rule {rule}: {error}"))
}

fn checked_value(rule: &str, text: &str) -> Result<Value, String> {
    if text.len() > VALUE_BYTES {
        return Err(format!("a value of the rule {rule} has more than {VALUE_BYTES} bytes"));
    }
    serde_json::from_str(text).map_err(|error| format!("a value of the rule {rule} is not JSON: {error}"))
}

fn checked_details(rule: &str, text: &str) -> Result<Value, String> {
    match checked_value(rule, text)? {
        details @ Value::Object(_) => Ok(details),
        _ => Err(format!("the details of the rule {rule} are not a JSON object")),
    }
}

fn size(answer: &bindings::Evaluated) -> usize {
    let outcome = match &answer.outcome {
        types::Outcome::Verdict(verdict) => {
            let violations = verdict.violations.iter().chain(&verdict.advisories).map(size_of_violation);
            let edits = verdict.edits.iter().map(size_of_edit);
            violations.chain(edits).fold(optional(verdict.summary.as_ref()), usize::saturating_add)
        }
        types::Outcome::MissingFact(fact) => fact.kind.len() + fact.key.len() + fact.reason.len(),
        types::Outcome::Failed(reason) => reason.len(),
    };
    outcome.saturating_add(answer.id.len()).saturating_add(ITEM_BYTES)
}

fn size_of_violation(violation: &types::Violation) -> usize {
    let types::Violation { rule, container, root: _, pointer, message, remedy, details } = violation;
    let texts = [rule, pointer, message, remedy].map(String::len).iter().sum::<usize>();
    ITEM_BYTES + texts + optional(container.as_ref()) + optional(details.as_ref())
}

fn size_of_edit(edit: &types::Edit) -> usize {
    let change = match &edit.change {
        types::Change::Set(value) | types::Change::Default(value) => value.len(),
        types::Change::AppendUnique(appended) => {
            appended.value.len() + appended.keys.iter().map(|key| key.len() + ITEM_BYTES).sum::<usize>()
        }
        types::Change::Remove => 0,
    };
    ITEM_BYTES + edit.rule.len() + edit.pointer.len() + change
}

fn optional(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}
