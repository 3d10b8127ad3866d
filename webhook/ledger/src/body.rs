//! What a record says: its kind, and its body as canonical JSON (RFC 8785). The envelope around it is in `leaf`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::canonical::{self, UnsafeInteger};

/// What sort of thing a record tells. The set is open: 1 to 32 of `a-z 0-9 -`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKind(Cow<'static, str>);

/// Text that is not a [`RecordKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a kind of record: use 1 to 32 lower-case letters, digits and dashes, the first a letter")]
pub struct RecordKindError(String);

/// The canonical JSON of a record's body, made once, before the record has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(String);

/// A value that can't be the body of a record.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It does not serialise as JSON (a map whose keys are no strings, an integer past 64 bits).
    #[error("the record's body can't be written as JSON")]
    NotJson(#[from] serde_json::Error),
    /// RFC 8785 knows only numbers that a double holds exactly. Anything else would be changed in silence.
    #[error("the record's body {0}")]
    UnsafeInteger(#[from] UnsafeInteger),
}

impl RecordKind {
    /// An edit that was made and the answer that carried it.
    pub const CORRECTION: Self = Self(Cow::Borrowed("correction"));
    /// A verdict that was given.
    pub const DECISION: Self = Self(Cow::Borrowed("decision"));
    /// An earlier record's answer never left.
    pub const UNDELIVERED: Self = Self(Cow::Borrowed("undelivered"));
    /// The book was opened again by the process that it had failed; says why it had.
    pub const REOPENED: Self = Self(Cow::Borrowed("reopened"));
    /// Calls before it have no record, though the book did not fail; says how many, and why the last of them.
    pub const RESUMED: Self = Self(Cow::Borrowed("resumed"));
    /// The first record of an epoch that follows one which was set aside. The ledger writes it itself.
    pub const OPENED: Self = Self(Cow::Borrowed("opened"));

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RecordKind {
    type Err = RecordKindError;

    fn from_str(text: &str) -> Result<Self, RecordKindError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let begins_well = text.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        if begins_well && text.len() <= 32 && text.bytes().all(allowed) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(RecordKindError(text.to_owned()))
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RecordKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Body {
    /// The canonical JSON of `value`. Takes a fraction of the time where keys come in their order, as those of a struct
    /// do whose fields are declared in it.
    ///
    /// # Errors
    /// When the value is not JSON, or holds an integer beyond ±(2^53 − 1): write such a number as a string.
    pub fn of(value: &impl Serialize) -> Result<Self, BodyError> {
        match canonical::as_written(value)? {
            Some(text) => Ok(Self(text)),
            None => Ok(Self(canonical::text(&serde_json::to_value(value)?)?)),
        }
    }

    /// The JSON text, without a newline.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kind_is_a_short_lower_case_word() {
        for text in ["", "Decision", "1st", "-a", "a b", "a\"", &"x".repeat(33)] {
            assert!(text.parse::<RecordKind>().is_err(), "{text:?} was taken");
        }
        assert_eq!("decision".parse::<RecordKind>().unwrap(), RecordKind::DECISION);
    }

    #[test]
    fn a_body_is_canonical_whatever_order_it_came_in() {
        let one = Body::of(&json!({"b": [1, 2.50], "a": {"z": "\u{1f}", "é": null}})).unwrap();
        assert_eq!(one.as_str(), r#"{"a":{"z":"\u001f","é":null},"b":[1,2.5]}"#);
    }

    #[test]
    fn refuses_an_integer_that_a_double_would_change() {
        let error = Body::of(&json!({"a": [{"n": 9_007_199_254_740_993_u64}]})).unwrap_err();
        assert!(matches!(&error, BodyError::UnsafeInteger(_)));
        assert!(error.to_string().contains("/a/0/n"), "{error}");
    }

    #[test]
    fn takes_raw_json_by_its_meaning() {
        let raw = serde_json::value::RawValue::from_string(r#"{ "b": 1, "a": 2 }"#.to_owned()).unwrap();
        assert_eq!(Body::of(&raw).unwrap().as_str(), r#"{"a":2,"b":1}"#);
    }
}
