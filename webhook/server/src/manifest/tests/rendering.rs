//! Printing a stream again: what is kept, what an edit looks like, and that it always reads as it should.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::read;
use super::written::{Written, object, value};
use crate::manifest::{Manifest, RenderError, read_stream, render};

const HEAD: &str = "apiVersion: v1\nkind: Thing\nmetadata:\n  name: one # its name\nspec:\n";

/// The text, printed with its objects' `spec` set to what `edit` makes of it.
fn edited(text: &str, edit: impl Fn(&mut Value)) -> String {
    let manifests: Vec<_> = read(text).iter().map(|manifest| change(manifest, &edit)).collect();
    render(text, &manifests).unwrap()
}

fn change(manifest: &Manifest, edit: impl Fn(&mut Value)) -> Manifest {
    let mut value = manifest.value().clone();
    edit(&mut value["spec"]);
    manifest.edited(value).unwrap()
}

/// What becomes of these lines of a `spec`.
fn spec(lines: &str, edit: impl Fn(&mut Value)) -> String {
    let printed = edited(&format!("{HEAD}{lines}"), edit);
    printed.strip_prefix(HEAD).unwrap_or_else(|| panic!("the head changed:\n{printed}")).to_owned()
}

#[test]
fn a_missing_field_goes_below_the_last() {
    let lines = "  a: 1 # one\n\n  # about b\n  b:\n    c: x\n\n# the end\n";
    let printed = spec(lines, |spec| spec["b"]["d"] = json!({"e": true}));
    assert_eq!(printed, "  a: 1 # one\n\n  # about b\n  b:\n    c: x\n    d:\n      e: true\n\n# the end\n");
}

#[test]
fn a_field_of_an_item_goes_into_its_column() {
    let lines = "  containers:\n  - name: a\n    image: b # tag\n  - name: c\n";
    let printed = spec(lines, |spec| spec["containers"][0]["stdin"] = json!(false));
    assert_eq!(printed, "  containers:\n  - name: a\n    image: b # tag\n    stdin: false\n  - name: c\n");
}

#[test]
fn additions_to_values_inside_one_another_keep_their_order() {
    let printed = spec("  a:\n    b: 1\n", |spec| {
        spec["a"]["c"] = json!(2);
        spec["d"] = json!([3]);
    });
    assert_eq!(printed, "  a:\n    b: 1\n    c: 2\n  d:\n  - 3\n");
}

#[test]
fn a_scalar_is_replaced_where_it_stands() {
    let printed = spec("  a: \"old\" # why\n  b: 2\n", |spec| spec["a"] = json!("new"));
    assert_eq!(printed, "  a: new # why\n  b: 2\n");
}

#[test]
fn a_text_that_would_read_as_something_else_is_quoted() {
    let printed = spec("  a: x\n", |spec| spec["a"] = json!("yes"));
    assert_eq!(printed, "  a: \"yes\"\n");
}

#[test]
fn an_item_is_appended_where_the_dashes_stand() {
    let append = |spec: &mut Value| spec["a"].as_array_mut().unwrap().push(json!({"k": 1, "l": 2}));
    assert_eq!(spec("  a:\n  - x # first\n  b: 1\n", append), "  a:\n  - x # first\n  - k: 1\n    l: 2\n  b: 1\n");
    assert_eq!(spec("  a:\n    - x\n", append), "  a:\n    - x\n    - k: 1\n      l: 2\n");
}

#[test]
fn an_empty_mapping_is_opened() {
    let fill = |spec: &mut Value| spec["a"]["b"] = json!(true);
    assert_eq!(spec("  a: {} # none\n  c: 1\n", fill), "  a: # none\n    b: true\n  c: 1\n");
    assert_eq!(spec("  a:\n  c: 1\n", fill), "  a:\n    b: true\n  c: 1\n");
}

#[test]
fn brackets_stay_on_their_line() {
    let printed = spec("  a: {b: 1, c: [x]} # so\n", |spec| {
        spec["a"]["d"] = json!({"e": "f"});
        spec["a"]["c"].as_array_mut().unwrap().push(json!("y"));
    });
    assert_eq!(printed, "  a: {b: 1, c: [x, \"y\"], \"d\": {\"e\": \"f\"}} # so\n");
}

#[test]
fn a_field_goes_with_its_lines() {
    let remove = |spec: &mut Value| {
        spec.as_object_mut().unwrap().remove("a");
    };
    assert_eq!(spec("  a: # x\n    b: 1\n  # kept\n  c: 2\n", remove), "  # kept\n  c: 2\n");
}

#[test]
fn what_is_added_where_the_last_field_goes_stands_below_the_one_before() {
    let printed = spec("  a: 1\n  b: 2\n", |spec| *spec = json!({"a": 1, "c": 3}));
    assert_eq!(printed, "  a: 1\n  c: 3\n");
}

