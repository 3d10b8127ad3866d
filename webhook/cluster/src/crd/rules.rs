//! What has to hold of our resources beyond their types, in CEL, so that the API server refuses what does not. Each
//! rule is one that the server has too (named beside it): this way its answer comes at `kubectl apply`.

use serde_json::{Value, json};

/// A rule on one place of a spec.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Field names from the spec on, `[]` for the elements of a list; empty for the spec itself.
    pub(super) at: &'static [&'static str],
    /// What holds, in CEL.
    pub(super) holds: &'static str,
    /// What to write instead.
    pub(super) message: &'static str,
}

/// How much there may be at one place. CEL is priced before it runs, by the most that it could meet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// As a rule's.
    pub(super) at: &'static [&'static str],
    /// `maxLength` or `maxItems`.
    pub(super) keyword: &'static str,
    /// Characters or elements.
    pub(super) most: u32,
}

const fn rule(at: &'static [&'static str], holds: &'static str, message: &'static str) -> Rule {
    Rule { at, holds, message }
}

const fn longest(at: &'static [&'static str], most: u32) -> Bound {
    Bound { at, keyword: "maxLength", most }
}

const fn most(at: &'static [&'static str], most: u32) -> Bound {
    Bound { at, keyword: "maxItems", most }
}

/// `server::deadline::duration`, without numbers so long that CEL could not take them.
const IS_A_DURATION: &str = r"self.matches('^([0-9]{1,6}([.][0-9]{1,6})?(ns|us|µs|ms|s|m|h))+$')";
const DURATION: &str = "write a duration such as 500ms or 2s";
/// A text that is none is told by the rule before.
const IS_AWAITED: &str = r"!self.matches('^([0-9]{1,6}([.][0-9]{1,6})?(ns|us|µs|ms|s|m|h))+$') || (duration(self) > duration('0s') && duration(self) <= duration('30s'))";
const AWAITED: &str = "must be more than nothing and at most 30s: no API server waits longer";

/// `api::LabelSelector::check`.
const TAKES_VALUES: &str = "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)";
const VALUES: &str = "In and NotIn need values; Exists and DoesNotExist take none";

/// `supply::Modules::get`.
const ENDS_WITH_A_DIGEST: &str = "self.matches('@sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$')";
const DIGEST: &str =
    "name the module by digest, registry/repository@sha256:…, so that what runs is what somebody looked at";

/// `api::PolicySetSpec::check`, but for the length, which is bounded.
const IS_A_NAMESPACE: &str = "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')";
const NAMESPACE: &str = "is no name of a namespace: write lower-case letters and digits, with - between them";

/// As the API server has names of conditions, which a backstop's are made of.
const IS_A_NAME: &str = "self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')";
const NAME: &str = "begin and end with a letter or a digit, and write nothing else between but - _ .";

/// What `jiff::Timestamp` takes. A format would make a timestamp of the text, and lose the words of the rule before,
/// which tells of a text that is none. A day that is none can't be made a timestamp, which refuses it too.
const IS_IN_TIME: &str =
    r"!self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T') || timestamp(self) < timestamp('9999-12-30T22:00:00Z')";
const IN_TIME: &str = "write a day that there is, before the end of the year 9999";

const SAYS_SOMETHING: &str = "self.trim() != ''";

/// Of a ClusterPolicy.
pub(super) const CLUSTER_POLICY: (&[Rule], &[Bound]) = (
    &[
        rule(&["module", "oci"], ENDS_WITH_A_DIGEST, DIGEST),
        rule(&["timeout"], IS_A_DURATION, DURATION),
        rule(&["timeout"], IS_AWAITED, AWAITED),
        rule(&["rollout", "[]", "namespaceSelector", "matchExpressions", "[]"], TAKES_VALUES, VALUES),
        rule(&["match", "operations", "[]"], "self != 'DELETE'", "DELETE is never held up, and no policy sees it"),
        rule(
            &["match", "matchConditions"],
            "self.all(one, self.exists_one(other, other.name == one.name))",
            "give each condition a name of its own",
        ),
        rule(&["match", "matchConditions", "[]", "name"], IS_A_NAME, NAME),
        rule(&["match", "namespaceSelector", "matchExpressions", "[]"], TAKES_VALUES, VALUES),
        rule(&["match", "objectSelector", "matchExpressions", "[]"], TAKES_VALUES, VALUES),
        rule(
            &["exceptions", "namespaces", "[]"],
            "self.matches('^[a-z0-9-]+[*]?$') || self == '*'",
            "is no name of a namespace; a \"*\" may stand at its end alone",
        ),
    ],
    &[
        longest(&["module", "oci"], 512),
        longest(&["timeout"], 32),
        most(&["exceptions", "namespaces"], 256),
        longest(&["exceptions", "namespaces", "[]"], 64),
        most(&["exceptions", "groups"], 64),
        most(&["exceptions", "users"], 64),
        most(&["rollout"], 16),
        most(&["rollout", "[]", "namespaceSelector", "matchExpressions"], 16),
        most(&["match", "resources"], 64),
        most(&["match", "operations"], 4),
        most(&["match", "matchConditions"], 16),
        longest(&["match", "matchConditions", "[]", "name"], 59),
        longest(&["match", "matchConditions", "[]", "expression"], 1024),
        most(&["match", "namespaceSelector", "matchExpressions"], 64),
        most(&["match", "objectSelector", "matchExpressions"], 64),
        most(&["facts"], 64),
    ],
);

