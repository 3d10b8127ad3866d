//! Canonical JSON, RFC 8785: keys sorted by their UTF-16 units, strings and numbers written in one way only.
//!
//! The order is ours and the strings are serde_json's, whose escapes are the ones of section 3.2.2.2; fractions are
//! left to `serde_json_canonicalizer`, which knows ECMAScript's numbers. Whole records are not given to that crate: it
//! takes 100 µs for a record of 2.6 kB where this takes 16, and it rounds integers that a double can't hold.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use serde_json::{Map, Number, Value};

/// The largest integer of which a double holds every smaller one: 2^53 − 1 (RFC 7493, section 2.2).
const LARGEST_INTEGER: u64 = (1 << 53) - 1;

/// An integer that canonical JSON can't express exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "holds {number} at {pointer:?}, an integer beyond 2^53 - 1, which JSON readers would round: write it as a string"
)]
pub struct UnsafeInteger {
    /// Where it stands, as a JSON pointer.
    pub pointer: String,
    /// The number.
    pub number: String,
}

/// The text of `value` if it is canonical as it is written: every object's keys in order, nothing that is written in
/// several ways. None where nobody can tell that while writing; then [`text`] tells.
pub(crate) fn as_written(value: &impl Serialize) -> Result<Option<String>, serde_json::Error> {
    let mut text = Vec::with_capacity(1024);
    let mut watch = Watch { doubtful: false, in_key: false, key: String::new(), last: Vec::new() };
    value.serialize(&mut Serializer::with_formatter(&mut text, &mut watch))?;
    // serde_json writes no other text.
    Ok(String::from_utf8(text).ok().filter(|_| !watch.doubtful))
}

/// Looks on while JSON is written without spaces, whether it is canonical.
struct Watch {
    doubtful: bool,
    in_key: bool,
    /// The key that is being written, or was.
    key: String,
    /// The last key of each object around the place that is written.
    last: Vec<String>,
}

impl Watch {
    fn doubt_if(&mut self, doubtful: bool) {
        self.doubtful |= doubtful;
    }
}

/// The hooks of serde_json's own writer. What is not told here is written as it is by default, which is compact.
impl Formatter for &mut Watch {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.last.push(String::new());
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.last.pop();
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.in_key = true;
        self.key.clear();
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if self.in_key {
            self.key.push_str(fragment);
        }
        writer.write_all(fragment.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.doubt_if(self.in_key);
        serde_json::ser::CompactFormatter.write_char_escape(writer, escape)
    }

    /// Bytes of ASCII are in the order of UTF-16 units.
    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.in_key = false;
        let Some(last) = self.last.last_mut() else { return Ok(()) };
        let in_order = self.key.is_ascii() && *last < self.key;
        std::mem::swap(last, &mut self.key);
        self.doubt_if(!in_order);
        Ok(())
    }

    fn write_i64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        self.doubt_if(value.unsigned_abs() > LARGEST_INTEGER);
        write!(writer, "{value}")
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        self.doubt_if(value > LARGEST_INTEGER);
        write!(writer, "{value}")
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i128) -> io::Result<()> {
        self.doubtful = true;
        write!(writer, "{value}")
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u128) -> io::Result<()> {
        self.doubtful = true;
        write!(writer, "{value}")
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        self.doubtful = true;
        write!(writer, "{value}")
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        self.doubtful = true;
        write!(writer, "{value}")
    }

    fn write_number_str<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: &str) -> io::Result<()> {
        self.doubtful = true;
        writer.write_all(value.as_bytes())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.doubtful = true;
        writer.write_all(fragment.as_bytes())
    }
}

/// The canonical text of `value`.
pub(crate) fn text(value: &Value) -> Result<String, UnsafeInteger> {
    let mut text = String::with_capacity(1024);
    write(value, &mut text).map_err(|misfit| misfit.beneath_root())?;
    Ok(text)
}

/// Whether `text` is the canonical text of the value that it holds.
pub(crate) fn is_canonical(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|value| self::text(&value).is_ok_and(|canonical| canonical == text))
}

/// A misfit on its way out; the way to it is gathered from the inside, so that a good value costs nothing.
struct Misfit {
    tokens: Vec<String>,
    number: String,
}

impl Misfit {
    fn beneath(mut self, token: impl ToString) -> Self {
        self.tokens.push(token.to_string());
        self
    }

