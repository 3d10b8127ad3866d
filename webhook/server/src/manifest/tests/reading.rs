//! Streams: documents, lists, both formats, and what is refused with its place.

use serde_json::json;

use super::{read, refused, spec, values, with_spec};
use crate::manifest::{Fault, IdentityField, read_stream};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: prod}\n";

#[test]
fn reads_every_document_and_skips_empty_ones() {
    let text = format!("---\n{POD}---\n# only a comment\n---\n---\n{POD}...\n");
    let lines: Vec<_> = read(&text).iter().map(super::Manifest::line).collect();
    assert_eq!(lines, [2, 9]);
}

#[test]
fn a_text_without_documents_has_no_manifests() {
    for text in ["", "\n\n", "# nothing\n", "---\n---\n"] {
        assert!(read(text).is_empty(), "{text:?}");
    }
}

#[test]
fn tells_what_names_an_object() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: prod}\n";
    let [web] = read(text).try_into().unwrap();
    assert_eq!((web.api_version(), web.group(), web.version()), ("apps/v1", "apps", "v1"));
    assert_eq!((web.kind(), web.name(), web.namespace()), ("Deployment", "web", Some("prod")));
}

#[test]
fn the_core_group_has_no_name() {
    let [pod] = read(POD).try_into().unwrap();
    assert_eq!((pod.group(), pod.version()), ("", "v1"));
}

#[test]
fn a_generated_name_is_a_name() {
    let [job] = read("apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: run-}\n").try_into().unwrap();
    assert_eq!(job.name(), "run-");
}

#[test]
fn takes_lists_apart_wherever_they_stand() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  metadata: {name: a}\n- apiVersion: v1\n  kind: PodList\n  items:\n  - apiVersion: v1\n    kind: B\n    metadata: {name: b}\n";
    let found: Vec<_> = read(text).iter().map(|manifest| (manifest.name().to_owned(), manifest.line())).collect();
    assert_eq!(found, [("a".to_owned(), 4), ("b".to_owned(), 10)]);
}

#[test]
fn an_item_without_a_kind_has_that_of_its_list() {
    let text = "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n- {apiVersion: v1, kind: B, metadata: {name: b}}\n";
    let [named, other] = read(text).try_into().unwrap();
    assert_eq!((&named.value()["apiVersion"], &named.value()["kind"]), (&"apps/v1".into(), &"Deployment".into()));
    assert_eq!(other.value()["kind"], "B");
    let half = read_stream("a.yaml", "apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n").unwrap_err();
    assert!(half.to_string().contains("apiVersion"), "{half}");
}

#[test]
fn a_list_may_be_empty() {
    assert!(read("apiVersion: v1\nkind: List\nitems: []\n").is_empty());
    assert!(read("apiVersion: v1\nkind: List\n").is_empty());
}

#[test]
fn a_kind_that_only_ends_in_list_is_an_object() {
    let text = "apiVersion: x/v1\nkind: AllowList\nmetadata: {name: a}\nspec: {items: [b]}\n";
    assert_eq!(read(text).len(), 1);
}

#[test]
fn reads_json_values_after_one_another() {
    let one = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a\u00e9"}, "n": 1.0}"#;
    let manifests = read_stream("stdin", &format!("{one}\n\n{one}{one}\n")).unwrap();
    assert_eq!(manifests.iter().map(super::Manifest::line).collect::<Vec<_>>(), [1, 3, 3]);
    assert_eq!(manifests[0].name(), "aé");
    assert_eq!(manifests[0].value()["n"], json!(1));
}

#[test]
fn reads_json_with_tabs_and_a_byte_order_mark() {
    let text = "\u{feff}{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"a\"}\n}\n";
    let [pod] = read_stream("pod.json", text).unwrap().try_into().unwrap();
    assert_eq!(pod.line_of(&"/metadata".parse().unwrap()), 4);
}

#[test]
fn brackets_may_begin_yaml() {
    assert_eq!(
        read(
            "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: b}}\n"
        )
        .len(),
        2
    );
}

#[test]
fn a_json_file_holds_json_alone() {
    let error = read_stream("pod.json", POD).unwrap_err();
    assert!(matches!(error.fault, Fault::NotJson(_)));
    assert_eq!((error.line, error.column), (1, 1));
}

#[test]
fn broken_json_is_told_of_as_json() {
    let error = read_stream("stdin", "{\n  \"apiVersion\": \"v1\",,\n}").unwrap_err();
    assert!(matches!(error.fault, Fault::NotJson(_)), "{error}");
    assert_eq!(error.line, 2);
}

#[test]
fn reads_what_helm_template_prints() {
    let text = "---\n# Source: web/templates/sa.yaml\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: web\n---\n# Source: web/templates/empty.yaml\n---\n# Source: web/templates/cm.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  a: \"1\"\n";
    let found: Vec<_> = read(text).iter().map(|manifest| (manifest.kind().to_owned(), manifest.line())).collect();
    assert_eq!(found, [("ServiceAccount".to_owned(), 3), ("ConfigMap".to_owned(), 11)]);
}

