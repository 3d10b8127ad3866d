//! Objects for the properties, and documents written of them in every manner, with the line of each field noted as it
//! is written.

use portreeve_admission::pointer::Pointer;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// An object with a random `spec`.
pub(super) fn object() -> impl Strategy<Value = Value> {
    value().prop_map(|spec| json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": spec}))
}

pub(super) fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..4)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-d]{1,2}", 1 => prop::sample::select(vec!["8080", "on", "<<", "a b", "a: b", "~", "é", "#x", "-"])
        .prop_map(str::to_owned)]
}

fn leaf() -> impl Strategy<Value = Value> {
    let texts = vec![
        "",
        "yes",
        "0644",
        "a: b",
        "# no",
        "one\ntwo\n",
        "one\n\ntwo",
        "trail\n\n",
        "  led",
        "- x",
        "*x",
        "&x",
        "!x",
        "é",
        "1.0",
        "\t",
        "a #b",
        "{",
        "null",
        "x\u{0}y",
        "line\r\n",
        "...",
        "---",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000i32..1000).prop_map(|number| json!(f64::from(number) + 0.5)),
        "[a-z]{1,8}".prop_map(Value::from),
        prop::sample::select(texts).prop_map(Value::from),
    ]
}

/// A text, and where in it everything is.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) lines: Vec<(Pointer, usize)>,
    choices: Vec<u8>,
    next: u32,
}

impl Written {
    /// A YAML document without markers.
    pub(super) fn yaml(object: &Value, choices: &[u8]) -> Self {
        let mut written = Self::new(choices);
        written.block(object, &Pointer::root(), 0);
        written
    }

    /// A JSON text with line breaks where the choices put them.
    pub(super) fn json(object: &Value, choices: &[u8]) -> Self {
        let mut written = Self::new(choices);
        written.flow(object, &Pointer::root(), "\n");
        written
    }

    fn new(choices: &[u8]) -> Self {
        Self { text: String::new(), lines: Vec::new(), choices: choices.to_vec(), next: 0 }
    }

    fn choose(&mut self, among: u8) -> u8 {
        self.next += 1;
        let at = usize::try_from(self.next).unwrap() % self.choices.len();
        self.choices[at].rotate_left(self.next / 7) % among
    }

    fn note(&mut self, pointer: &Pointer) {
        self.lines.push((pointer.clone(), self.text.matches('\n').count() + 1));
    }

    /// Comments and blank lines, then the margin.
    fn margin(&mut self, columns: usize) {
        match self.choose(5) {
            0 => self.text.push_str("# a comment\n"),
            1 => self.text.push('\n'),
            _ => {}
        }
        self.text.push_str(&" ".repeat(columns));
    }

    fn line_end(&mut self, comment: &str) {
        let end = if self.choose(4) == 0 { comment } else { "\n" };
        self.text.push_str(end);
    }

    /// A collection's lines, each ending in a line break.
    fn block(&mut self, value: &Value, at: &Pointer, columns: usize) {
        match value {
            Value::Object(fields) => {
                for (index, (key, value)) in fields.iter().enumerate() {
                    // Behind a dash the first key stands already in its column.
                    if index > 0 || self.text.is_empty() || self.text.ends_with('\n') {
                        self.margin(columns);
                    }
                    let at = at.child(key);
                    self.note(&at);
                    self.key(key);
                    self.entry(value, &at, columns, columns);
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    if index > 0 || self.text.ends_with('\n') {
                        self.margin(columns);
                    }
                    let at = at.child(index);
                    self.note(&at);
                    self.text.push('-');
                    self.item(value, &at, columns);
                }
            }
            _ => unreachable!("a scalar has no lines"),
        }
    }

    fn key(&mut self, key: &str) {
        let plain = key.bytes().all(|byte| byte.is_ascii_lowercase()) && key != "on" && key != "n" && key != "y";
        let quoted = !plain || self.choose(4) == 0;
        self.text.push_str(&if quoted { Value::from(key).to_string() } else { key.to_owned() });
        self.text.push(':');
    }

    fn entry(&mut self, value: &Value, at: &Pointer, columns: usize, lists: usize) {
        if !is_empty(value) && self.choose(4) > 0 {
            self.line_end(" # why\n");
            let further = if value.is_array() && self.choose(2) == 0 { lists } else { columns + 2 };
            self.block(value, at, further);
        } else {
            self.text.push(' ');
            self.inline(value, at, columns);
        }
    }

    fn item(&mut self, value: &Value, at: &Pointer, columns: usize) {
        self.text.push(' ');
        if is_empty(value) || self.choose(4) == 0 {
            self.inline(value, at, columns);
        } else {
            self.block(value, at, columns + 2);
        }
    }

    fn inline(&mut self, value: &Value, at: &Pointer, columns: usize) {
        match value.as_str() {
            Some(text) if is_literal(text) && self.choose(2) == 0 => {
                self.text.push_str("|\n");
                for line in text.lines() {
                    self.text.push_str(&format!("{}{line}\n", " ".repeat(columns + 2)));
                }
            }
            _ => {
                self.flow(value, at, " ");
                self.line_end(" # so\n");
            }
        }
    }

    /// JSON, with `space` between some of its pieces.
    fn flow(&mut self, value: &Value, at: &Pointer, space: &str) {
        match value {
            Value::Object(fields) => {
                self.text.push('{');
                for (index, (key, value)) in fields.iter().enumerate() {
                    self.separate(index, space);
                    let at = at.child(key);
                    self.note(&at);
                    self.text.push_str(&format!("{}: ", Value::from(key.as_str())));
                    self.flow(value, &at, space);
                }
                self.text.push('}');
            }
            Value::Array(items) => {
                self.text.push('[');
                for (index, value) in items.iter().enumerate() {
                    self.separate(index, space);
                    let at = at.child(index);
                    self.note(&at);
                    self.flow(value, &at, space);
                }
                self.text.push(']');
            }
            scalar => self.text.push_str(&scalar.to_string()),
        }
    }

    fn separate(&mut self, index: usize, space: &str) {
        if index > 0 {
            self.text.push(',');
        }
        if index > 0 || self.choose(2) == 0 {
            self.text.push_str(space);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

/// Whether a literal block scalar with nothing special about it says this.
fn is_literal(text: &str) -> bool {
    let lines_are_plain = text.lines().all(|line| !line.is_empty() && !line.starts_with([' ', '\t']));
    text.ends_with('\n') && !text.ends_with("\n\n") && lines_are_plain && !text.contains(['\r', '\u{0}'])
}
