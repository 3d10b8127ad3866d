//! The changes that turn one document's text into another's: worked out by walking the text's nodes and the wanted
//! value side by side, then made from first to last. Lists and mappings written by indentation are `block`'s, the
//! others `flow`'s.

use serde_json::{Map, Value};

use super::super::node::{Child, Layout, Node, Place, Written};
use super::print::{Style, dash, indented, line_end};
use super::{Content, Document};

/// Changes to a text, under way.
pub(super) struct Revision<'t> {
    pub(super) text: &'t str,
    pub(super) style: &'t Style,
    changes: Vec<Change>,
}

/// Bytes to be replaced; for an insertion there are none.
struct Change {
    start: usize,
    end: usize,
    text: String,
}

/// What a value stands in, as far as that says how another is written in its stead.
#[derive(Clone, Copy)]
pub(super) enum Slot<'n> {
    /// The document.
    Root,
    /// A block mapping whose keys stand in this column.
    Field { key: &'n str, key_place: Place, column: usize },
    /// A block list.
    Item,
    /// Anything between brackets.
    Flow,
}

impl<'t> Revision<'t> {
    /// The document's text, edited; none if something about it can't be edited in place.
    pub(super) fn of(text: &'t str, document: &Document, style: &'t Style, wanted: &Value) -> Option<String> {
        let mut revision = Self { text, style, changes: Vec::new() };
        let root = Child { node: document.root.clone(), place: document.root.place, written: Written::Here };
        revision.change(Slot::Root, &root, wanted)?;
        revision.applied(document)
    }

    /// Makes what stands in the slot read as `wanted`: by changes inside it, or else by writing it anew.
    pub(super) fn change(&mut self, slot: Slot<'_>, child: &Child, wanted: &Value) -> Option<()> {
        if child.node.is(wanted) {
            return Some(());
        }
        let before = self.changes.len();
        self.change_inside(child, wanted).or_else(|| {
            self.changes.truncate(before);
            self.replace(slot, child.place, wanted)
        })
    }

    fn change_inside(&mut self, child: &Child, wanted: &Value) -> Option<()> {
        if child.written != Written::Here {
            return None;
        }
        match (&child.node.content, wanted) {
            (Content::Map { layout: Layout::Block, fields }, Value::Object(wanted)) => {
                self.block_mapping(&child.node, fields, wanted)
            }
            (Content::List { layout: Layout::Block, items }, Value::Array(wanted)) => self.block_list(items, wanted),
            (Content::Map { layout: Layout::Flow, fields }, Value::Object(wanted)) => self.flow_mapping(fields, wanted),
            (Content::List { layout: Layout::Flow, items }, Value::Array(wanted)) => self.flow_list(items, wanted),
            _ => None,
        }
    }

    fn replace(&mut self, slot: Slot<'_>, old: Place, wanted: &Value) -> Option<()> {
        match slot {
            Slot::Root => None,
            Slot::Flow => {
                self.splice(old.start, old.end, super::flow::written(wanted));
                Some(())
            }
            Slot::Field { key, key_place, column } => {
                let field = Map::from_iter([(key.to_owned(), wanted.clone())]);
                let lines = self.style.fields(&field)?;
                self.replace_lines(key_place.start, old.end.max(self.after_colon(key_place)?), &lines, column);
                Some(())
            }
            Slot::Item => {
                let (column, dash) = dash(self.text, old.start)?;
                let lines = self.style.item(wanted)?;
                self.replace_lines(dash, old.end, &lines, column);
                Some(())
            }
        }
    }

    /// Writes lines in the stead of a stretch. What follows it on its line, a comment, goes behind the first of them.
    fn replace_lines(&mut self, start: usize, end: usize, lines: &str, column: usize) {
        let lines = indented(lines, column);
        match lines.split_once(self.style.newline) {
            None => self.splice(start, end, lines),
            Some((head, body)) => {
                self.splice(start, end, head.to_owned());
                self.insert_after_line(end, body.to_owned());
            }
        }
    }

    /// The byte after the colon of a key.
    fn after_colon(&self, key: Place) -> Option<usize> {
        let rest = self.text.get(key.end..)?;
        let colon = rest.trim_start_matches([' ', '\t']).strip_prefix(':')?;
        Some(self.text.len().saturating_sub(colon.len()))
    }

    /// Puts lines below the line of `at`.
    pub(super) fn insert_after_line(&mut self, at: usize, lines: String) {
        let end = line_end(self.text, at);
        self.splice(end, end, format!("{}{lines}", self.style.newline));
    }

    /// Replaces the bytes from `start` to `end`.
    pub(super) fn splice(&mut self, start: usize, end: usize, text: String) {
        self.changes.push(Change { start, end, text });
    }

    /// The document's text with all changes made; none if two of them touch the same bytes. Of insertions at one place
    /// the one noted first comes first, and inner values are walked before what is added around them.
    fn applied(mut self, document: &Document) -> Option<String> {
        self.changes.sort_by_key(|change| (change.start, change.end));
        let mut printed = String::new();
        let mut kept = document.start;
        for Change { start, end, text } in &self.changes {
            printed.push_str(self.text.get(kept..*start)?);
            printed.push_str(text);
            kept = *end;
        }
        printed.push_str(self.text.get(kept..document.end)?);
        Some(printed)
    }
}

impl Node {
    /// Whether this is a list or mapping written by indentation.
    pub(super) fn is_block(&self) -> bool {
        match &self.content {
            Content::Scalar(_) => false,
            Content::List { layout, .. } | Content::Map { layout, .. } => *layout == Layout::Block,
        }
    }
}
