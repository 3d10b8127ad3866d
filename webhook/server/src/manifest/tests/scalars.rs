//! What unquoted words and numbers mean to Kubernetes. The expected values are those of `sigs.k8s.io/yaml`.

use serde_json::{Value, json};

use super::{refused, spec, with_spec};
use crate::manifest::Fault;

fn scalar(text: &str) -> Value {
    spec(&format!("  it: {text}\n"))["it"].clone()
}

#[test]
fn the_booleans_of_yaml_1_1_are_booleans() {
    for word in ["true", "True", "yes", "YES", "on", "y"] {
        assert_eq!(scalar(word), json!(true), "{word}");
    }
    for word in ["false", "FALSE", "no", "off", "Off", "n"] {
        assert_eq!(scalar(word), json!(false), "{word}");
    }
}

#[test]
fn quoted_words_are_texts() {
    assert_eq!(scalar("\"yes\""), json!("yes"));
    assert_eq!(scalar("'0644'"), json!("0644"));
}

#[test]
fn a_leading_zero_means_octal() {
    assert_eq!(scalar("0644"), json!(420));
    assert_eq!(scalar("0o644"), json!(420));
    assert_eq!(scalar("089"), json!(89));
}

#[test]
fn hexadecimal_binary_and_underscores_are_integers() {
    assert_eq!(scalar("0x1F"), json!(31));
    assert_eq!(scalar("-0b11"), json!(-3));
    assert_eq!(scalar("1_000"), json!(1000));
}

#[test]
fn integers_keep_all_64_bits() {
    assert_eq!(scalar("18446744073709551615"), json!(u64::MAX));
    assert_eq!(scalar("-9223372036854775808"), json!(i64::MIN));
}

#[test]
fn a_whole_number_is_an_integer_however_it_is_written() {
    assert_eq!(scalar("1.0"), json!(1));
    assert_eq!(scalar("12e3"), json!(12000));
    assert_eq!(scalar("1.5"), json!(1.5));
    assert_eq!(scalar("-.5"), json!(-0.5));
}

#[test]
fn what_only_looks_like_a_number_is_a_text() {
    for text in ["1.2.3", "10:30:45", "2001-12-14", "100m", "1Gi", "-x", "+x", "0b12", "1e400", "."] {
        assert_eq!(scalar(text), json!(text), "{text}");
    }
}

#[test]
fn nothing_is_null() {
    for text in ["", "~", "null", "NULL"] {
        assert_eq!(scalar(text), Value::Null, "{text}");
    }
}

#[test]
fn tags_say_what_a_scalar_is() {
    assert_eq!(scalar("!!str 12"), json!("12"));
    assert_eq!(scalar("!!int \"12\""), json!(12));
    assert_eq!(scalar("!!float 3"), json!(3));
    assert_eq!(scalar("!Ref thing"), json!("thing"));
}

#[test]
fn refuses_a_tag_that_does_not_fit() {
    assert!(matches!(refused(&with_spec("  it: !!int abc\n")).fault, Fault::TagMismatch { tag, .. } if tag == "int"));
    assert!(matches!(refused(&with_spec("  it: !!binary aGk=\n")).fault, Fault::BinaryTag));
}

#[test]
fn refuses_numbers_that_json_does_not_have() {
    assert!(matches!(refused(&with_spec("  it: .inf\n")).fault, Fault::NotANumber(text) if text == ".inf"));
    assert!(matches!(refused(&with_spec("  it: 0xFFFFFFFFFFFFFFFFFF\n")).fault, Fault::NotANumber(_)));
}

#[test]
fn keys_that_are_integers_or_booleans_become_texts() {
    assert_eq!(spec("  8080: a\n  on: b\n"), json!({"8080": "a", "true": "b"}));
}

#[test]
fn refuses_keys_that_would_have_to_be_guessed() {
    for key in ["1.10", "~", "[a]", "{a: b}"] {
        let error = refused(&with_spec(&format!("  ? {key}\n  : x\n")));
        assert!(matches!(error.fault, Fault::KeyNotText(_)), "{key}: {error}");
        assert_eq!(error.line, 6);
    }
}

#[test]
fn block_scalars_are_chomped_as_they_say() {
    let text = "  clip: |\n    a\n\n    b\n\n  strip: >-\n    c\n    d\n  keep: |+\n    e\n\n";
    assert_eq!(spec(text), json!({"clip": "a\n\nb\n", "strip": "c d", "keep": "e\n\n"}));
}

#[test]
fn a_block_scalar_cut_off_by_the_end_has_no_line_break_there() {
    assert_eq!(spec("  it: |\n    a"), json!({"it": "a"}));
    assert_eq!(spec("  it: |\n    a\n    b"), json!({"it": "a\nb"}));
}
