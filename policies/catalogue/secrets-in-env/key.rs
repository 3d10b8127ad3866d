//! Private keys: in PEM (RFC 7468) anywhere in a text, in a cloud's key file, or either of them in base64. Certificates
//! and public keys are nobody's secret.

use super::base64::decode;

const BEGIN: &str = "-----BEGIN ";
/// How base64 of `-----BEGIN ` and of a JSON object begins.
const ENCODED: [&str; 4] = ["LS0tLS1CRUdJTi", "ey", "ew", "Cns"];
/// The shortest run of base64 that can be of a key; what is shorter stands for one in an example.
const SHORTEST: usize = 32;

/// The private key in a text, with all that follows.
pub(super) fn private(text: &str) -> Option<&str> {
    let trimmed = text.trim();
    plain(text).or_else(|| encodes_key(trimmed).then_some(trimmed))
}

fn plain(text: &str) -> Option<&str> {
    text.match_indices(BEGIN).find_map(|(at, _)| {
        let here = text.get(at..)?;
        let (label, body) = here.get(BEGIN.len()..)?.split_once("-----")?;
        let is_private = label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK");
        (is_private && has_long_run(body)).then_some(here)
    })
}

fn encodes_key(text: &str) -> bool {
    let may = ENCODED.iter().any(|beginning| text.starts_with(beginning));
    let decoded = if may { decode(text) } else { None };
    decoded.is_some_and(|bytes| plain(&String::from_utf8_lossy(&bytes)).is_some())
}

fn has_long_run(body: &str) -> bool {
    body.split(|c: char| !c.is_ascii_alphanumeric() && !"+/".contains(c)).any(|run| run.len() >= SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";

    fn pem(label: &str) -> String {
        format!("-----BEGIN {label}-----\n{LINE}\n-----END {label}-----\n")
    }

    #[test]
    fn keys_of_every_kind_are_found() {
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
            assert!(private(&pem(label)).is_some(), "{label}");
        }
        let file =
            format!(r#"{{"type": "service_account", "private_key": "{}"}}"#, pem("PRIVATE KEY").replace('\n', "\\n"));
        assert!(private(&file).is_some());
    }

    #[test]
    fn a_key_behind_a_certificate_is_found() {
        assert!(private(&(pem("CERTIFICATE") + &pem("EC PRIVATE KEY"))).is_some());
    }

    #[test]
    fn a_key_in_base64_is_found() {
        // `-----BEGIN PRIVATE KEY-----` and a line of zeros.
        let encoded = "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2UUlCQURBTkJna3Foa2lHOXcwQkFRRUZBQVNDQktjd2dnU2o=";
        assert!(private(encoded).is_some());
    }

    #[test]
    fn certificates_public_keys_and_examples_are_not() {
        assert!(private(&pem("CERTIFICATE")).is_none() && private(&pem("PUBLIC KEY")).is_none());
        assert!(private("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----").is_none());
    }
}
