//! Settling: rounds of edits until nothing changes, three at most. Pure state between rounds; who gathers facts and
//! runs policies drives it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::document::Document;
use crate::edit::{Claim, Made, RoundError, make};
use crate::plan::{Editable, added_ephemeral};
use crate::subject::Seat;
use crate::verdict::{Edit, Failure};

/// The most rounds that a set may take to settle. The last of them has to be quiet.
pub const ROUNDS: u32 = 3;

/// An object on its way to rest.
#[derive(Debug)]
pub struct Settling {
    object: Arc<Document>,
    edit: Editable,
    /// Which ephemeral containers are new. No edit puts another one in or takes one out.
    added: BTreeSet<usize>,
    round: u32,
    made: Vec<Claim>,
}

/// What a policy asks for in this round, with the place of the template that it saw.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The instance.
    pub policy: &'a str,
    /// Where the template sits.
    pub template: &'a Seat,
    /// Its edits, without those that an exception stops.
    pub edits: Vec<&'a Edit>,
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Round {
    /// Nothing was left to do.
    Settled,
    /// Something was edited: the policies have to look again.
    Edited,
    /// Some policies' edits can't be made; without these policies the round can be tried again.
    Refused(Vec<(String, Failure)>),
    /// Policies contradict each other, or it never comes to rest: there is no patch.
    Broken(Vec<(String, Failure)>),
}

impl Settling {
    /// An object as it came, of which so much may be edited.
    #[must_use]
    pub fn new(object: Arc<Document>, edit: Editable) -> Self {
        Self { object, edit, added: BTreeSet::new(), round: 0, made: Vec::new() }
    }

    /// The same, for what was this before the request.
    #[must_use]
    pub fn after(mut self, before: Option<&Document>) -> Self {
        if self.edit == Editable::AddedEphemeral {
            self.added = added_ephemeral(&self.object, before);
        }
        self
    }

    /// The object as it stands.
    #[must_use]
    pub fn object(&self) -> &Arc<Document> {
        &self.object
    }

    /// All that was edited, in the order it was made.
    #[must_use]
    pub fn made(&self) -> &[Claim] {
        &self.made
    }

    /// Rounds of another stage are counted anew.
    pub fn next_stage(&mut self) {
        self.round = 0;
    }

