//! The line of every field.

use proptest::prelude::*;
use serde_json::Value;

use super::written::{Written, object};
use super::{read, with_spec};
use crate::manifest::read_stream;

fn line_of(text: &str, pointer: &str) -> usize {
    let [only] = read(text).try_into().unwrap();
    only.line_of(&pointer.parse().unwrap())
}

#[test]
fn a_field_is_where_its_key_is() {
    let text = with_spec("  # first\n  a:\n\n    b: |\n      x\n    c: 1\n");
    assert_eq!(line_of(&text, "/spec/a"), 7);
    assert_eq!(line_of(&text, "/spec/a/b"), 9);
    assert_eq!(line_of(&text, "/spec/a/c"), 11);
}

#[test]
fn an_item_is_where_its_value_begins() {
    let text = with_spec("  a:\n  - x\n  # second\n  - b: 1\n    c: 2\n");
    assert_eq!(line_of(&text, "/spec/a/0"), 7);
    assert_eq!(line_of(&text, "/spec/a/1"), 9);
    assert_eq!(line_of(&text, "/spec/a/1/c"), 10);
}

#[test]
fn what_is_missing_is_where_the_nearest_field_above_it_is() {
    let text = with_spec("  a:\n    b: 1\n");
    assert_eq!(line_of(&text, "/spec/a/x/y"), 6);
    assert_eq!(line_of(&text, "/spec/a/b/3"), 7);
    assert_eq!(line_of(&text, "/nothing"), 1);
}

#[test]
fn what_comes_by_an_alias_is_where_its_anchor_is() {
    let text = with_spec("  a: &x\n    b: 1\n  c: *x\n  d:\n    <<: *x\n    e: 2\n");
    assert_eq!(line_of(&text, "/spec/c"), 8);
    assert_eq!(line_of(&text, "/spec/c/b"), 7);
    assert_eq!(line_of(&text, "/spec/d/b"), 7);
    assert_eq!(line_of(&text, "/spec/d/e"), 11);
}

#[test]
fn an_item_of_a_list_counts_from_the_files_first_line() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  metadata:\n    name: a\n";
    assert_eq!(line_of(text, "/metadata/name"), 7);
}

proptest! {
    #[test]
    fn values_and_lines_are_those_that_were_written(object in object(), choices in any::<[u8; 32]>()) {
        let written = Written::yaml(&object, &choices);
        let [read] = super::read(&written.text).try_into().unwrap();
        prop_assert_eq!(read.value(), &object, "{}", written.text);
        for (pointer, line) in &written.lines {
            prop_assert_eq!(read.line_of(pointer), *line, "{} in\n{}", pointer, written.text);
        }
    }

    #[test]
    fn values_and_lines_of_json_are_those_that_were_written(object in object(), choices in any::<[u8; 32]>()) {
        let written = Written::json(&object, &choices);
        let [read] = read_stream("a.json", &written.text).unwrap().try_into().unwrap();
        prop_assert_eq!(read.value(), &serde_json::from_str::<Value>(&written.text).unwrap());
        for (pointer, line) in &written.lines {
            prop_assert_eq!(read.line_of(pointer), *line, "{} in\n{}", pointer, written.text);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-c:\\-\\[\\]{}&*<|>#'\"!%~,? \n\t]{0,60}") {
        let _ = read_stream("a.yaml", &text);
        let _ = read_stream("a.json", &text);
    }
}