/// Of a Policy.
pub(super) const POLICY: (&[Rule], &[Bound]) = (
    &[
        rule(&["timeout"], IS_A_DURATION, DURATION),
        rule(&["timeout"], IS_AWAITED, AWAITED),
        rule(&["match", "objectSelector", "matchExpressions", "[]"], TAKES_VALUES, VALUES),
    ],
    &[longest(&["timeout"], 32), most(&["match", "objectSelector", "matchExpressions"], 64)],
);

/// Of a PolicySet.
pub(super) const POLICY_SET: (&[Rule], &[Bound]) = (
    &[
        rule(&["excludedNamespaces", "[]"], IS_A_NAMESPACE, NAMESPACE),
        rule(&["timeout"], IS_A_DURATION, DURATION),
        rule(&["timeout"], IS_AWAITED, AWAITED),
    ],
    &[most(&["excludedNamespaces"], 1024), longest(&["excludedNamespaces", "[]"], 63), longest(&["timeout"], 32)],
);

/// Of a PolicyException: `exception::ExceptionError`.
pub(super) const POLICY_EXCEPTION: (&[Rule], &[Bound]) = (
    &[
        rule(&["policy"], SAYS_SOMETHING, "name the ClusterPolicy that is loosened"),
        rule(&["owner"], SAYS_SOMETHING, "name who answers for the exception"),
        rule(&["ticket"], SAYS_SOMETHING, "say where the exception was agreed"),
        rule(&["reason"], SAYS_SOMETHING, "say why the exception is needed"),
        rule(
            &["expires"],
            r"self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$')",
            "write a time with its zone, as in 2030-01-31T00:00:00Z",
        ),
        rule(&["expires"], IS_IN_TIME, IN_TIME),
        rule(
            &["match"],
            "!has(self.labels) || size(self.labels) == 0 || (has(self.serviceAccount) && self.serviceAccount != 'default') \
             || (has(self.images) && size(self.images) > 0) || has(self.annotation)",
            "labels alone loosen for whoever writes the labels: name a serviceAccount other than default, images or an \
             annotation as well",
        ),
        rule(
            &["match", "images", "[]"],
            r"self.trim() != '' && (!self.endsWith('*') || self.matches('^[^/]+/.*[*]$'))",
            "names no image: write at least a registry or the first part of the name before the \"*\"",
        ),
        rule(
            &["match", "images", "[]"],
            "self.matches('^[^*]*[*]?$')",
            "fits no image: a \"*\" stands at the end alone",
        ),
        rule(
            &["match", "annotation", "name"],
            r"self.matches('^[^/]*[.][^/]*/.+$') && !self.matches('^([^/]*[.])?(kubernetes[.]io|k8s[.]io|portreeve[.]dev)/')",
            "is no opt-out: take a name with a domain of your own, as in acme.example/allow-root, that nothing else sets",
        ),
    ],
    &[
        longest(&["policy"], 253),
        longest(&["owner"], 512),
        longest(&["ticket"], 512),
        longest(&["reason"], 4096),
        longest(&["expires"], 64),
        most(&["match", "images"], 128),
        longest(&["match", "images", "[]"], 512),
        longest(&["match", "annotation", "name"], 512),
    ],
);

/// Lists that name each thing once.
pub(super) const SETS: [&[&str]; 3] = [&["facts"], &["policies"], &["excludedNamespaces"]];

/// Puts rules and bounds where they belong. A place that the schema has not is passed over; a test looks for such.
pub(super) fn put(schema: &mut Value, (rules, bounds): (&[Rule], &[Bound])) {
    for Rule { at, holds, message } in rules {
        let Some(place) = find(schema, at).and_then(Value::as_object_mut) else { continue };
        let known = place.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
        if let Some(known) = known.as_array_mut() {
            known.push(json!({"rule": holds, "message": message}));
        }
    }
    for Bound { at, keyword, most } in bounds {
        put_keyword(schema, at, keyword, json!(most));
    }
    SETS.iter().for_each(|at| put_keyword(schema, at, "x-kubernetes-list-type", json!("set")));
}

fn put_keyword(schema: &mut Value, at: &[&str], keyword: &str, value: Value) {
    if let Some(place) = find(schema, at).and_then(Value::as_object_mut) {
        place.insert(keyword.to_owned(), value);
    }
}

/// The schema of a place.
pub(super) fn find<'a>(schema: &'a mut Value, at: &[&str]) -> Option<&'a mut Value> {
    at.iter().try_fold(schema, |schema, step| match *step {
        "[]" => schema.get_mut("items"),
        field => schema.get_mut("properties")?.get_mut(field),
    })
}
