//! The switch that drops denials for a time, for the hour in which they stand in the way of saving a cluster: two
//! annotations of the PolicySet. What would have been denied is warned of, defaults are put in as ever, and records say
//! so. Who may set it is decided where the PolicySet is changed.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::api::{FailurePolicy, Mode};
use crate::decision::{Decision, Finding, PolicyFailure};

/// Until when, RFC 3339.
pub const UNTIL: &str = "portreeve.dev/break-glass-until";
/// Why, for whoever reads it later.
pub const REASON: &str = "portreeve.dev/break-glass-reason";

/// A switch that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlass {
    /// Until when denials are dropped.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// Annotations that set no switch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BreakGlassError {
    /// No end.
    #[error(
        "metadata.annotations: {REASON} without {UNTIL}: say until when denials are dropped, as in 2030-01-01T12:00:00Z"
    )]
    NoEnd,
    /// No reason.
    #[error("metadata.annotations: {UNTIL} without {REASON}: say why denials are dropped")]
    NoReason,
    /// Not a time.
    #[error("metadata.annotations: {UNTIL} is {found:?}; it should be a time as in 2030-01-01T12:00:00Z")]
    NoTime {
        /// What stands there.
        found: String,
    },
}

impl BreakGlass {
    /// The switch that these annotations set; none without them.
    ///
    /// # Errors
    /// If one of the two is missing or says nothing.
    pub fn of(annotations: &BTreeMap<String, String>) -> Result<Option<Self>, BreakGlassError> {
        let text = |key: &str| annotations.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
        match (text(UNTIL), text(REASON)) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(BreakGlassError::NoEnd),
            (Some(_), None) => Err(BreakGlassError::NoReason),
            (Some(until), Some(reason)) => {
                let until = until.parse().map_err(|_| BreakGlassError::NoTime { found: until.to_owned() })?;
                Ok(Some(Self { until, reason: reason.to_owned() }))
            }
        }
    }

    /// Whether denials are dropped now.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

impl fmt::Display for BreakGlass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "denials are dropped until {}: {}", self.until, self.reason)
    }
}

/// What would have denied is warned of, and what could not be judged passes.
pub fn drop_denials(decision: &mut Decision) {
    let enforced = |finding: &&mut Finding| finding.mode == Mode::Enforce;
    decision.findings.iter_mut().filter(enforced).for_each(|finding| finding.mode = Mode::Warn);
    drop_refusals(&mut decision.failures);
}

/// What could not be judged passes.
pub fn drop_refusals(failures: &mut [PolicyFailure]) {
    failures.iter_mut().for_each(|failure| failure.failure_policy = FailurePolicy::Ignore);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::tests::{policy, violation};
    use crate::decision::{Answer, Standing};
    use crate::verdict::Failure;

    fn finding(mode: Mode) -> Finding {
        let violation = violation("r", None);
        Finding { policy: "p".into(), mode, template: String::new(), violation, standing: Standing::Counts }
    }

    fn failed() -> Decision {
        let mut decision = Decision::default();
        decision.fail(&policy("p", Mode::Enforce, FailurePolicy::Fail), Failure::NoTurn);
        decision
    }

    #[test]
    fn what_would_have_denied_is_warned_of_and_what_was_milder_stays_so() {
        let modes = [Mode::Enforce, Mode::Warn, Mode::Audit];
        let mut decision = Decision { findings: modes.map(finding).into(), ..Decision::default() };
        assert_eq!(decision.answer(), Answer::Denied);
        drop_denials(&mut decision);
        assert_eq!(decision.answer(), Answer::Allowed);
        let modes: Vec<Mode> = decision.findings.iter().map(|finding| finding.mode).collect();
        assert_eq!(modes, [Mode::Warn, Mode::Warn, Mode::Audit]);
    }

    #[test]
    fn what_could_not_be_judged_passes_and_is_told_as_before() {
        let mut decision = failed();
        assert_eq!(decision.answer(), Answer::Failed);
        drop_denials(&mut decision);
        assert_eq!(decision.answer(), Answer::Allowed);
        assert_eq!(decision.failures[0].failure, Failure::NoTurn);
    }

    #[test]
    fn a_refusal_that_is_dropped_stays_a_failure_of_its_mode() {
        let mut failures = failed().failures;
        drop_refusals(&mut failures);
        let [failure] = &failures[..] else { panic!("{failures:?}") };
        assert_eq!((failure.mode, failure.refuses()), (Mode::Enforce, false));
    }

    fn of(until: Option<&str>, reason: Option<&str>) -> Result<Option<BreakGlass>, BreakGlassError> {
        let pairs = [(UNTIL, until), (REASON, reason)];
        let written = pairs.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.to_owned())));
        BreakGlass::of(&written.collect())
    }

    #[test]
    fn a_switch_has_an_end_and_a_reason() {
        let end = Some("2030-01-01T12:00:00Z");
        assert_eq!(of(None, None), Ok(None));
        assert_eq!(of(end, None), Err(BreakGlassError::NoReason));
        assert_eq!(of(None, Some("fire")), Err(BreakGlassError::NoEnd));
        assert_eq!(of(Some("soon"), Some("fire")), Err(BreakGlassError::NoTime { found: "soon".to_owned() }));
        assert_eq!(of(end, Some("fire")).unwrap().unwrap().reason, "fire");
    }

    #[test]
    fn it_is_open_until_its_end() {
        let glass = of(Some("2030-01-01T12:00:00Z"), Some("fire")).unwrap().unwrap();
        assert!(glass.is_open("2030-01-01T11:59:59Z".parse().unwrap()));
        assert!(!glass.is_open("2030-01-01T12:00:00Z".parse().unwrap()));
    }
}
