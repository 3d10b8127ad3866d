//! JSON pointers (RFC 6901) as text, the way the contract carries them.

/// `base` with one more token, escaped: for names that come from an object, such as annotation keys.
#[must_use]
pub fn child(base: &str, token: &str) -> String {
    [base, "/", &token.replace('~', "~0").replace('/', "~1")].concat()
}

/// `base` followed by `below`, a pointer of its own: for fields that are known.
#[must_use]
pub fn join(base: &str, below: &str) -> String {
    [base, below].concat()
}
