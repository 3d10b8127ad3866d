//! What is written as it should be and can hardly be meant: an end that has passed, a list of nothing that stands for
//! all, a switch for half a year. Who applies it is told at once, while he still knows what he meant. Nothing of it is
//! looked at where it is stored already.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use portreeve_admission::api::{PolicyExceptionSpec, Resource};
use portreeve_admission::break_glass::{BreakGlass, UNTIL};
use portreeve_admission::policy::Policy;
use portreeve_admission::review::Review;
use serde_json::Value;

use crate::set::{Outline, Sources, platform};

/// The longest that denials are dropped by one change: a week, in which somebody looks after it again.
const LONGEST_SWITCH: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Lists of an exception that loosen for all where they name nothing, with what they name.
const LISTS: [(&str, &str); 3] = [
    ("/spec/rules", "the policy's rules"),
    ("/spec/containers", "containers, and for the pod itself"),
    ("/spec/match/images", "images"),
];

/// What of a new exception, or of one that says something else now, can't be meant.
pub(super) fn of_exception(spec: &PolicyExceptionSpec, object: &Value, now: Timestamp) -> Vec<String> {
    let is_over = (spec.expires <= now).then(|| {
        format!(
            "spec.expires: {} has passed, and nothing would be loosened; to withdraw an exception, delete it",
            spec.expires
        )
    });
    let is_nothing = |at: &str| object.pointer(at).and_then(Value::as_array).is_some_and(Vec::is_empty);
    let empty = LISTS.iter().filter(|(at, _)| is_nothing(at)).map(|(at, all)| {
        let field = at.trim_start_matches('/').replace('/', ".");
        format!("{field}: an empty list loosens for all {all}; leave it out if that is meant, else name some")
    });
    is_over.into_iter().chain(empty).collect()
}

/// What of a switch that was set is wrong or can't be meant.
pub(super) fn of_switch(review: &Review, now: Timestamp) -> Option<String> {
    let glass = match BreakGlass::of(&review.meta.annotations) {
        Ok(glass) => glass?,
        Err(error) => return Some(error.to_string()),
    };
    let until = glass.until;
    if !glass.is_open(now) {
        return Some(format!("metadata.annotations: {UNTIL} is {until}, which has passed: no denial would be dropped"));
    }
    (until.duration_since(now) > LONGEST_SWITCH).then(|| {
        let latest = now.saturating_add(LONGEST_SWITCH).unwrap_or(until);
        let latest = latest.strftime("%Y-%m-%dT%H:%M:%SZ");
        format!("metadata.annotations: {UNTIL} is {until}; it may be seven days ahead at most, which is {latest}")
    })
}

/// What the caller should know of a change that is made all the same.
pub(super) fn warnings(
    resource: &Resource,
    before: &Sources,
    outline: impl FnOnce() -> Outline,
    idle: impl Fn(&Policy) -> Vec<usize>,
) -> Vec<String> {
    let is_first = !before.rule_anything();
    let (namespace, name) = match resource {
        Resource::ClusterPolicy(policy) if is_first || !policy.spec.matching.resources.is_empty() => {
            (None, policy.metadata.name.as_str())
        }
        Resource::PolicySet(_) if is_first => (None, ""),
        Resource::Policy(policy) => (policy.metadata.namespace.as_deref(), policy.metadata.name.as_str()),
        _ => return Vec::new(),
    };
    let outline = outline();
    let left = (namespace.is_none() && is_first).then(|| profile_left(&outline)).flatten();
    let nowhere = in_force_nowhere(namespace, &outline);
    let itself = outline.policies.iter().find(|policy| is_named(policy, namespace, name));
    let idle = itself.into_iter().flat_map(idle).map(|place| {
        format!(
            "spec.match.resources[{place}] names nothing that this policy looks at: resources are plurals as in \
             \"deployments\", in the apiGroups that have them"
        )
    });
    left.into_iter().chain(nowhere).chain(idle).collect()
}

fn is_named(policy: &Policy, namespace: Option<&str>, name: &str) -> bool {
    policy.of_namespace.as_deref() == namespace && policy.id.rsplit('/').next() == Some(name)
}

/// The profile holds where nothing else was asked for: whoever asks for the first thing may not know that.
fn profile_left(outline: &Outline) -> Option<String> {
    let kept: BTreeSet<&str> = outline.policies.iter().map(|policy| policy.id.as_str()).collect();
    let is_left = |resource: &&Resource| match resource {
        Resource::ClusterPolicy(policy) => !kept.contains(policy.metadata.name.as_str()),
        _ => false,
    };
    let left = platform().iter().filter(is_left).count();
    (left > 0).then(|| {
        format!(
            "{left} policies of the platform profile are no longer in force: it holds while there is neither a ClusterPolicy \
             nor a PolicySet. To keep it, apply a PolicySet with spec.profile: platform"
        )
    })
}

fn in_force_nowhere(namespace: Option<&str>, outline: &Outline) -> Option<String> {
    let namespace = namespace.filter(|namespace| outline.excluded.contains(*namespace))?;
    Some(format!(
        "this Policy is in force nowhere: the namespace {namespace:?} is excluded (spec.excludedNamespaces of the PolicySet, \
         or those that always are)"
    ))
}
