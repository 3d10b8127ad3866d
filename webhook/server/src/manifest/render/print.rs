//! Values as YAML text, in the manner of the document they go into: its indentation, its line breaks, and whether its
//! lists stand under their key or further in.

use serde_json::{Map, Value};
use serde_saphyr::{SerializerOptions, ser_options};

use super::super::node::Node;
use super::{Content, Document};

/// How a document is written.
#[derive(Debug, Clone)]
pub(super) struct Style {
    /// `\r\n` if the document has one.
    pub(super) newline: &'static str,
    /// How many columns a mapping stands further in than the one around it.
    step: usize,
    lists: Lists,
}

/// Where the dashes of a list stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    UnderTheKey,
    FurtherIn,
}

impl Style {
    /// The manner of the document, as its first mapping and list inside another show it; where it has none, that of
    /// `kubectl`.
    pub(super) fn of(text: &str, document: &Document) -> Self {
        let written = text.get(document.start..document.end).unwrap_or_default();
        let crlf = written.contains("\r\n");
        Self {
            newline: if crlf { "\r\n" } else { "\n" },
            step: first(&document.root, &step).filter(|step| (1..=8).contains(step)).unwrap_or(2),
            lists: first(&document.root, &|node| lists(text, node)).unwrap_or(Lists::UnderTheKey),
        }
    }

    /// A field, or several, as lines without the last line break.
    pub(super) fn fields(&self, fields: &Map<String, Value>) -> Option<String> {
        self.print(fields)
    }

    /// A list's item with its dash, as lines without the last line break.
    pub(super) fn item(&self, item: &Value) -> Option<String> {
        self.print(&[item])
    }

    /// A whole document, as lines without the last line break.
    pub(super) fn document(&self, value: &Value) -> Option<String> {
        self.print(value)
    }

    fn print(&self, value: &impl serde::Serialize) -> Option<String> {
        let options: SerializerOptions = ser_options! {
            indent_step: self.step,
            compact_list_indent: self.lists == Lists::UnderTheKey,
            // Long texts stay on one line, as `kubectl` and Helm leave them.
            folded_wrap_chars: usize::MAX,
        };
        let printed = serde_saphyr::to_string_with_options(value, options).ok()?;
        let lines = printed.strip_suffix('\n').unwrap_or(&printed);
        Some(if self.newline == "\n" { lines.to_owned() } else { lines.replace('\n', self.newline) })
    }
}

/// `lines`, each but the first and the empty ones moved in by so many columns.
pub(super) fn indented(lines: &str, columns: usize) -> String {
    let margin = " ".repeat(columns);
    let mut moved = String::with_capacity(lines.len());
    for (at, line) in lines.split_inclusive('\n').enumerate() {
        if at > 0 && !line.trim_end().is_empty() {
            moved.push_str(&margin);
        }
        moved.push_str(line);
    }
    moved
}

/// The column of the dash before a list's item, and its byte; none if something else stands between.
pub(super) fn dash(text: &str, item_start: usize) -> Option<(usize, usize)> {
    let before = text.get(..item_start)?.trim_end();
    let at = before.strip_suffix('-')?.len();
    Some((at.saturating_sub(line_start(text, at)), at))
}

/// The byte at which the line of `at` begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline.saturating_add(1))
}

/// The byte at which the line of `at` ends, before its line break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.split_once('\n').map_or(rest, |(line, _)| line.strip_suffix('\r').unwrap_or(line));
    at.saturating_add(line.len())
}

/// What `find` says of the first node it knows something of, outermost first.
fn first<T>(node: &Node, find: &dyn Fn(&Node) -> Option<T>) -> Option<T> {
    find(node).or_else(|| match &node.content {
        Content::Scalar(_) => None,
        Content::List { items, .. } => items.iter().find_map(|item| first(&item.node, find)),
        Content::Map { fields, .. } => fields.iter().find_map(|field| first(&field.child.node, find)),
    })
}

/// How far the first block mapping right inside this one stands in.
fn step(node: &Node) -> Option<usize> {
    inner(node, |inner| matches!(inner.content, Content::Map { .. }))?.place.column.checked_sub(node.place.column)
}

fn lists(text: &str, node: &Node) -> Option<Lists> {
    let list = inner(node, |inner| matches!(inner.content, Content::List { .. }))?;
    let Content::List { items, .. } = &list.content else { return None };
    let (column, _) = dash(text, items.first()?.place.start)?;
    Some(if column > node.place.column { Lists::FurtherIn } else { Lists::UnderTheKey })
}

/// The first block value of a kind right inside this block mapping.
fn inner(node: &Node, is_wanted: impl Fn(&Node) -> bool) -> Option<&Node> {
    let Content::Map { fields, .. } = &node.content else { return None };
    let children = fields.iter().map(|field| field.child.node.as_ref());
    node.is_block().then(|| children.into_iter().find(|child| child.is_block() && is_wanted(child)))?
}
