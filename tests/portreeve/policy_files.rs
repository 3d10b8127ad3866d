//! Policy files that can't be put in force: what is wrong, where, and what would be right.

use portreeve_server::set::read_folder;
use portreeve_tests::gate::Setting;

fn policy(name: &str, spec: &str) -> String {
    format!("---\napiVersion: portreeve.dev/v1alpha1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    match read_folder(folder.path()) {
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
        Ok(sources) => Setting::default().sources(sources).problems().unwrap(),
    }
}

fn only(files: &[(&str, &str)]) -> String {
    let problems = problems(files);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

fn says(problem: &str, words: &[&str]) {
    for word in words {
        assert!(problem.contains(word), "{problem} does not say {word:?}");
    }
}

#[test]
fn a_file_that_is_not_yaml_is_named_with_its_line() {
    says(&only(&[("a.yaml", "spec: [1\nx: {")]), &["a.yaml"]);
}

#[test]
fn a_file_that_was_emptied_is_named() {
    says(&only(&[("a.yaml", &policy("a", "{module: {builtin: seccomp}}")), ("b.yaml", "")]), &["b.yaml", "empty"]);
}

#[test]
fn an_unknown_policy_is_answered_with_those_that_there_are() {
    let problem = only(&[("a.yaml", &policy("a", "{module: {builtin: drop-capabilitys}}"))]);
    says(&problem, &["a.yaml:2", "ClusterPolicy/a", "drop-capabilitys", "drop-capabilities", "seccomp"]);
}

#[test]
fn a_setting_of_the_wrong_type_is_named_with_its_place() {
    let problem = only(&[("a.yaml", &policy("a", "{module: {builtin: gpu-scheduling}, settings: {maxPerPod: many}}"))]);
    says(&problem, &["a.yaml:2", "settings/maxPerPod", "many"]);
}

#[test]
fn a_setting_that_is_none_of_a_choice_is_answered_with_the_choice() {
    let said = |spec: &str| only(&[("a.yaml", &policy("a", spec))]);
    says(
        &said("{module: {builtin: availability}, settings: {singletons: forbid}}"),
        &["a.yaml:2", "settings/singletons", r#""forbid" is none of "deny", "warn", "allow""#],
    );
    says(
        &said(
            "{module: {builtin: image-signatures}, settings: {requirements: [{images: [a/b], anyOf: [{issuer: x}]}]}}",
        ),
        &["settings/requirements/0/anyOf/0", "one with key; one with issuer and subject", r#""subject" is a required"#],
    );
}

#[test]
fn an_unknown_setting_is_named() {
    let problem = only(&[("a.yaml", &policy("a", "{module: {builtin: seccomp}, settings: {colour: red}}"))]);
    says(&problem, &["colour"]);
}

#[test]
fn an_unknown_field_is_named_with_its_place() {
    says(&only(&[("a.yaml", &policy("a", "{module: {builtin: seccomp}, moode: warn}"))]), &["a.yaml:2", "moode"]);
}

#[test]
fn a_folder_without_a_policy_is_refused() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    says(&only(&[("a.yaml", namespace)]), &["no ClusterPolicy and no PolicySet", "profile: none"]);
}

#[test]
fn a_module_that_is_only_a_name_is_told_how_modules_are_named() {
    says(&only(&[("a.yaml", &policy("a", "{module: seccomp}"))]), &["spec.module", "{builtin: NAME}", "{file: PATH}"]);
}

#[test]
fn two_of_one_name_are_both_told() {
    let text = policy("a", "{module: {builtin: seccomp}}");
    says(&only(&[("a.yaml", &text), ("b.yaml", &text)]), &["b.yaml:2", "stands twice", "a.yaml:2"]);
}

#[test]
fn a_module_that_is_missing_or_no_component_is_named() {
    says(&only(&[("a.yaml", &policy("a", "{module: {file: none.wasm}}"))]), &["none.wasm", "No such file"]);
    let core = "\0asm\u{1}\0\0\0";
    let text = policy("a", "{module: {file: core.wasm}}");
    says(&only(&[("a.yaml", &text), ("core.wasm", core)]), &["core WebAssembly module", "not a component"]);
    says(&only(&[("a.yaml", &text), ("core.wasm", "hello")]), &["not WebAssembly"]);
}

#[test]
fn facts_that_the_policy_does_not_ask_for_are_refused() {
    says(&only(&[("a.yaml", &policy("a", "{module: {builtin: seccomp}, facts: [image-digest]}"))]), &["image-digest"]);
}

#[test]
fn a_timeout_that_is_none_is_named() {
    says(&only(&[("a.yaml", &policy("a", "{module: {builtin: seccomp}, timeout: soon}"))]), &["soon", "10s"]);
}

#[test]
fn a_timeout_longer_than_any_api_server_waits_is_refused() {
    for timeout in ["0s", "5000000000000000h", "31s"] {
        let spec = format!("{{module: {{builtin: seccomp}}, timeout: {timeout}}}");
        says(&only(&[("a.yaml", &policy("a", &spec))]), &["timeout"]);
    }
}

#[test]
fn a_selector_that_can_not_be_is_named() {
    let spec = "{module: {builtin: seccomp}, match: {namespaceSelector: {matchExpressions: [{key: a, operator: In}]}}}";
    says(&only(&[("a.yaml", &policy("a", spec))]), &["namespaceSelector", "needs values"]);
}

#[test]
fn a_match_that_nothing_meets_is_named() {
    for (matching, words) in [
        ("resources: [{resources: [Deployment]}]", ["spec.match.resources[0].resources", "\"Deployment\""]),
        ("resources: [{resources: []}]", ["spec.match.resources[0].resources", "names none"]),
        ("resources: [{kinds: [Pod]}]", ["kinds", "resources"]),
        ("operations: [DELETE]", ["spec.match.operations", "DELETE"]),
        ("operations: [create]", ["create", "CREATE"]),
        ("matchConditions: [{name: a, expression: 'object.'}]", ["spec.match.matchConditions[0].expression", "no CEL"]),
        ("matchConditions: [{name: a, expression: 'pod.spec'}]", ["\"pod\" is not known", "oldObject"]),
    ] {
        let spec = format!("{{module: {{builtin: seccomp}}, match: {{{matching}}}}}");
        says(&only(&[("a.yaml", &policy("a", &spec))]), &words);
    }
}

#[test]
fn metadata_that_no_api_server_would_take_is_refused_with_its_place() {
    let sound = policy("a", "{module: {builtin: seccomp}}");
    let network = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy";
    for (object, words) in [
        (policy("B x", "{module: {builtin: seccomp}}"), "metadata.name: \"B x\" is no name"),
        (policy(r#""a\nb""#, "{module: {builtin: seccomp}}"), r#"metadata.name: "a\nb" is no name"#),
        (policy(&"a".repeat(300), "{module: {builtin: seccomp}}"), "and 253 of them at most"),
        ("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: Foo_Bar}\n".to_owned(), "\"Foo_Bar\" is no name"),
        (
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: foo, labels: {a: 'x y'}}\n".to_owned(),
            "metadata.labels: \"x y\" is no value of the label \"a\"",
        ),
        (format!("---\n{network}\nmetadata: {{name: X Y, namespace: shop}}\n"), "\"X Y\" is no name"),
        (
            format!("---\n{network}\nmetadata: {{name: web, namespace: A B}}\n"),
            "metadata.namespace: \"A B\" is no name of a namespace",
        ),
    ] {
        says(&only(&[("a.yaml", &sound), ("b.yaml", &object)]), &["b.yaml:2", words]);
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let files = [
        ("a.yaml", policy("a", "{module: {builtin: nothing}}")),
        ("b.yaml", policy("b", "{module: {builtin: seccomp}, settings: {colour: red}, timeout: soon}")),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    assert_eq!(problems(&files).len(), 3);
}

#[test]
fn an_exception_from_a_policy_that_is_not_there_is_refused() {
    let exception = "apiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\nmetadata: {name: e, namespace: shop}\n\
        spec: {policy: nothing, owner: o, ticket: t, reason: r, expires: '2999-01-01T00:00:00Z'}\n";
    says(&only(&[("a.yaml", exception)]), &["a.yaml:1 (PolicyException/shop/e)", "nothing"]);
}

#[test]
fn an_exception_from_a_rule_that_its_policy_does_not_have_is_answered_with_those_that_there_are() {
    let exception = |rule: &str| {
        format!(
            "---\napiVersion: portreeve.dev/v1alpha1\nkind: PolicyException\nmetadata: {{name: e, namespace: shop}}\n\
             spec: {{policy: users, rules: [{rule}], owner: o, ticket: t, reason: r, expires: '2999-01-01T00:00:00Z'}}\n"
        )
    };
    let users = policy("users", "{module: {builtin: non-root}}");
    let words = ["b.yaml:2 (PolicyException/shop/e)", "\"non-root\" has no rule \"root-usr\"", "non-root, root-user"];
    says(&only(&[("a.yaml", &users), ("b.yaml", &exception("root-usr"))]), &words);
    assert_eq!(problems(&[("a.yaml", &users), ("b.yaml", &exception("root-user"))]), [""; 0]);
}

#[test]
fn a_policy_of_a_namespace_is_answered_with_what_to_write_instead() {
    let policy = "apiVersion: portreeve.dev/v1alpha1\nkind: Policy\nmetadata: {name: p, namespace: shop}\n\
        spec: {module: {builtin: seccomp}}\n";
    says(&only(&[("a.yaml", policy)]), &["a.yaml:1", "Policy/shop/p", "ClusterPolicy", "namespaceSelector"]);
    says(&only(&[("a.yaml", &policy.replace("seccomp}", "seccomp}, mutate: true"))]), &["a.yaml:1", "mutate"]);
}

#[test]
fn a_set_that_names_a_policy_that_is_not_there_is_refused() {
    let set = "apiVersion: portreeve.dev/v1alpha1\nkind: PolicySet\nmetadata: {name: s}\nspec: {policies: [a]}\n";
    says(&only(&[("a.yaml", set)]), &["a.yaml:1", "PolicySet/s", "\"a\""]);
}

#[test]
fn a_second_set_is_told_with_its_place_and_the_first() {
    let set = |name: &str| {
        format!("apiVersion: portreeve.dev/v1alpha1\nkind: PolicySet\nmetadata: {{name: {name}}}\nspec: {{}}\n")
    };
    let problem = only(&[("a.yaml", &set("first")), ("b.yaml", &set("more"))]);
    says(&problem, &["b.yaml:1 (PolicySet/more)", "a second PolicySet", "PolicySet/first is there already"]);
}

#[test]
fn the_platform_profile_is_one_object_away_and_can_be_replaced_piece_by_piece() {
    let set = "apiVersion: portreeve.dev/v1alpha1\nkind: PolicySet\nmetadata: {name: s}\nspec: {profile: platform}\n";
    let own = policy("probes", "{module: {builtin: probes}, mode: enforce}");
    assert_eq!(problems(&[("a.yaml", set), ("b.yaml", &own)]), [""; 0]);
}