#[test]
fn an_item_goes_with_its_lines() {
    let printed = spec("  a:\n  - x: 1\n    y: 2\n  - z # kept\n", |spec| spec["a"] = json!(["z"]));
    assert_eq!(printed, "  a:\n  - z # kept\n");
}

#[test]
fn a_field_below_a_block_scalar_leaves_it_as_it_is() {
    let printed = spec("  a: |\n    x\n\n    y\n\n# end\n", |spec| spec["b"] = json!(1));
    assert_eq!(printed, "  a: |\n    x\n\n    y\n  b: 1\n\n# end\n");
}

#[test]
fn an_item_that_is_a_block_scalar_is_replaced_with_its_dash() {
    let printed = spec("  a:\n  - | # x | y\n    one\n  - b\n", |spec| spec["a"][0] = json!("two"));
    assert_eq!(printed, "  a:\n  - two\n  - b\n");
}

#[test]
fn a_last_line_without_a_line_break_gets_one() {
    assert_eq!(spec("  a: 1", |spec| spec["b"] = json!(2)), "  a: 1\n  b: 2");
}

#[test]
fn line_breaks_of_windows_are_kept() {
    let text = format!("{HEAD}  a: 1\n").replace('\n', "\r\n");
    let printed = edited(&text, |spec| spec["b"] = json!({"c": 2}));
    assert_eq!(printed, format!("{text}  b:\r\n    c: 2\r\n"));
}

#[test]
fn the_documents_own_indentation_is_taken_up() {
    let text = "apiVersion: v1\nkind: Thing\nmetadata:\n    name: one\nspec:\n    a: 1\n";
    let printed = edited(text, |spec| spec["b"] = json!({"c": 2}));
    assert_eq!(printed, format!("{text}    b:\n        c: 2\n"));
}

#[test]
fn the_documents_own_place_for_dashes_is_taken_up() {
    let add = |spec: &mut Value| spec["b"] = json!([2]);
    assert_eq!(spec("  a:\n    - 1\n", add), "  a:\n    - 1\n  b:\n    - 2\n");
    assert_eq!(spec("  a:\n  - 1\n", add), "  a:\n  - 1\n  b:\n  - 2\n");
}

#[test]
fn an_alias_gives_way_to_its_own_value() {
    let printed = spec("  a: &x {k: 1}\n  b: *x\n", |spec| spec["b"]["l"] = json!(2));
    assert_eq!(printed, "  a: &x {k: 1}\n  b:\n    k: 1\n    l: 2\n");
}

#[test]
fn a_merged_field_is_written_below_its_merge_key() {
    let printed = spec("  a: &x {k: 1}\n  b:\n    <<: *x\n", |spec| spec["b"]["k"] = json!(2));
    assert_eq!(printed, "  a: &x {k: 1}\n  b:\n    <<: *x\n    k: 2\n");
}

#[test]
fn a_document_that_cannot_be_edited_is_written_anew_with_the_comments_around_it() {
    let text = "# head\n{apiVersion: v1, kind: Thing, metadata: {name: one}, spec: {a: 1}, status: {}} # so\n# tail\n";
    let [one] = read(text).try_into().unwrap();
    let mut value = one.value().clone();
    value.as_object_mut().unwrap().remove("status");
    let printed = render(text, &[one.edited(value).unwrap()]).unwrap();
    let anew = "apiVersion: v1\nkind: Thing\nmetadata:\n  name: one\nspec:\n  a: 1";
    assert_eq!(printed, format!("# head\n{anew} # so\n# tail\n"));
}

#[test]
fn documents_that_stay_are_kept_to_the_byte() {
    let odd = "---   # odd\n\n'apiVersion':   v1\n\"kind\": Pod\nmetadata: { name: 'p' , }\n";
    let text = format!(
        "# Source: a\n{odd}{}{odd}...\n",
        "---\napiVersion: v1\nkind: Thing\nmetadata: {name: one}\nspec: {}\n"
    );
    let manifests = read(&text);
    let printed = render(&text, &[change(&manifests[1], |spec| spec["a"] = json!(1))]).unwrap();
    assert!(printed.starts_with(&format!("# Source: a\n{odd}---\n")), "{printed}");
    assert!(printed.ends_with(&format!("spec:\n  a: 1\n{odd}...\n")), "{printed}");
}

#[test]
fn an_item_of_a_list_is_edited_in_the_list() {
    let text = "apiVersion: v1\nkind: List\nitems:\n# first\n- apiVersion: v1\n  kind: Thing\n  metadata:\n    name: one\n  spec:\n    a: 1\n";
    assert_eq!(edited(text, |spec| spec["b"] = json!(2)), format!("{text}    b: 2\n"));
}

