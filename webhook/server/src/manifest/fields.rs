//! The fields of a mapping as they come in: keys that stand twice are refused, merge keys bring in what they name.

use std::collections::HashMap;

use super::error::Fault;
use super::node::{Child, Content, Field, Written};

/// The fields of a mapping so far. As in Kubernetes' reader they take effect in the order they are written: a field
/// takes the place of one that a merge key above it brought, and a merge key's that of a field above.
#[derive(Default)]
pub(super) struct Fields {
    list: Vec<Field>,
    known: HashMap<String, usize>,
}

impl Fields {
    /// Refuses a key that is written in this mapping already.
    pub(super) fn refuse_twice(&self, name: &str) -> Result<(), Fault> {
        match self.known.get(name).and_then(|at| self.list.get(*at)) {
            Some(field) if field.child.written != Written::Merge => {
                Err(Fault::DuplicateKey { key: name.to_owned(), first_line: field.key_place.line })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn write(&mut self, field: Field) {
        match self.known.get(&field.key).and_then(|at| self.list.get_mut(*at)) {
            Some(standing) => *standing = field,
            None => {
                self.known.insert(field.key.clone(), self.list.len());
                self.list.push(field);
            }
        }
    }

    /// Brings in the fields of a merge key's value.
    pub(super) fn merge(&mut self, child: &Child) -> Result<(), Fault> {
        match &child.node.content {
            Content::Map { fields, .. } => {
                for field in fields {
                    let child = Child { written: Written::Merge, ..field.child.clone() };
                    self.write(Field { key: field.key.clone(), key_place: field.key_place, child });
                }
                Ok(())
            }
            // The first mapping of a list counts most, so it comes last.
            Content::List { items, .. } => items.iter().rev().try_for_each(|item| match item.node.content {
                Content::Map { .. } => self.merge(item),
                _ => Err(Fault::MergeOfOther),
            }),
            Content::Scalar(_) => Err(Fault::MergeOfOther),
        }
    }

    /// All of them, in the order of their first mention.
    pub(super) fn into_list(self) -> Vec<Field> {
        self.list
    }
}
