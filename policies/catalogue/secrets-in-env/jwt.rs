//! JSON Web Tokens (RFC 7519) with a signature (RFC 7515), anywhere in a text. Whether one has expired is not looked
//! at.

use super::base64::decode;

/// How base64url of `{"` begins.
const OBJECT: &str = "eyJ";
/// The shortest signature that any algorithm makes is longer.
const SHORTEST_SIGNATURE: usize = 16;

/// The token in a text.
pub(super) fn find(text: &str) -> Option<&str> {
    text.match_indices(OBJECT).filter_map(|(at, _)| text.get(at..)).find_map(begins_with_token)
}

fn begins_with_token(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(text.len());
    let token = text.get(..end)?;
    let mut parts = token.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let says_how = decode(header).is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains("\"alg\""));
    (says_how && payload.starts_with(OBJECT) && signature.len() >= SHORTEST_SIGNATURE).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    const PAYLOAD: &str = "eyJzdWIiOiJhIn0";

    #[test]
    fn a_signed_token_is_found_wherever_it_stands() {
        let token = format!("{HEADER}.{PAYLOAD}.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV");
        assert_eq!(find(&token), Some(token.as_str()));
        assert_eq!(find(&format!("Authorization: Bearer {token}; x")), Some(token.as_str()));
    }

    #[test]
    fn one_without_a_signature_or_an_algorithm_is_none() {
        assert_eq!(find(&format!("{HEADER}.{PAYLOAD}.")), None);
        assert_eq!(find(&format!("{PAYLOAD}.{PAYLOAD}.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV")), None);
    }
}