    /// Takes what the policies ask for in one round.
    pub fn round(&mut self, asked: &[Asked<'_>]) -> Round {
        let claims = match self.claims(asked) {
            Ok(claims) => claims,
            Err(refused) => return Round::Refused(refused),
        };
        if claims.is_empty() {
            return Round::Settled;
        }
        let mut value = self.object.value().clone();
        if value.is_null() {
            return Round::Broken(unreadable(&self.object, &claims));
        }
        match make(&mut value, &claims) {
            Ok(Made(made)) if made.is_empty() => Round::Settled,
            Ok(Made(made)) => self.edited(value, made),
            Err(RoundError { failures }) if failures.iter().all(|(_, failure)| is_own_fault(failure)) => {
                Round::Refused(failures)
            }
            Err(RoundError { failures }) => Round::Broken(failures),
        }
    }

    fn edited(&mut self, value: Value, made: Vec<Claim>) -> Round {
        self.round += 1;
        if self.round >= ROUNDS {
            let mut restless: Vec<String> = made.into_iter().map(|claim| claim.policy).collect();
            restless.dedup();
            return Round::Broken(restless.into_iter().map(|policy| (policy, Failure::Unsettled(ROUNDS))).collect());
        }
        self.object = Arc::new(Document::from_value(value));
        self.made.extend(made);
        Round::Edited
    }

    /// The claims within what may be edited here; what lies outside is left to the judging of the object.
    fn claims(&self, asked: &[Asked<'_>]) -> Result<Vec<Claim>, Vec<(String, Failure)>> {
        let (mut claims, mut refused) = (Vec::new(), Vec::new());
        for asked in asked {
            for edit in &asked.edits {
                match Claim::new(asked.policy, asked.template, edit) {
                    Ok(Some(claim)) if self.edit.allows(&claim.pointer, &self.added) => claims.push(claim),
                    Ok(_) => {}
                    Err(failure) => refused.push((asked.policy.to_owned(), failure)),
                }
            }
        }
        if refused.is_empty() { Ok(claims) } else { Err(refused) }
    }
}

/// An object that can't be taken apart can't be edited: nobody's edits are made.
fn unreadable(object: &Document, claims: &[Claim]) -> Vec<(String, Failure)> {
    let mut policies: Vec<&str> = claims.iter().map(|claim| claim.policy.as_str()).collect();
    policies.dedup();
    let reason = object.fault().unwrap_or_else(|| "it is null".to_owned());
    let failure = Failure::Unreadable(format!("the object can't be read as a whole: {reason}"));
    policies.into_iter().map(|policy| (policy.to_owned(), failure.clone())).collect()
}

/// Whether a failure is the policy's alone, so that the others can go on without it.
fn is_own_fault(failure: &Failure) -> bool {
    matches!(failure, Failure::BadEdit { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Change, Root};
    use serde_json::json;

    fn edit(pointer: &str, change: Change) -> Edit {
        Edit { rule: "r".into(), root: Root::Template, pointer: pointer.parse().unwrap(), change }
    }

    fn settling(edit: Editable) -> Settling {
        Settling::new(Arc::new(Document::from_value(json!({"spec": {}}))), edit)
    }

    fn round(settling: &mut Settling, asks: &[(&str, Edit)]) -> Round {
        let root = Seat::default();
        let asked: Vec<_> =
            asks.iter().map(|(policy, edit)| Asked { policy, template: &root, edits: vec![edit] }).collect();
        settling.round(&asked)
    }

    #[test]
    fn settles_when_nothing_is_left_to_do() {
        let mut settling = settling(Editable::Everything);
        let ask = [("a", edit("/spec/x", Change::Default(json!(1))))];
        assert_eq!(round(&mut settling, &ask), Round::Edited);
        assert_eq!(round(&mut settling, &ask), Round::Settled);
        assert_eq!(settling.object().value(), &json!({"spec": {"x": 1}}));
    }

    #[test]
    fn a_set_that_never_rests_is_broken_in_the_third_round() {
        let mut settling = settling(Editable::Everything);
        let ask = |n: u32| [("a", edit("/spec/x", Change::Set(json!(n))))];
        assert_eq!(round(&mut settling, &ask(1)), Round::Edited);
        assert_eq!(round(&mut settling, &ask(2)), Round::Edited);
        assert_eq!(round(&mut settling, &ask(3)), Round::Broken(vec![("a".into(), Failure::Unsettled(ROUNDS))]));
    }

    #[test]
    fn a_conflict_breaks_the_round_for_both() {
        let mut settling = settling(Editable::Everything);
        let ask = [("a", edit("/spec/x", Change::Set(json!(1)))), ("b", edit("/spec/x", Change::Set(json!(2))))];
        let Round::Broken(failures) = round(&mut settling, &ask) else { panic!("no conflict") };
        assert_eq!(failures.iter().map(|(policy, _)| policy.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn an_edit_out_of_reach_is_refused_for_its_policy_alone() {
        let mut settling = settling(Editable::Everything);
        let ask =
            [("a", edit("/metadata/name", Change::Set(json!("x")))), ("b", edit("/spec/x", Change::Set(json!(2))))];
        let Round::Refused(failures) = round(&mut settling, &ask) else { panic!("not refused") };
        assert!(matches!(&failures[..], [(policy, Failure::BadEdit { .. })] if policy == "a"));
    }

    #[test]
    fn an_object_that_can_not_be_read_is_told_in_the_words_of_the_parser() {
        let text = serde_json::value::RawValue::from_string(r#"{"spec": {"x": 1e999}}"#.to_owned()).unwrap();
        let mut settling = Settling::new(Arc::new(Document::from_text(text)), Editable::Everything);
        let Round::Broken(failures) = round(&mut settling, &[("a", edit("/spec/y", Change::Set(json!(1))))]) else {
            panic!("it was read")
        };
        let [(_, failure)] = &failures[..] else { panic!("{failures:?}") };
        let told = "the object can't be read as a whole: number out of range at line 1 column 20";
        assert_eq!(failure.to_string(), told);
    }

    #[test]
    fn what_may_not_be_edited_here_is_left_alone() {
        let mut settling = settling(Editable::PodImages);
        assert_eq!(round(&mut settling, &[("a", edit("/spec/x", Change::Set(json!(1))))]), Round::Settled);
        assert!(settling.made().is_empty());
    }
}
