//! A document as it is written: every value with its place in the text. Both parsers make this; objects, lines and
//! edits are read from it. Nothing here reads text.

use std::sync::Arc;

use portreeve_admission::pointer::list_index;
use serde_json::{Map, Value};

/// Beyond this many lists and mappings inside one another a document is refused: `serde_json` draws the same line.
pub(super) const MAX_DEPTH: usize = 128;

/// A point of a text: its line, counted from 1, and its column in characters, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A stretch of a text: where it begins, and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A value and where it is written. For a block mapping or list that is from its first key or item to the end of its
/// last.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
    /// How many lists and mappings stand inside one another here, this one included.
    pub(super) depth: usize,
    /// About how many bytes of memory the value takes, aliases written out.
    pub(super) size: usize,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content {
    Scalar(Value),
    List { layout: Layout, items: Vec<Child> },
    Map { layout: Layout, fields: Vec<Field> },
}

/// How a list or mapping is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// By indentation.
    Block,
    /// Between brackets.
    Flow,
}

/// A field of a mapping.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) child: Child,
}

/// A value inside a list or mapping.
#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(super) node: Arc<Node>,
    /// The value, or the alias that stands for it.
    pub(super) place: Place,
    pub(super) written: Written,
}

/// How a value comes to stand where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Here,
    /// By an alias; the node is the anchor's.
    Alias,
    /// By a merge key; key and node are the anchor's.
    Merge,
}

/// One document of a stream that is not empty.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Arc<Node>,
    /// The bytes between this document's markers: comments, content, comments.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Place {
    pub(super) fn spot(&self) -> Spot {
        Spot { line: self.line, column: self.column }
    }
}

impl Node {
    pub(super) fn scalar(place: Place, value: Value) -> Self {
        let text = value.as_str().map_or(0, str::len);
        Self { place, depth: 0, size: text.saturating_add(size_of::<Value>()), content: Content::Scalar(value) }
    }

    pub(super) fn list(place: Place, layout: Layout, items: Vec<Child>) -> Self {
        let (depth, size) = measure(items.iter().map(|item| (0, &item.node)));
        Self { place, depth, size, content: Content::List { layout, items } }
    }

    pub(super) fn map(place: Place, layout: Layout, fields: Vec<Field>) -> Self {
        let (depth, size) = measure(fields.iter().map(|field| (field.key.len(), &field.child.node)));
        Self { place, depth, size, content: Content::Map { layout, fields } }
    }

    /// The value, aliases and merge keys written out.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List { items, .. } => items.iter().map(|item| item.node.value()).collect(),
            Content::Map { fields, .. } => {
                fields.iter().map(|field| (field.key.clone(), field.child.node.value())).collect::<Map<_, _>>().into()
            }
        }
    }

    /// Whether this node's value is `value`, in whatever order fields stand.
    pub(super) fn is(&self, value: &Value) -> bool {
        match (&self.content, value) {
            (Content::Scalar(scalar), _) => scalar == value,
            (Content::List { items, .. }, Value::Array(values)) => {
                items.len() == values.len() && items.iter().zip(values).all(|(item, value)| item.node.is(value))
            }
            (Content::Map { fields, .. }, Value::Object(values)) => {
                fields.len() == values.len()
                    && fields.iter().all(|field| values.get(&field.key).is_some_and(|value| field.child.node.is(value)))
            }
            _ => false,
        }
    }

    /// The field or item of that name.
    pub(super) fn child(&self, token: &str) -> Option<(&Child, usize)> {
        match &self.content {
            Content::Scalar(_) => None,
            Content::List { items, .. } => items.get(list_index(token)?).map(|item| (item, item.place.line)),
            Content::Map { fields, .. } => {
                fields.iter().find(|field| field.key == token).map(|field| (&field.child, field.key_place.line))
            }
        }
    }

    /// The line of what the tokens of a JSON pointer lead to, as far as they lead.
    pub(super) fn line_of(&self, tokens: &[String]) -> usize {
        let mut node = self;
        let mut line = self.place.line;
        for token in tokens {
            let Some((child, its_line)) = node.child(token) else { break };
            (node, line) = (child.node.as_ref(), its_line);
        }
        line
    }
}

/// Depth and size of a collection with these keys' lengths and values.
fn measure<'a>(children: impl Iterator<Item = (usize, &'a Arc<Node>)>) -> (usize, usize) {
    children.fold((1, size_of::<Value>()), |(depth, size), (key, node)| {
        (depth.max(node.depth.saturating_add(1)), size.saturating_add(key).saturating_add(node.size))
    })
}
