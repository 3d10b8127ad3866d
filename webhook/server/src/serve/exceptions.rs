//! Telling of exceptions that have ended or soon will: once in the log, and on `/readyz?verbose` until somebody mends
//! or removes them. That an ended one no longer counts is decided at every request, not here.

use jiff::Timestamp;
use portreeve_admission::exception::Exception;

use crate::health::{Health, Part, State};

/// Looks at the end of each exception in force.
pub(super) fn look(exceptions: &[Exception], health: &Health, now: Timestamp) {
    let notices: Vec<String> = exceptions.iter().filter_map(|exception| exception.notice(now)).collect();
    let state = match notices.as_slice() {
        [] => State::Good(format!("{} in force", exceptions.len())),
        _ => State::Kept(notices.join("; ")),
    };
    if health.set(Part::Exceptions, state) {
        notices.iter().for_each(|notice| tracing::warn!("{notice}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_admission::api::{Metadata, PolicyExceptionSpec};
    use serde_json::json;

    fn exception(expires: &str) -> Exception {
        let spec = json!({"policy": "p", "owner": "o", "ticket": "T-1", "reason": "r", "expires": expires});
        let spec: PolicyExceptionSpec = serde_json::from_value(spec).unwrap();
        let metadata = Metadata { name: "e".into(), namespace: Some("shop".into()), ..Metadata::default() };
        Exception::new(&metadata, spec).unwrap()
    }

    fn shown(expires: &str) -> String {
        let health = Health::default();
        look(&[exception(expires)], &health, "2026-06-01T00:00:00Z".parse().unwrap());
        health.report()
    }

    #[test]
    fn an_exception_that_runs_is_counted() {
        assert!(shown("2027-01-01T00:00:00Z").contains("[+] exceptions: 1 in force"));
    }

    #[test]
    fn one_that_has_ended_or_soon_will_is_shown_with_its_end() {
        for expires in ["2026-05-01T00:00:00Z", "2026-06-14T00:00:00Z"] {
            let shown = shown(expires);
            assert!(
                shown.contains("[!] exceptions: the exception shop/e from p") && shown.contains(expires),
                "{shown}"
            );
        }
    }
}
