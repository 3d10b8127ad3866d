//! Evidence: what the books of all replicas were proved to be, kept outside of them in a ConfigMap, each time beside
//! those before. A book that was put back, replaced or lost since is seen by that. Who asks the replicas, and when, is
//! not decided here.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use portreeve_ledger::{BookProof, Deposit};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::FIELD_MANAGER;

/// What was found at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// When.
    pub collected: Timestamp,
    /// The books, in the order in which their replicas were asked.
    pub books: Vec<BookProof>,
    /// What it does not show, and why; nothing if it shows all.
    pub gaps: Vec<String>,
}

/// What a replica answered.
#[derive(Debug)]
pub struct Answer {
    /// Whom that was asked.
    pub replica: String,
    /// Its proof, or why there is none.
    pub proof: Result<BookProof, String>,
}

/// All that is kept, by the day on which it was collected, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept(BTreeMap<String, Evidence>);

/// Where evidence is kept.
pub struct EvidenceMap {
    maps: Api<ConfigMap>,
    name: String,
}

/// Evidence that can't be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The API server does not give or take the ConfigMap.
    #[error("the ConfigMap {name:?}, in which evidence is kept, can't be had")]
    Map {
        /// Its name.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// What is in it is no evidence, or was changed.
    #[error("{key} in the ConfigMap {name:?} is no evidence; it is left as it is, and nothing is added")]
    Entry {
        /// Name of the ConfigMap.
        name: String,
        /// Under which key.
        key: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Evidence {
    /// What these answers show, held against what was kept before. A proof may be as old as `oldest`.
    #[must_use]
    pub fn of(answers: Vec<Answer>, before: &Kept, now: Timestamp, oldest: SignedDuration) -> Self {
        let (mut books, mut gaps) = (Vec::new(), Vec::new());
        for Answer { replica, proof } in answers {
            match proof {
                Ok(proof) => {
                    gaps.extend(gaps_of(&proof, now, oldest));
                    books.push(proof);
                }
                Err(why) => gaps.push(format!("{replica} gave no proof of its book: {why}")),
            }
        }
        let mut evidence = Self { collected: now, books, gaps };
        let before = before.before(&evidence.key());
        let books = &evidence.books;
        let contradictions = deposits(books).filter_map(|deposit| before.contradicts(deposit));
        let held: Vec<String> = before.missing(books).into_iter().chain(contradictions).collect();
        evidence.gaps.extend(held);
        evidence
    }

    /// Under which it is kept.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}.json", self.collected.strftime("%F"))
    }
}

fn gaps_of(proof: &BookProof, now: Timestamp, oldest: SignedDuration) -> impl Iterator<Item = String> {
    let BookProof { origin, at, faults, .. } = proof;
    let old = (now.duration_since(*at) > oldest)
        .then(|| format!("the book of {origin} was read last at {at:.0}, more than {} hours ago", oldest.as_hours()));
    old.into_iter().chain(faults.iter().map(move |fault| format!("the book of {origin} is not whole: {fault}")))
}

fn deposits(books: &[BookProof]) -> impl Iterator<Item = &Deposit> {
    books.iter().flat_map(|book| &book.checkpoints)
}

impl Kept {
    /// Adds evidence, in the place of what was collected on the same day, and lets go of all but the newest.
    pub fn add(&mut self, evidence: Evidence, most: usize) {
        self.0.insert(evidence.key(), evidence);
        while self.0.len() > most.max(1) {
            self.0.pop_first();
        }
    }

    /// Each, with the day on which it was collected.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Evidence)> {
        self.0.iter().map(|(key, evidence)| (key.as_str(), evidence))
    }

    /// What is older: a second look on one day is held against the same as the first, and does not make its gaps good.
    fn before(&self, day: &str) -> Self {
        Self(self.0.range(..day.to_owned()).map(|(key, evidence)| (key.clone(), evidence.clone())).collect())
    }

    /// Logs that were there the last time and are in none of these books.
    fn missing(&self, books: &[BookProof]) -> Vec<String> {
        let Some((day, last)) = self.iter().next_back() else { return Vec::new() };
        let gone = deposits(&last.books).filter(|was| deposits(books).all(|is| is.log() != was.log()));
        let words = |was: &Deposit| {
            format!(
                "{} is in no replica's book, and had {} records under its checkpoint in {day}",
                was.log(),
                was.size()
            )
        };
        gone.map(words).collect()
    }

    /// Why this can't be the log that was there when it was last seen.
    fn contradicts(&self, deposit: &Deposit) -> Option<String> {
        let mut newest_first = self.iter().rev();
        newest_first.find_map(|(day, evidence)| {
            let earlier = deposits(&evidence.books).find(|earlier| earlier.log() == deposit.log())?;
            Some(deposit.follows(earlier).err().map(|why| format!("{why} (held against {day})")))
        })?
    }
}

impl EvidenceMap {
    /// The ConfigMap of this name.
    #[must_use]
    pub fn named(client: Client, namespace: &str, name: &str) -> Self {
        Self { maps: Api::namespaced(client, namespace), name: name.to_owned() }
    }

