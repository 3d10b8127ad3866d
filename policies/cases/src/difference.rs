//! How a case ended against how it should have ended. Each difference is one thing that a reader can go and look at.

use std::fmt;

use portreeve_admission::verdict::{Failure, Verdict, Violation};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::file::{Expected, FactName, Named};
use crate::play::End;

/// One thing that is other than the case says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, thiserror::Error)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Difference {
    /// Something was found that nobody expects.
    #[error("found {} that is not expected: {finding}", weight.one())]
    Unexpected {
        /// As what it was found.
        weight: Weight,
        /// It.
        finding: Remark,
    },
    /// Something that is expected was not found.
    #[error("expected {} that was not found: {rule}{}", weight.one(), of(container.as_deref()))]
    Absent {
        /// As what it is expected.
        weight: Weight,
        /// Its rule.
        rule: String,
        /// The container at fault.
        container: Option<String>,
    },
    /// A finding does not say what is wrong, or what to change.
    #[error("{rule} does not say what is wrong and what to change")]
    Silent {
        /// Its rule.
        rule: String,
    },
    /// The summary is another.
    #[error("the summary is {}, not {expected:?}", quoted(found.as_deref()))]
    Summary {
        /// What it should be.
        expected: String,
        /// What it is.
        found: Option<String>,
    },
    /// No message, no remedy and no summary holds the words.
    #[error("nothing says {words:?}; said is {said:?}")]
    Unsaid {
        /// What should be said.
        words: String,
        /// All that is said.
        said: Vec<String>,
    },
    /// Something else stands at a place afterwards.
    #[error("at {at} stands {}, not {}", json(found.as_ref()), json(expected.as_ref()))]
    Standing {
        /// A JSON pointer in the object.
        at: String,
        /// What should stand there; none: nothing.
        expected: Option<Value>,
        /// What stands there.
        found: Option<Value>,
    },
    /// The object should have stayed as it is.
    #[error("the object was changed: {}", edits.join("; "))]
    Changed {
        /// What was done to it, one line each.
        edits: Vec<String>,
    },
    /// There is no verdict.
    #[error("there is no verdict: {reason}")]
    NoVerdict {
        /// Why.
        reason: String,
    },
    /// There is a verdict, though a fact is missing that it should not do without.
    #[error("there is a verdict, though the fact {fact}{} is missing", about(key))]
    Verdict {
        /// Kind of the fact.
        fact: String,
        /// What it is about.
        key: String,
    },
    /// Edits that can't be made, contradict each other or never settle.
    #[error("its edits can't be made: {}", reasons.join("; "))]
    Unmakeable {
        /// Why not.
        reasons: Vec<String>,
    },
    /// The policy refuses the settings of the case.
    #[error("the settings are refused at {at:?}: {reason}")]
    Settings {
        /// A JSON pointer in the settings.
        at: String,
        /// What is wrong there.
        reason: String,
    },
    /// A template of an object can't be read.
    #[error("the object can't be judged: {reason}")]
    Unreadable {
        /// Why not.
        reason: String,
    },
}

/// What a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Weight {
    /// It denies.
    Violation,
    /// It is told.
    Advisory,
}

/// A finding with its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Remark {
    /// Its rule.
    pub rule: String,
    /// The container at fault.
    pub container: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// All that differs.
pub(crate) fn compare(expect: &Expected, before: &Value, end: &End) -> Vec<Difference> {
    let verdict = match (&end.verdict, &expect.missing_fact) {
        (Ok(_), Some(FactName { kind, key })) => {
            return vec![Difference::Verdict { fact: kind.name().to_owned(), key: key.clone() }];
        }
        (Ok(verdict), None) => verdict,
        (Err(failure), expected) if is_for_want_of(failure, expected.as_ref()) => return Vec::new(),
        (Err(failure), _) => return vec![Difference::NoVerdict { reason: failure.to_string() }],
    };
    let mut differences = found(Weight::Violation, &expect.violations, &verdict.violations);
    differences.extend(found(Weight::Advisory, &expect.advisories, &verdict.advisories));
    differences.extend(worded(expect, verdict));
    differences.extend(standing(expect, &end.object));
    if expect.unchanged && *before != end.object {
        differences.push(Difference::Changed { edits: end.made.iter().map(edit).collect() });
    }
    differences
}

