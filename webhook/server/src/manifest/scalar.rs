//! What a YAML scalar means to Kubernetes: the rules of `sigs.k8s.io/yaml` (its `goyaml.v2/resolve.go`), which are
//! those of YAML 1.1 with Go's integers. A reader of YAML 1.2 takes `defaultMode: 0644` for 644 and `on` for a text;
//! the API server is sent 420 and true.

use serde_json::{Number, Value};
use serde_saphyr::granit_parser::Tag;

use super::error::Fault;

/// What `!!` stands for.
const YAML_TAGS: &str = "tag:yaml.org,2002:";

/// A scalar, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Integer(Number),
    Float(f64),
    Text(String),
}

/// Whether a scalar was written bare, and so means more than its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    Plain,
    Quoted,
}

impl Scalar {
    /// Reads a scalar with the tag that stands before it. Unknown tags make texts, as they do for `kubectl`.
    pub(super) fn read(text: &str, quoting: Quoting, tag: Option<&Tag>) -> Result<Self, Fault> {
        let Some(tag) = tag else {
            return if quoting == Quoting::Plain { Self::plain(text) } else { Ok(Self::Text(text.to_owned())) };
        };
        match tag.suffix_in_namespace(YAML_TAGS).as_deref() {
            Some("binary") => Err(Fault::BinaryTag),
            Some(tag @ ("null" | "bool" | "int" | "float")) => Self::plain(text)?.checked(tag, text),
            _ => Ok(Self::Text(text.to_owned())),
        }
    }

    /// The value in an object. A whole number is an integer however it is written, as in the JSON that Go makes of it.
    pub(super) fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Integer(number) => number.into(),
            Self::Float(number) => json_number(number),
            Self::Text(text) => text.into(),
        }
    }

    /// The text as a key. Fractions are refused: `1.10` would become `1.1`.
    pub(super) fn key(self) -> Result<String, Fault> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Bool(value) => Ok(value.to_string()),
            Self::Integer(number) => Ok(number.to_string()),
            Self::Null => Err(Fault::KeyNotText("empty or null")),
            Self::Float(_) => Err(Fault::KeyNotText("a number with a fraction or an exponent")),
        }
    }

    fn plain(text: &str) -> Result<Self, Fault> {
        Ok(match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Self::Bool(true),
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Self::Bool(false),
            ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
            | "-.INF" => return Err(Fault::NotANumber(text.to_owned())),
            _ => return number(text),
        })
    }

    fn checked(self, tag: &str, text: &str) -> Result<Self, Fault> {
        match (self, tag) {
            (Self::Integer(number), "float") => Ok(Self::Float(number.as_f64().unwrap_or_default())),
            (scalar @ Self::Null, "null")
            | (scalar @ Self::Bool(_), "bool")
            | (scalar @ Self::Integer(_), "int")
            | (scalar @ Self::Float(_), "float") => Ok(scalar),
            _ => Err(Fault::TagMismatch { tag: tag.to_owned(), text: text.to_owned() }),
        }
    }
}

/// A number as JSON holds it: whole ones as integers where 64 bits hold them.
pub(super) fn json_number(number: f64) -> Value {
    let whole = (number.fract() == 0.0).then(|| format!("{number:.0}"));
    let integer = whole.and_then(|digits| decimal(&digits));
    integer.or_else(|| Number::from_f64(number)).map_or(Value::Null, Value::Number)
}

fn number(text: &str) -> Result<Scalar, Fault> {
    let digits = text.replace('_', "");
    let scalar = match text.bytes().next() {
        Some(b'0'..=b'9' | b'+' | b'-') => match integer(&digits) {
            Integer::Fits(number) => Some(Scalar::Integer(number)),
            Integer::TooLong => return Err(Fault::NotANumber(text.to_owned())),
            Integer::Not => float(&digits).map(Scalar::Float),
        },
        Some(b'.') => float(text).map(Scalar::Float),
        _ => None,
    };
    Ok(scalar.unwrap_or_else(|| Scalar::Text(text.to_owned())))
}

/// What became of reading an integer.
enum Integer {
    Fits(Number),
    /// Written in another base than ten and longer than 64 bits: no JSON number says the same.
    TooLong,
    Not,
}

/// Go's integer literals: `0x`, `0o`, `0b`, and a leading zero for octal.
fn integer(text: &str) -> Integer {
    let (sign, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (-1, text.get(1..).unwrap_or_default()),
        Some(b'+') => (1, text.get(1..).unwrap_or_default()),
        _ => (1, text),
    };
    let (radix, digits) = base(unsigned);
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Integer::Not;
    }
    match i128::from_str_radix(digits, radix).ok().and_then(|value| fitting(sign * value)) {
        Some(number) => Integer::Fits(number),
        None if radix == 10 => Integer::Not,
        None => Integer::TooLong,
    }
}

fn base(digits: &str) -> (u32, &str) {
    let after = |prefix: [char; 2]| digits.strip_prefix('0')?.strip_prefix(prefix);
    if let Some(rest) = after(['x', 'X']) {
        (16, rest)
    } else if let Some(rest) = after(['o', 'O']) {
        (8, rest)
    } else if let Some(rest) = after(['b', 'B']) {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits)
    } else {
        (10, digits)
    }
}

fn decimal(digits: &str) -> Option<Number> {
    fitting(digits.parse().ok()?)
}

fn fitting(value: i128) -> Option<Number> {
    i64::try_from(value).map(Number::from).or_else(|_| u64::try_from(value).map(Number::from)).ok()
}

fn float(text: &str) -> Option<f64> {
    let written = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    text.parse().ok().filter(|number: &f64| written && number.is_finite())
}