#[test]
fn an_item_is_edited_in_a_list_that_says_its_kind() {
    let text = "apiVersion: v1\nkind: ThingList\nitems:\n- metadata:\n    name: one\n  spec:\n    a: 1\n";
    let printed = edited(text, |spec| spec["b"] = json!(2));
    assert!(printed.starts_with(text), "{printed}");
    assert_eq!(read(&printed)[0].value()["spec"], json!({"a": 1, "b": 2}));
}

#[test]
fn changed_json_is_printed_pretty_and_the_rest_is_kept() {
    let one = |spec: &str| format!(r#"{{"apiVersion":"v1","kind":"Thing","metadata":{{"name":"one"}},"spec":{spec}}}"#);
    let text = format!("{}\n{}\n", one("{}"), one("{\"k\": 1}"));
    let manifests = read_stream("a.json", &text).unwrap();
    let printed = render(&text, &[change(&manifests[1], |spec| spec["a"] = json!(1))]).unwrap();
    assert!(printed.starts_with(&format!("{}\n{{\n  \"apiVersion\"", one("{}"))), "{printed}");
    assert_eq!(read_stream("a.json", &printed).unwrap()[1].value()["spec"], json!({"k": 1, "a": 1}));
}

#[test]
fn refuses_manifests_of_another_text() {
    let manifests = read(&format!("{HEAD}  a: 1\n"));
    let other = "apiVersion: v1\nkind: Thing\nmetadata: {name: two}\n";
    assert!(matches!(render(other, &manifests), Err(RenderError::NotFromThisText { .. })));
    assert!(matches!(render("", &manifests), Err(RenderError::NotFromThisText { .. })));
    assert!(matches!(render("a: [", &manifests), Err(RenderError::Unreadable(_))));
}

#[test]
fn an_edit_cannot_make_another_object() {
    let [one] = read(&format!("{HEAD}  a: 1\n")).try_into().unwrap();
    let mut value = one.value().clone();
    value["metadata"]["name"] = json!("two");
    assert!(one.edited(value).is_err());
}

/// What an edit makes of a value: fields and items of both, the second's where they meet.
fn joined(first: &Value, second: &Value) -> Value {
    match (first, second) {
        (Value::Object(first), Value::Object(second)) => {
            let mut all = first.clone();
            for (key, value) in second {
                let value = all.get(key).map_or_else(|| value.clone(), |standing| joined(standing, value));
                all.insert(key.clone(), value);
            }
            all.into()
        }
        (Value::Array(first), Value::Array(second)) => first.iter().chain(second).cloned().collect(),
        _ => second.clone(),
    }
}

/// The value without its first field or item, at every level.
fn thinned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::from_iter(fields.iter().skip(1).map(|(key, value)| (key.clone(), thinned(value))))
        }
        Value::Array(items) => items.iter().skip(1).cloned().collect(),
        other => other.clone(),
    }
}

fn reads_as_wanted(object: &Value, choices: &[u8], wanted: &Value) -> Result<(), TestCaseError> {
    let middle = Written::yaml(object, choices).text;
    let other = Written::yaml(&json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}}), choices).text;
    let text = format!("{other}---\n{middle}---\n{other}");
    let manifests = read(&text);
    let mut value = object.clone();
    value["spec"] = wanted.clone();
    let printed = render(&text, &[manifests[1].edited(value.clone()).unwrap()]).unwrap();
    let again = read(&printed);
    prop_assert_eq!(again[1].value(), &value, "{}", printed);
    prop_assert!(printed.starts_with(&[&*other, "---\n"].concat()));
    prop_assert!(printed.ends_with(&["---\n", &*other].concat()));
    Ok(())
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_wanted_after_additions(object in object(), more in value(), choices in any::<[u8; 32]>()) {
        reads_as_wanted(&object, &choices, &joined(&object["spec"], &more))?;
    }

    #[test]
    fn what_is_printed_reads_as_wanted_after_removals(object in object(), choices in any::<[u8; 32]>()) {
        reads_as_wanted(&object, &choices, &thinned(&object["spec"]))?;
    }

    #[test]
    fn what_is_printed_reads_as_wanted_after_anything(object in object(), wanted in value(), choices in any::<[u8; 32]>()) {
        reads_as_wanted(&object, &choices, &wanted)?;
    }

    #[test]
    fn an_edit_that_changes_nothing_changes_no_byte(object in object(), choices in any::<[u8; 32]>()) {
        let text = format!("# head\n{}", Written::yaml(&object, &choices).text);
        prop_assert_eq!(render(&text, &read(&text)).unwrap(), text);
    }
}