    fn beneath_root(self) -> UnsafeInteger {
        let escaped = self.tokens.iter().rev().map(|token| token.replace('~', "~0").replace('/', "~1"));
        UnsafeInteger { pointer: escaped.map(|token| format!("/{token}")).collect(), number: self.number }
    }
}

fn write(value: &Value, out: &mut String) -> Result<(), Misfit> {
    match value {
        Value::Object(fields) => return write_object(fields, out),
        Value::Array(items) => return write_array(items, out),
        Value::Number(number) => return write_number(number, out),
        Value::String(string) => write_string(string, out),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Null => out.push_str("null"),
    }
    Ok(())
}

fn write_object(fields: &Map<String, Value>, out: &mut String) -> Result<(), Misfit> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    let mut separator = '{';
    for (key, value) in &fields {
        out.push(std::mem::replace(&mut separator, ','));
        write_string(key, out);
        out.push(':');
        write(value, out).map_err(|misfit| misfit.beneath(key))?;
    }
    out.push_str(if fields.is_empty() { "{}" } else { "}" });
    Ok(())
}

fn write_array(items: &[Value], out: &mut String) -> Result<(), Misfit> {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out).map_err(|misfit| misfit.beneath(index))?;
    }
    out.push(']');
    Ok(())
}

fn write_number(number: &Number, out: &mut String) -> Result<(), Misfit> {
    let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    if size.is_some_and(|size| size <= LARGEST_INTEGER) {
        out.push_str(&number.to_string());
        return Ok(());
    }
    let as_double = serde_json_canonicalizer::to_string(number).unwrap_or_default();
    if as_double.is_empty() || (size.is_some() && as_double != number.to_string()) {
        return Err(Misfit { tokens: Vec::new(), number: number.to_string() });
    }
    out.push_str(&as_double);
    Ok(())
}

/// Writes a string with serde_json's escapes, or directly where there is nothing to escape, as nearly always.
fn write_string(string: &str, out: &mut String) {
    if string.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push('"');
        out.push_str(string);
        out.push('"');
    } else {
        out.push_str(&Value::from(string).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any JSON whose integers a double can hold.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            (53_i32..70).prop_map(|power| Value::from(2_f64.powi(power) * 1.5)),
            any::<f64>().prop_filter("JSON has no NaN", |f| f.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_an_independent_canonicaliser(value in any_json()) {
            prop_assert_eq!(text(&value).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
        }

        #[test]
        fn what_is_canonical_as_it_is_written_is_the_canonical_text(value in any_json(), sorted in any_json()) {
            let canonical = text(&sorted).unwrap();
            let sorted: Value = serde_json::from_str(&canonical).unwrap();
            prop_assert!(as_written(&sorted).unwrap().is_none_or(|written| written == canonical));
            prop_assert!(as_written(&value).unwrap().is_none_or(|written| written == text(&value).unwrap()));
        }

        #[test]
        fn what_it_writes_is_canonical(value in any_json()) {
            prop_assert!(is_canonical(&text(&value).unwrap()));
        }
    }

    #[test]
    fn sorts_keys_by_utf_16_units_and_not_by_bytes() {
        // U+10000 is the surrogate pair D800 DC00, which sorts before U+E000; in UTF-8 it sorts after.
        let value = serde_json::json!({"\u{e000}": 1, "\u{10000}": 2});
        assert_eq!(text(&value).unwrap(), "{\"\u{10000}\":2,\"\u{e000}\":1}");
    }

    #[test]
    fn what_can_be_written_in_several_ways_is_doubted() {
        let written = |text: &str| as_written(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
        for text in
            [r#"{"a":{"a":[{"b":"\n\u001f\"é"},9007199254740991]},"b":null}"#, "[]", r#"{"a":{},"b":-1}"#, "true"]
        {
            assert_eq!(written(text).as_deref(), Some(text));
        }
        for text in [
            r#"{"b":1,"a":1}"#,
            r#"{"é":1}"#,
            r#"{"":1}"#,
            r#"{"a\n":1}"#,
            "1.5",
            "9007199254740992",
            "-9007199254740992",
        ] {
            assert_eq!(written(text), None, "{text}");
        }
        assert_eq!(as_written(&serde_json::value::RawValue::from_string("{ }".to_owned()).unwrap()).unwrap(), None);
    }

    #[test]
    fn text_with_a_key_twice_or_with_spaces_is_not_canonical() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a": 1}"#, r#"{"b":1,"a":1}"#, r#"1.0"#, r#""\u0041""#, "{} "] {
            assert!(!is_canonical(text), "{text}");
        }
    }
}
