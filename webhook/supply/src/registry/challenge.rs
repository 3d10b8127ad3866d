//! What a registry asks for with its 401: `WWW-Authenticate`, read by RFC 9110 and the distribution token protocol.

use http_auth::{ChallengeRef, parse_challenges};
use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// How a registry wants to be convinced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user name and a password with every request.
    Basic,
    /// A token that is issued at `realm`.
    Bearer {
        /// Where.
        realm: Url,
        /// For which service, if it says so.
        service: Option<String>,
        /// For what, if it says so.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The first Bearer challenge, else a Basic one. None when there is neither, or it can't be read.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<_> = values.filter_map(|value| parse_challenges(value).ok()).flatten().collect();
        let bearer = challenges.iter().find_map(bearer);
        let basic = || challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case("basic"));
        bearer.or_else(|| basic().map(|_| Self::Basic))
    }
}

fn bearer(challenge: &ChallengeRef<'_>) -> Option<Challenge> {
    if !challenge.scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameter = |name: &str| {
        let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    Some(Challenge::Bearer {
        realm: parameter("realm")?.parse().ok()?,
        service: parameter("service"),
        scope: parameter("scope"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(values: &[&str]) -> Option<Challenge> {
        let pairs = values.iter().map(|value| (WWW_AUTHENTICATE, value.parse().unwrap()));
        Challenge::of(&pairs.collect())
    }

    #[test]
    fn reads_realm_service_and_scope() {
        let value = r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.example/token".parse().unwrap(),
            service: Some("r.example".into()),
            scope: Some("repository:a/b:pull,push".into()),
        };
        assert_eq!(challenge(&[value]), Some(expected));
    }

    #[test]
    fn prefers_a_token_to_a_password() {
        let both = challenge(&[r#"Basic realm="r""#, r#"bearer realm="https://auth.example/""#]);
        assert!(matches!(both, Some(Challenge::Bearer { service: None, .. })));
    }

    #[test]
    fn reads_basic() {
        assert_eq!(challenge(&[r#"BASIC realm="r""#]), Some(Challenge::Basic));
    }

    #[test]
    fn what_is_neither_is_none() {
        for value in ["", "Negotiate", "Bearer", r#"Bearer realm="not a url""#, r#"Bearer realm="#] {
            assert_eq!(challenge(&[value]), None, "{value}");
        }
    }
}
