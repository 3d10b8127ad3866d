//! What a backstop is made of and what is left out of it; what it refuses is tried at a real API server.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicySpec;
use portreeve_admission::api::{FailurePolicy, LabelSelector, Match, Metadata};
use portreeve_admission::policy::Abilities;
use serde_json::json;

use super::*;

/// What stands in quotes in a piece of a source file of the catalogue.
pub(super) fn quoted(source: &'static str, from: &str, to: &str) -> Vec<&'static str> {
    let (_, piece) = source.split_once(from).unwrap();
    let (piece, _) = piece.split_once(to).unwrap();
    piece.split('"').skip(1).step_by(2).collect()
}

fn policy(id: &str, mode: Mode) -> Policy {
    Policy {
        id: id.to_owned(),
        of_namespace: None,
        mode,
        mutate: true,
        failure_policy: FailurePolicy::Fail,
        timeout: Duration::from_secs(1),
        matching: Match::default(),
        rollout: Vec::new(),
        wants: Vec::new(),
        can: Abilities { validate: true, mutate: true, rewrite_images: false },
        facts: BTreeSet::new(),
    }
}

fn backstop_of(policy: &Policy, builtin: Option<&str>, settings: &Value, exceptions: &[Exception]) -> Backstop {
    Backstop::of(&Demand {
        policies: vec![InForce { policy, builtin, settings }],
        exceptions,
        excluded: &["kube-system".to_owned(), "portreeve".to_owned()].into(),
        with: &[],
        now: "2026-06-01T00:00:00Z".parse().unwrap(),
    })
}

/// The only policy of a backstop, in enforce mode.
fn stated(builtin: &str, settings: Value) -> Stated {
    let backstop = backstop_of(&policy("own-name", Mode::Enforce), Some(builtin), &settings, &[]);
    assert_eq!(backstop.left_out, []);
    backstop.policies.into_iter().next().unwrap()
}

fn left_out(builtin: &str, settings: Value) -> String {
    let backstop = backstop_of(&policy("own-name", Mode::Enforce), Some(builtin), &settings, &[]);
    assert_eq!(backstop.policies, []);
    backstop.left_out[0].to_string()
}

fn spec(stated: &Stated) -> &ValidatingAdmissionPolicySpec {
    stated.policy.spec.as_ref().unwrap()
}

/// All of its expressions, one after the other.
fn expressions(stated: &Stated) -> String {
    let variables = spec(stated).variables.iter().flatten();
    variables.map(|variable| format!("{} = {}\n", variable.name, variable.expression)).collect()
}

#[test]
fn a_policy_is_known_by_its_own_name() {
    let stated = stated("seccomp", json!({}));
    let name = Some("own-name.backstop.portreeve.dev");
    assert_eq!(stated.policy.metadata.name.as_deref(), name);
    assert_eq!(stated.binding.metadata.name.as_deref(), name);
    assert_eq!(Some(stated.binding.spec.policy_name.as_str()), name);
    assert!(expressions(&stated).contains("(own-name/unconfined)"));
}

#[test]
fn a_policy_of_a_namespace_is_asked_there_alone_and_its_name_tells_whose_it_is() {
    let own = Policy { of_namespace: Some("shop".to_owned()), ..policy("shop/sealed", Mode::Enforce) };
    let backstop = backstop_of(&own, Some("seccomp"), &json!({}), &[]);
    let [Stated { policy: taken, binding, .. }] = &backstop.policies[..] else { panic!("{backstop:?}") };
    assert_eq!(taken.metadata.name.as_deref(), Some("sealed.shop.namespaces-backstop.portreeve.dev"));
    assert_eq!(taken.metadata.name, binding.metadata.name);
    let selector = binding.spec.match_resources.as_ref().unwrap().namespace_selector.as_ref().unwrap();
    let [named] = selector.match_expressions.as_deref().unwrap() else { panic!("{selector:?}") };
    assert_eq!((named.key.as_str(), named.operator.as_str()), ("kubernetes.io/metadata.name", "In"));
    assert_eq!(named.values.as_deref(), Some(&["shop".to_owned()][..]));
}

#[test]
fn no_name_of_a_cluster_policy_is_that_of_a_namespaces() {
    let name = |id: &str| written::name(&policy(id, Mode::Enforce));
    let own = name("shop/own");
    let (_, ending) = own.split_once("own.shop.").unwrap();
    for others in ["own.shop.namespaces", "own.shop.namespaces-backstop", "own.shop"] {
        assert!(name(others) != own && !name(others).ends_with(&format!(".{ending}")), "{others}");
    }
}

#[test]
fn a_name_that_no_object_may_have_is_left_out() {
    let backstop = backstop_of(&policy(&"a".repeat(253), Mode::Enforce), Some("seccomp"), &json!({}), &[]);
    assert_eq!((backstop.policies, &backstop.left_out[0].why), (Vec::new(), &Why::LongName));
}

#[test]
fn a_mode_is_what_becomes_of_a_fault() {
    for (mode, action) in [(Mode::Enforce, "Deny"), (Mode::Warn, "Warn"), (Mode::Audit, "Audit")] {
        let backstop = backstop_of(&policy("p", mode), Some("seccomp"), &json!({}), &[]);
        assert_eq!(backstop.policies[0].binding.spec.validation_actions, [action]);
    }
    let off = backstop_of(&policy("p", Mode::Off), Some("seccomp"), &json!({}), &[]);
    assert_eq!(off.left_out, [LeftOut { policy: "p".into(), why: Why::Off }]);
}

#[test]
fn no_namespace_is_judged_that_no_policy_sees() {
    let stated = stated("seccomp", json!({}));
    let constraints = spec(&stated).match_constraints.as_ref().unwrap();
    let selector = constraints.namespace_selector.as_ref().unwrap();
    let requirement = &selector.match_expressions.as_ref().unwrap()[0];
    assert_eq!(requirement.values.as_deref(), Some(&["kube-system".to_owned(), "portreeve".to_owned()][..]));
    assert_eq!((requirement.key.as_str(), requirement.operator.as_str()), ("kubernetes.io/metadata.name", "NotIn"));
}

#[test]
fn it_is_asked_of_whom_the_policy_selects() {
    let labels: BTreeMap<String, String> = [("tier".to_owned(), "web".to_owned())].into();
    let selector = LabelSelector { match_labels: labels.clone(), ..LabelSelector::default() };
    let matching = Match { namespace_selector: Some(selector), ..Match::default() };
    let selective = Policy { matching, ..policy("p", Mode::Enforce) };
    let backstop = backstop_of(&selective, Some("seccomp"), &json!({}), &[]);
    let bound = backstop.policies[0].binding.spec.match_resources.as_ref().unwrap();
    assert_eq!(bound.namespace_selector.as_ref().unwrap().match_labels.as_ref(), Some(&labels));
    assert_eq!(bound.object_selector, None);
}

#[test]
fn it_is_asked_what_the_policy_sees() {
    let matching = json!({
        "resources": [{"apiGroups": ["apps"], "resources": ["deployments"]}], "operations": ["CREATE"],
        "matchConditions": [{"name": "told", "expression": "object != null"}],
    });
    let matching: Match = serde_json::from_value(matching).unwrap();
    let selective = Policy { matching, ..policy("p", Mode::Enforce) };
    let backstop = backstop_of(&selective, Some("seccomp"), &json!({}), &[]);
    let rules = backstop.policies[0].binding.spec.match_resources.as_ref().unwrap().resource_rules.clone().unwrap();
    let told = |names: &Option<Vec<String>>| names.clone().unwrap().join("+");
    let rules: Vec<String> = rules
        .iter()
        .map(|rule| [&rule.api_groups, &rule.api_versions, &rule.resources, &rule.operations].map(told).join(" "))
        .collect();
    assert_eq!(rules, ["apps * deployments CREATE"]);
    let conditions = spec(&backstop.policies[0]).match_conditions.clone().unwrap();
    let own = conditions.last().unwrap();
    assert_eq!((own.name.as_str(), own.expression.as_str()), ("own-told", "object != null"));
}

#[test]
fn nothing_that_heals_or_deletes_is_asked_about() {
    let stated = stated("seccomp", json!({}));
    let rules = spec(&stated).match_constraints.as_ref().unwrap().resource_rules.clone().unwrap();
    let all: Vec<String> = rules.iter().flat_map(|rule| rule.operations.clone().unwrap()).collect();
    assert!(all.iter().all(|operation| operation == "CREATE" || operation == "UPDATE"));
    let parts: Vec<String> = rules.iter().flat_map(|rule| rule.resources.clone().unwrap()).collect();
    let parts: Vec<&String> = parts.iter().filter(|resource| resource.contains('/')).collect();
    assert_eq!(parts, ["pods/ephemeralcontainers"]);
    let conditions = spec(&stated).match_conditions.iter().flatten();
    let names: Vec<&str> = conditions.map(|condition| condition.name.as_str()).collect();
    assert_eq!(names, ["not-a-node", "not-leaving", "changed-templates"]);
}

#[test]
fn what_is_told_and_never_denied_is_a_warning() {
    assert_eq!(stated("read-only-rootfs", json!({})).binding.spec.validation_actions, ["Warn"]);
    let denied = stated("read-only-rootfs", json!({"explicitFalse": "deny"}));
    assert_eq!(denied.binding.spec.validation_actions, ["Deny"]);
    assert!(left_out("read-only-rootfs", json!({"explicitFalse": "allow"})).contains("nothing is left to refuse"));
}

#[test]
fn what_no_expression_says_is_left_out_with_the_reason() {
    assert_eq!(
        left_out("availability", json!({})),
        "own-name is left out: availability asks for what the API server has no words for"
    );
    assert!(left_out("image-registries", json!({})).contains("images may come from everywhere"));
    assert!(left_out("image-digest", json!({})).contains("--with image-digest"));
    assert!(left_out("pod-security", json!({"version": "v1.20"})).contains("settings.version"));
    assert!(left_out("pod-security", json!({"level": "privileged"})).contains("nothing is left to refuse"));
    let tagged = left_out("non-root", json!({"exemptImages": ["nginx:1*"]}));
    assert!(tagged.contains("settings.exemptImages") && tagged.contains("goes by a tag"), "{tagged}");
    let outside = backstop_of(&policy("p", Mode::Enforce), None, &json!({}), &[]);
    assert_eq!(outside.left_out[0].why, Why::Outside);
}

#[test]
fn a_setting_that_is_not_known_here_is_named() {
    let unknown = left_out("non-root", json!({"moreRoot": true}));
    assert!(unknown.contains("moreRoot"), "{unknown}");
}

/// Settings with one setting alone, for each that a schema has, however deep.
fn each_setting(schema: &Value, root: &Value) -> Vec<Value> {
    if let Some(at) = schema["$ref"].as_str() {
        return each_setting(root.pointer(at.trim_start_matches('#')).unwrap(), root);
    }
    let mut each = Vec::new();
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        each.push(json!({name: null}));
        each.extend(each_setting(of, root).into_iter().map(|inner| json!({name: inner})));
    }
    if let Some(of) = schema.get("items") {
        each.extend(each_setting(of, root).into_iter().map(|inner| json!([inner])));
    }
    let alternatives = ["oneOf", "anyOf"].into_iter().filter_map(|choice| schema[choice].as_array()).flatten();
    each.extend(alternatives.flat_map(|of| each_setting(of, root)));
    each
}

