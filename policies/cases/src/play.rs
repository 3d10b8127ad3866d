//! A case from request to end: rounds of edits as the host makes them, then the verdict on what they left. Whether it
//! is the end that was expected is `difference`'s to say.

use std::sync::Arc;

use portreeve_admission::case::Case;
use portreeve_admission::document::Document;
use portreeve_admission::edit::Claim;
use portreeve_admission::plan::Editable;
use portreeve_admission::settle::{Asked, Round, Settling};
use portreeve_admission::subject::{Seat, TemplatePaths};
use portreeve_admission::verdict::{Failure, Outcome, Verdict};
use serde_json::Value;

use crate::difference::{Difference, compare};
use crate::file::WrittenCase;
use crate::question;

/// What the policy goes by among its edits: it is alone.
const POLICY: &str = "policy";

/// How a case ended.
#[derive(Debug)]
pub struct Played {
    /// What differs from what was expected; nothing if the case holds.
    pub differences: Vec<Difference>,
    /// All that was put in or changed, in order.
    pub made: Vec<Claim>,
}

/// How a case ended, before anybody compares.
pub(crate) struct End {
    /// The object afterwards.
    pub(crate) object: Value,
    pub(crate) made: Vec<Claim>,
    /// What was found of all templates together; or why there is no verdict.
    pub(crate) verdict: Result<Verdict, Failure>,
}

/// Plays a case against a judge. Of an object with several templates it is asked for each, and
/// what is found counts together.
pub fn play(written: &WrittenCase, paths: &TemplatePaths, judge: impl Fn(&Case) -> Outcome) -> Played {
    match end(written, paths, judge) {
        Ok(end) => Played { differences: compare(&written.expect, &written.object, &end), made: end.made },
        Err(difference) => Played { differences: vec![*difference], made: Vec::new() },
    }
}

/// The case's object as a policy leaves it, whatever was expected; none if its edits can't be made.
pub fn edited(written: &WrittenCase, paths: &TemplatePaths, judge: impl Fn(&Case) -> Outcome) -> Option<Value> {
    end(written, paths, judge).ok().map(|end| end.object)
}

fn end(written: &WrittenCase, paths: &TemplatePaths, judge: impl Fn(&Case) -> Outcome) -> Result<End, Box<Difference>> {
    let came = Arc::new(Document::from_value(written.object.clone()));
    let mut settling = Settling::new(came, Editable::Everything);
    loop {
        let questions = question::of(written, settling.object(), paths)
            .map_err(|error| Box::new(Difference::Unreadable { reason: error.to_string() }))?;
        let verdicts = match verdicts(&questions, &judge) {
            Ok(verdicts) => verdicts,
            Err(failure) => return Ok(ended(&settling, Err(failure))),
        };
        let round = if written.mutate { settling.round(&asked(&verdicts)) } else { Round::Settled };
        match round {
            Round::Edited => {}
            Round::Settled => return Ok(ended(&settling, Ok(together(verdicts)))),
            Round::Refused(failures) | Round::Broken(failures) => {
                let reasons = failures.into_iter().map(|(_, failure)| failure.to_string()).collect();
                return Err(Box::new(Difference::Unmakeable { reasons }));
            }
        }
    }
}

fn verdicts(questions: &[Case], judge: impl Fn(&Case) -> Outcome) -> Result<Vec<(Seat, Verdict)>, Failure> {
    let answer = |question: &Case| match judge(question) {
        Outcome::Verdict(verdict) => {
            Ok((question.subject.as_ref().map(|subject| subject.at.clone()).unwrap_or_default(), verdict))
        }
        Outcome::Failed(failure) => Err(failure),
    };
    questions.iter().map(answer).collect()
}

/// Each template's own edits. To the host they are one policy's.
fn asked(verdicts: &[(Seat, Verdict)]) -> Vec<Asked<'_>> {
    let each = verdicts.iter();
    each.map(|(template, verdict)| Asked { policy: POLICY, template, edits: verdict.edits.iter().collect() }).collect()
}

fn together(verdicts: Vec<(Seat, Verdict)>) -> Verdict {
    let mut all = Verdict::default();
    for (_, verdict) in verdicts {
        all.violations.extend(verdict.violations);
        all.advisories.extend(verdict.advisories);
        all.summary = all.summary.or(verdict.summary);
    }
    all
}

fn ended(settling: &Settling, verdict: Result<Verdict, Failure>) -> End {
    End { object: settling.object().value().clone(), made: settling.made().to_vec(), verdict }
}
