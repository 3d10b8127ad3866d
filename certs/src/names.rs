//! The names that certificates carry: what a server answers to, and who a client is. Parsed once, here.

use std::fmt;

use rustls_pki_types::ServerName;

/// The DNS names and IP addresses that a serving certificate is for: at least one, lower case, none twice, in the
/// order given. Wildcards are not offered, since a webhook's names are known.
///
/// ```
/// let names = portreeve_certs::ServerNames::parse(["Portreeve.portreeve.svc", "::1"])?;
/// assert_eq!(names.to_string(), "portreeve.portreeve.svc, ::1");
/// # Ok::<(), portreeve_certs::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerNames(Vec<ServerName<'static>>);

impl ServerNames {
    /// Reads each as an IP address, else as a DNS name.
    ///
    /// # Errors
    /// When one is neither, and when there are none.
    pub fn parse<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Self, NameError> {
        let mut parsed: Vec<ServerName<'static>> = Vec::new();
        for name in names {
            let name = parse_one(name.as_ref())?;
            if !parsed.contains(&name) {
                parsed.push(name);
            }
        }
        if parsed.is_empty() { Err(NameError::NoServerName) } else { Ok(Self(parsed)) }
    }

    /// The names, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &ServerName<'static>> {
        self.0.iter()
    }

    /// Whether both hold the same names, in whatever order.
    pub(crate) fn same_as(&self, texts: &[String]) -> bool {
        Self::parse(texts)
            .is_ok_and(|other| self.0.len() == other.0.len() && self.0.iter().all(|name| other.0.contains(name)))
    }
}

fn parse_one(text: &str) -> Result<ServerName<'static>, NameError> {
    // A trailing dot is a DNS name to resolvers but never matches what a TLS client asks for.
    let invalid = || NameError::InvalidServerName { name: text.to_owned() };
    if text.ends_with('.') {
        return Err(invalid());
    }
    ServerName::try_from(text.to_ascii_lowercase()).map_err(|_| invalid())
}

impl fmt::Display for ServerNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(ServerName::to_str).collect();
        f.write_str(&texts.join(", "))
    }
}

/// A subject's common name: 1 to 64 characters (X.520's upper bound), no control characters. The API server takes the
/// user name of a client certificate from it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommonName(String);

impl CommonName {
    /// The name, checked.
    ///
    /// # Errors
    /// When it is empty, longer than 64 characters or holds a control character.
    pub fn parse(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        let length = name.chars().count();
        if (1..=64).contains(&length) && !name.chars().any(char::is_control) {
            Ok(Self(name))
        } else {
            Err(NameError::InvalidCommonName { name })
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that no certificate can carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No name at all.
    #[error("a serving certificate needs at least one DNS name or IP address")]
    NoServerName,
    /// Neither a DNS name nor an IP address.
    #[error("{name:?} is neither a DNS name (no wildcard, no trailing dot, no port) nor an IP address")]
    InvalidServerName {
        /// As it was given.
        name: String,
    },
    /// Not a common name.
    #[error("{name:?} is no common name: it must have 1 to 64 characters and no control characters")]
    InvalidCommonName {
        /// As it was given.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_each_name_once() {
        let names = ServerNames::parse(["a.example", "A.example", "10.0.0.1"]).unwrap();
        assert_eq!(names.to_string(), "a.example, 10.0.0.1");
    }

    #[test]
    fn refuses_an_empty_list() {
        assert_eq!(ServerNames::parse(Vec::<String>::new()), Err(NameError::NoServerName));
    }

    #[test]
    fn refuses_what_no_tls_client_asks_for() {
        for name in ["", "a.example.", "a.example:443", "*.example", "a b", "https://a"] {
            assert_eq!(ServerNames::parse([name]), Err(NameError::InvalidServerName { name: name.to_owned() }));
        }
    }

    #[test]
    fn compares_names_without_regard_to_order() {
        let names = ServerNames::parse(["a.example", "::1"]).unwrap();
        assert!(names.same_as(&["::1".to_owned(), "a.example".to_owned()]));
        assert!(!names.same_as(&["a.example".to_owned()]));
    }

    #[test]
    fn refuses_a_common_name_of_65_characters() {
        assert!(CommonName::parse("x".repeat(64)).is_ok());
        assert!(CommonName::parse("x".repeat(65)).is_err());
    }

    #[test]
    fn refuses_a_common_name_with_a_line_break() {
        assert!(CommonName::parse("a\nb").is_err());
    }
}