fn is_for_want_of(failure: &Failure, expected: Option<&FactName>) -> bool {
    match (failure, expected) {
        (Failure::MissingFact { kind, key, .. }, Some(fact)) => kind == fact.kind.name() && *key == fact.key,
        _ => false,
    }
}

/// Findings go by rule and container, as often as they are there.
fn found(weight: Weight, expected: &[Named], found: &[Violation]) -> Vec<Difference> {
    let mut absent: Vec<&Named> = expected.iter().collect();
    let mut differences = Vec::new();
    for Violation { rule, container, message, .. } in found {
        let expected = absent.iter().position(|named| named.rule == *rule && named.container == *container);
        if let Some(at) = expected {
            absent.swap_remove(at);
        } else {
            let finding = Remark { rule: rule.clone(), container: container.clone(), message: message.clone() };
            differences.push(Difference::Unexpected { weight, finding });
        }
    }
    let absent = absent.into_iter().cloned();
    differences.extend(absent.map(|Named { rule, container }| Difference::Absent { weight, rule, container }));
    differences
}

fn worded(expect: &Expected, verdict: &Verdict) -> Vec<Difference> {
    let findings = || verdict.violations.iter().chain(&verdict.advisories);
    let silent = findings().filter(|finding| finding.message.is_empty() || finding.remedy.is_empty());
    let mut differences: Vec<_> = silent.map(|finding| Difference::Silent { rule: finding.rule.clone() }).collect();
    if let Some(expected) = expect.summary.as_ref().filter(|expected| verdict.summary.as_ref() != Some(*expected)) {
        differences.push(Difference::Summary { expected: expected.clone(), found: verdict.summary.clone() });
    }
    let texts = findings().flat_map(|finding| [&finding.message, &finding.remedy]).chain(&verdict.summary);
    let said: Vec<String> = texts.cloned().collect();
    if let Some(words) = expect.message.as_ref().filter(|words| !said.iter().any(|text| text.contains(*words))) {
        differences.push(Difference::Unsaid { words: words.clone(), said });
    }
    differences
}

fn standing(expect: &Expected, object: &Value) -> impl Iterator<Item = Difference> {
    expect.after.iter().filter_map(|standing| {
        let found = object.pointer(&standing.at).unwrap_or(&Value::Null);
        let shown = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
        (*found != standing.value).then(|| Difference::Standing {
            at: standing.at.clone(),
            expected: shown(&standing.value),
            found: shown(found),
        })
    })
}

fn edit(claim: &portreeve_admission::edit::Claim) -> String {
    use portreeve_admission::verdict::Change;
    match &claim.change {
        Change::Set(value) | Change::Default(value) => format!("{} set to {value} by {}", claim.pointer, claim.rule),
        Change::AppendUnique { value, .. } => format!("{value} appended to {} by {}", claim.pointer, claim.rule),
        Change::Remove => format!("{} removed by {}", claim.pointer, claim.rule),
    }
}

impl Weight {
    /// With its article.
    fn one(self) -> &'static str {
        match self {
            Self::Violation => "a violation",
            Self::Advisory => "an advisory",
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.rule, of(self.container.as_deref()), self.message)
    }
}

/// What a fact is about; some are one of a kind.
fn about(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(" {key:?}") }
}

fn of(container: Option<&str>) -> String {
    container.map(|name| format!(" of container {name:?}")).unwrap_or_default()
}

fn quoted(text: Option<&str>) -> String {
    text.map_or("missing".to_owned(), |text| format!("{text:?}"))
}

fn json(value: Option<&Value>) -> String {
    value.map_or("nothing".to_owned(), ToString::to_string)
}
