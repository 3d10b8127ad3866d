//! JSON pointers (RFC 6901), parsed once. Reading through a pointer is here; changing a document is in `edit`.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// A parsed JSON pointer: a list of reference tokens, unescaped. The empty pointer is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Pointer(Vec<String>);

/// Text that is not a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// Every pointer but the empty one begins with a slash.
    #[error("the JSON pointer {0:?} does not begin with \"/\"")]
    NoSlash(String),
    /// `~` stands only before `0` or `1`.
    #[error("the JSON pointer {0:?} holds a \"~\" that is not followed by 0 or 1")]
    BadEscape(String),
}

impl Pointer {
    /// The pointer to the whole document.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The reference tokens, unescaped, outermost first.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.0
    }

    /// This pointer with one more token.
    #[must_use]
    pub fn child(&self, token: impl ToString) -> Self {
        let mut tokens = self.0.clone();
        tokens.push(token.to_string());
        Self(tokens)
    }

    /// `self` followed by `inner`.
    #[must_use]
    pub fn join(&self, inner: &Self) -> Self {
        Self(self.0.iter().chain(&inner.0).cloned().collect())
    }

    /// What remains after `prefix`; none if this pointer does not begin with it.
    #[must_use]
    pub fn strip_prefix(&self, prefix: &Self) -> Option<Self> {
        self.0.strip_prefix(prefix.0.as_slice()).map(|rest| Self(rest.to_vec()))
    }

    /// Whether one of the two points into what the other points at, or both at the same.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }

    /// The value there, if the document has one.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(document, |value, token| match value {
            Value::Object(fields) => fields.get(token),
            Value::Array(items) => items.get(list_index(token)?),
            _ => None,
        })
    }
}

/// A list index as RFC 6901 writes it: digits without a leading zero.
#[must_use]
pub fn list_index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    (canonical && token.bytes().all(|b| b.is_ascii_digit())).then(|| token.parse().ok())?
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        let inner = text.strip_prefix('/').ok_or_else(|| PointerError::NoSlash(text.to_owned()))?;
        inner
            .split('/')
            .map(|token| unescape(token).ok_or_else(|| PointerError::BadEscape(text.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn unescape(token: &str) -> Option<String> {
    let mut pieces = token.split('~');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let mut rest = piece.chars();
        plain.push(match rest.next()? {
            '0' => '~',
            '1' => '/',
            _ => return None,
        });
        plain.push_str(rest.as_str());
    }
    Some(plain)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn finds_fields_and_items() {
        let document = json!({"a/b": [{"m~n": 1}]});
        let pointer: Pointer = "/a~1b/0/m~0n".parse().unwrap();
        assert_eq!(pointer.find(&document), Some(&json!(1)));
    }

    #[test]
    fn refuses_a_pointer_without_a_slash() {
        assert_eq!("a".parse::<Pointer>(), Err(PointerError::NoSlash("a".into())));
    }

    #[test]
    fn refuses_a_lone_tilde() {
        assert_eq!("/a~2".parse::<Pointer>(), Err(PointerError::BadEscape("/a~2".into())));
        assert_eq!("/a~".parse::<Pointer>(), Err(PointerError::BadEscape("/a~".into())));
    }

    #[test]
    fn a_list_index_has_no_leading_zero_and_no_sign() {
        assert_eq!(list_index("10"), Some(10));
        assert_eq!(list_index("01"), None);
        assert_eq!(list_index("+1"), None);
        assert_eq!(list_index("-"), None);
        assert_eq!(list_index(""), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(tokens in proptest::collection::vec("[a-z~/0-9]{0,5}", 0..5)) {
            let pointer = Pointer(tokens);
            prop_assert_eq!(pointer.to_string().parse::<Pointer>().unwrap(), pointer);
        }
    }
}