#[test]
fn reads_line_breaks_of_windows_and_a_byte_order_mark() {
    let text = format!("\u{feff}{}", with_spec("  a: |\n    x\n    y\n  b: 1\n").replace('\n', "\r\n"));
    let [one] = read(&text).try_into().unwrap();
    assert_eq!(one.value()["spec"], json!({"a": "x\ny\n", "b": 1}));
    assert_eq!(one.line_of(&"/spec/b".parse().unwrap()), 9);
}

#[test]
fn aliases_are_written_out() {
    assert_eq!(spec("  a: &x {b: [1]}\n  c: *x\n"), json!({"a": {"b": [1]}, "c": {"b": [1]}}));
}

#[test]
fn merge_keys_bring_fields_that_later_ones_replace() {
    let text = "  base: &x {a: 1, b: 2}\n  more: &y {a: 3, c: 4}\n  one: {<<: *x, b: 5}\n  two: {<<: [*x, *y]}\n";
    let spec = spec(text);
    assert_eq!(spec["one"], json!({"a": 1, "b": 5}));
    assert_eq!(spec["two"], json!({"a": 1, "b": 2, "c": 4}));
}

#[test]
fn a_merge_key_replaces_what_stands_above_it_as_kubectl_has_it() {
    assert_eq!(spec("  base: &x {a: 1}\n  one:\n    a: 2\n    <<: *x\n")["one"], json!({"a": 1}));
}

#[test]
fn refuses_to_merge_what_is_no_mapping() {
    assert!(matches!(refused(&with_spec("  <<: text\n")).fault, Fault::MergeOfOther));
    assert!(matches!(refused(&with_spec("  <<: [{a: b}, c]\n")).fault, Fault::MergeOfOther));
}

#[test]
fn refuses_a_key_that_stands_twice_and_says_where() {
    let error = refused(&with_spec("  a: 1\n  b: 2\n  \"a\": 3\n"));
    assert_eq!(
        error.to_string(),
        "app.yaml:8:3: the key \"a\" stands in this mapping already, at line 6: remove one of the two"
    );
}

#[test]
fn refuses_a_key_that_stands_twice_in_json() {
    let error = read_stream("a.json", "{\n \"a\": 1,\n \"\\u0061\": 2}").unwrap_err();
    assert!(matches!(error.fault, Fault::DuplicateKey { first_line: 2, .. }), "{error}");
    assert_eq!((error.line, error.column), (3, 2));
}

#[test]
fn refuses_tabs_as_indentation() {
    let error = refused(&with_spec("\ta: 1\n"));
    assert!(matches!(error.fault, Fault::NotYaml(_)));
    assert_eq!((error.line, error.column), (6, 2));
}

#[test]
fn refuses_an_alias_without_an_anchor() {
    let error = refused(&with_spec("  a: *nowhere\n"));
    assert!(matches!(error.fault, Fault::NotYaml(_)));
    assert_eq!((error.line, error.column), (6, 6));
}

#[test]
fn refuses_an_alias_inside_what_it_repeats() {
    assert!(matches!(refused(&with_spec("  a: &x [*x]\n")).fault, Fault::AliasInItself));
}

#[test]
fn refuses_documents_that_are_no_objects() {
    for text in ["- a\n", "text\n", "[1]\n"] {
        assert!(matches!(refused(text).fault, Fault::NotAnObject), "{text}");
    }
    let list = "apiVersion: v1\nkind: List\nitems:\n- 1\n";
    assert_eq!(refused(list).line, 4);
}

#[test]
fn refuses_objects_without_what_names_them() {
    let missing = |text: &str| match refused(text).fault {
        Fault::Missing(field) => field,
        other => panic!("{other}"),
    };
    assert_eq!(missing("kind: Pod\nmetadata: {name: a}\n"), IdentityField::ApiVersion);
    assert_eq!(missing("apiVersion: v1\nkind: 3\nmetadata: {name: a}\n"), IdentityField::Kind);
    assert_eq!(missing("apiVersion: v1\nkind: Pod\nmetadata: {name: \"\"}\n"), IdentityField::Name);
}

#[test]
fn refuses_aliases_that_would_fill_the_memory() {
    let mut text = String::from("  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("  a{level}: &a{level} [{inner}]\n"));
    }
    assert!(matches!(refused(&with_spec(&text)).fault, Fault::TooManyAliases(_)));
}

#[test]
fn refuses_what_is_nested_too_deeply() {
    let nested = |levels: usize| format!("  a: {}{}\n", "[".repeat(levels), "]".repeat(levels));
    assert!(matches!(refused(&with_spec(&nested(200))).fault, Fault::TooDeep(_)));
    assert_eq!(values(&with_spec(&nested(100))).len(), 1);
    let json = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(read_stream("a.json", &json).unwrap_err().fault, Fault::TooDeep(_)));
}

#[test]
fn aliases_do_not_get_round_the_depth_limit() {
    let mut text = String::from("  a0: &a0 [x]\n");
    for level in 1..200 {
        text.push_str(&format!("  a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(matches!(refused(&with_spec(&text)).fault, Fault::TooDeep(_)));
}

#[test]
fn reads_five_megabytes() {
    let item = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  key: some text that goes on for a while\n";
    let count = 5_000_000 / item.len() + 1;
    assert_eq!(read(&item.repeat(count)).len(), count);
}