    /// All that is kept; nothing if there is no such ConfigMap.
    ///
    /// # Errors
    /// If it can't be had, or holds something else.
    pub async fn read(&self) -> Result<Kept, EvidenceError> {
        let map = self.maps.get_opt(&self.name).await.map_err(|source| self.lost(source))?;
        let entries = map.and_then(|map| map.data).unwrap_or_default().into_iter();
        let read = |(key, text): (String, String)| match serde_json::from_str(&text) {
            Ok(evidence) => Ok((key, evidence)),
            Err(source) => Err(EvidenceError::Entry { name: self.name.clone(), key, source }),
        };
        Ok(Kept(entries.map(read).collect::<Result<_, _>>()?))
    }

    /// Keeps this, and nothing else.
    ///
    /// # Errors
    /// If the API server does not take it.
    pub async fn write(&self, kept: &Kept) -> Result<(), EvidenceError> {
        let data: BTreeMap<&str, String> =
            kept.iter().map(|(key, evidence)| (key, json!(evidence).to_string())).collect();
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self.name}, "data": data});
        let by = PatchParams::apply(FIELD_MANAGER).force();
        self.maps.patch(&self.name, &by, &Patch::Apply(map)).await.map(drop).map_err(|source| self.lost(source))
    }

    fn lost(&self, source: kube::Error) -> EvidenceError {
        EvidenceError::Map { name: self.name.clone(), source: Box::new(source) }
    }
}

#[cfg(test)]
mod tests {
    use portreeve_ledger::{Ledger, Options, verify};

    use super::*;

    const TWO_DAYS: SignedDuration = SignedDuration::from_hours(48);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A book of so many records, proved at this time.
    fn book(folder: &std::path::Path, replica: &str, now: Timestamp) -> Answer {
        let origin = format!("prod/{replica}");
        let ledger = Ledger::open(folder, Options::new(origin.parse().unwrap())).unwrap();
        ledger.close().unwrap();
        Answer { replica: replica.to_owned(), proof: Ok(BookProof::of(&origin, &verify(folder), now)) }
    }

    #[test]
    fn books_that_are_whole_leave_no_gap() {
        let (folder, now) = (tempfile::tempdir().unwrap(), at("2026-12-01T06:00:00Z"));
        let evidence = Evidence::of(vec![book(folder.path(), "a", now)], &Kept::default(), now, TWO_DAYS);
        assert_eq!((evidence.gaps.len(), evidence.books.len(), evidence.key().as_str()), (0, 1, "2026-12-01.json"));
        let later = at("2027-01-01T06:00:00Z");
        let mut kept = Kept::default();
        kept.add(evidence, 24);
        assert_eq!(
            Evidence::of(vec![book(folder.path(), "a", later)], &kept, later, TWO_DAYS).gaps,
            Vec::<String>::new()
        );
    }

    #[test]
    fn another_book_in_the_place_of_one_is_a_gap_and_so_is_one_that_is_gone() {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (first, second) = (at("2026-12-01T06:00:00Z"), at("2027-01-01T06:00:00Z"));
        let mut kept = Kept::default();
        kept.add(Evidence::of(vec![book(folders[0].path(), "a", first)], &kept, first, TWO_DAYS), 24);
        let replaced = Evidence::of(vec![book(folders[1].path(), "a", second)], &kept, second, TWO_DAYS);
        assert!(
            replaced.gaps.len() == 1 && replaced.gaps[0].starts_with("prod/a/1 is signed with another key"),
            "{replaced:?}"
        );
        kept.add(replaced.clone(), 24);
        let again = Evidence::of(vec![book(folders[1].path(), "a", second)], &kept, second, TWO_DAYS);
        assert_eq!(again.gaps, replaced.gaps, "a job that is tried again");
        let third = at("2027-02-01T06:00:00Z");
        let gone = Evidence::of(Vec::new(), &kept, third, TWO_DAYS);
        assert!(gone.gaps[0].starts_with("prod/a/1 is in no replica's book"), "{gone:?}");
    }

    #[test]
    fn a_replica_without_an_answer_and_a_proof_that_is_old_are_gaps() {
        let (folder, now) = (tempfile::tempdir().unwrap(), at("2026-12-01T06:00:00Z"));
        let silent = Answer { replica: "http://b:8080".to_owned(), proof: Err("connection refused".to_owned()) };
        let old = book(folder.path(), "a", at("2026-11-20T06:00:00Z"));
        let gaps = Evidence::of(vec![silent, old], &Kept::default(), now, TWO_DAYS).gaps;
        assert_eq!(gaps[0], "http://b:8080 gave no proof of its book: connection refused");
        assert_eq!(gaps[1], "the book of prod/a was read last at 2026-11-20T06:00:00Z, more than 48 hours ago");
    }

    #[test]
    fn the_newest_are_kept() {
        let mut kept = Kept::default();
        for day in ["2026-12-01T06:00:00Z", "2026-11-01T06:00:00Z", "2027-01-01T06:00:00Z"] {
            kept.add(Evidence::of(Vec::new(), &kept, at(day), TWO_DAYS), 2);
        }
        let days: Vec<&str> = kept.iter().map(|(day, _)| day).collect();
        assert_eq!(days, ["2026-12-01.json", "2027-01-01.json"]);
    }
}