#[test]
fn every_setting_of_a_policy_in_the_catalogue_is_known_to_its_rules() {
    let catalogue = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/catalogue");
    let mut known = 0;
    for folder in std::fs::read_dir(catalogue).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(schema) = std::fs::read_to_string(folder.join("schema.json")) else { continue };
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let policy = folder.file_name().unwrap().to_str().unwrap();
        for settings in each_setting(&schema, &schema) {
            match rules::draft(policy, &settings, OnRequest::Asked).err() {
                Some(Why::NoWords(_)) => break,
                Some(Why::Setting { reason, .. }) if reason.starts_with("unknown field") => {
                    panic!("{policy}: {settings}: {reason}; say it in CEL, or name it among those that are passed over")
                }
                _ => known += 1,
            }
        }
    }
    assert!(known > 50, "{known}");
}

#[test]
fn image_digest_is_stated_where_it_is_asked_for() {
    let policy = policy("p", Mode::Enforce);
    let settings = json!({});
    let demand = Demand {
        policies: vec![InForce { policy: &policy, builtin: Some("image-digest"), settings: &settings }],
        exceptions: &[],
        excluded: &BTreeSet::new(),
        with: &["image-digest".to_owned()],
        now: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(Backstop::of(&demand).policies.len(), 1);
}

#[test]
fn templates_are_passed_over_where_only_pods_are_denied() {
    let resources = |settings| {
        let stated = stated("pod-security", settings);
        let rules = spec(&stated).match_constraints.clone().unwrap().resource_rules.unwrap();
        rules.into_iter().flat_map(|rule| rule.resources.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(resources(json!({"templates": "warn"})), ["pods", "pods/ephemeralcontainers"]);
    assert!(resources(json!({})).contains(&"deployments".to_owned()));
}

#[test]
fn a_level_of_a_class_is_asked_before_the_usual_one() {
    let class = json!({"name": "gpu", "when": {"requestsGpu": true}, "level": "baseline"});
    let levels = expressions(&stated("pod-security", json!({"level": "restricted", "classes": [class]})));
    let level = levels.lines().find(|line| line.starts_with("level = ")).unwrap();
    assert!(level.contains("nvidia[.]com/gpu") && level.ends_with(" ? 'baseline' : 'restricted')"), "{level}");
}

#[test]
fn an_exception_that_runs_is_part_of_it_and_its_end_is_told() {
    let exception = |expires: &str| {
        let spec = json!({
            "policy": "p", "owner": "team", "ticket": "T-1", "reason": "legacy", "expires": expires,
            "match": {"serviceAccount": "agent"},
        });
        let metadata = Metadata { name: "e".into(), namespace: Some("shop".into()), ..Metadata::default() };
        Exception::new(&metadata, serde_json::from_value(spec).unwrap()).unwrap()
    };
    let of = |expires| {
        let exceptions = [exception(expires)];
        backstop_of(&policy("p", Mode::Enforce), Some("host-access"), &json!({}), &exceptions).policies.remove(0)
    };
    let running = of("2027-01-01T00:00:00Z");
    assert!(expressions(&running).contains("request.namespace == 'shop' && "));
    assert_eq!(running.until, [("shop/e".to_owned(), "2027-01-01T00:00:00Z".parse().unwrap())]);
    let over = of("2026-01-01T00:00:00Z");
    assert!(!expressions(&over).contains("'shop'") && over.until.is_empty());
}
