//! Changes inside lists and mappings that are written by indentation: whole lines come and go.

use serde_json::{Map, Value};

use super::super::node::{Child, Field, Node, Written};
use super::print::{dash, indented, line_end, line_start};
use super::revision::{Revision, Slot};

impl Revision<'_> {
    /// Changes, removes and adds fields; what is added goes below the last.
    pub(super) fn block_mapping(&mut self, node: &Node, fields: &[Field], wanted: &Map<String, Value>) -> Option<()> {
        let column = node.place.column;
        let mut kept = None;
        for field in written_here(fields) {
            let Some(value) = wanted.get(&field.key) else {
                self.remove_lines(field.key_place.start, field.child.place.end)?;
                continue;
            };
            let slot = Slot::Field { key: &field.key, key_place: field.key_place, column };
            self.change(slot, &field.child, value)?;
            kept = kept.max(Some(end(field)));
        }
        let added = added(fields, wanted)?;
        // A mapping whose last field goes is added to below the last that stays; else the end is that of a merge key,
        // too.
        let last = written_here(fields).map(end).max();
        let below = if last == kept { node.place.end.max(last.unwrap_or_default()) } else { kept? };
        if !added.is_empty() {
            let lines = indented(&self.style.fields(&added)?, column);
            self.insert_after_line(below, format!("{}{lines}", " ".repeat(column)));
        }
        Some(())
    }

    /// Changes items one by one and appends the rest, or removes a run of items.
    pub(super) fn block_list(&mut self, items: &[Child], wanted: &[Value]) -> Option<()> {
        if wanted.len() < items.len() {
            return self.remove_items(items, wanted);
        }
        for (item, value) in items.iter().zip(wanted) {
            self.change(Slot::Item, item, value)?;
        }
        let (column, _) = dash(self.text, items.first()?.place.start)?;
        let end = items.last()?.place.end;
        for value in wanted.get(items.len()..)? {
            let lines = indented(&self.style.item(value)?, column);
            self.insert_after_line(end, format!("{}{lines}", " ".repeat(column)));
        }
        Some(())
    }

    fn remove_items(&mut self, items: &[Child], wanted: &[Value]) -> Option<()> {
        let same = items.iter().zip(wanted).take_while(|(item, value)| item.node.is(value)).count();
        let gone = items.len().saturating_sub(wanted.len());
        let (removed, rest) = items.get(same..)?.split_at_checked(gone)?;
        let unchanged = rest.iter().zip(wanted.get(same..)?).all(|(item, value)| item.node.is(value));
        if !unchanged || wanted.is_empty() {
            return None;
        }
        removed.iter().try_for_each(|item| {
            let (_, dash) = dash(self.text, item.place.start)?;
            self.remove_lines(dash, item.place.end)
        })
    }

    /// Removes the lines from `start`, with which the first must begin, to `end`.
    fn remove_lines(&mut self, start: usize, end: usize) -> Option<()> {
        let first = line_start(self.text, start);
        if !self.text.get(first..start)?.trim().is_empty() {
            return None;
        }
        let end = line_end(self.text, end);
        let rest = self.text.get(end..)?;
        let line_break = rest.find('\n').map_or(0, |newline| newline.saturating_add(1));
        self.splice(first, end.saturating_add(line_break), String::new());
        Some(())
    }
}

/// What is wanted and not written here. A field that a merge key brought with another value is written, too: the later
/// one counts. One that it brought and that is not wanted can't be taken away here.
fn added(fields: &[Field], wanted: &Map<String, Value>) -> Option<Map<String, Value>> {
    let merged = |key: &str| fields.iter().find(|field| field.key == key && field.child.written == Written::Merge);
    if fields.iter().any(|field| field.child.written == Written::Merge && !wanted.contains_key(&field.key)) {
        return None;
    }
    let own = |key: &str| written_here(fields).any(|field| field.key == key);
    let missing = wanted.iter().filter(|(key, value)| match merged(key) {
        Some(field) => !field.child.node.is(value),
        None => !own(key),
    });
    Some(missing.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// The fields that have lines of their own in the mapping.
fn written_here(fields: &[Field]) -> impl Iterator<Item = &Field> {
    fields.iter().filter(|field| field.child.written != Written::Merge)
}

/// Where a field ends: the place of an empty value lies before its colon.
fn end(field: &Field) -> usize {
    field.child.place.end.max(field.key_place.end)
}
