//! YAML text to documents: the parser's events, walked. Aliases and merge keys are resolved here, within a budget, and
//! keys that stand twice are refused. What a scalar means is `scalar`'s to say.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Span, StructureStyle, Tag};

use super::error::{Fault, ManifestError};
use super::fields::Fields;
use super::node::{Child, Content, Document, Field, Layout, MAX_DEPTH, Node, Place, Spot, Written};
use super::scalar::{Quoting, Scalar};

/// What all aliases of a document together may add to it.
const ALIAS_MIB: usize = 32;

/// Reads all documents that are not empty.
pub(super) fn read(file: &Arc<str>, text: &str) -> Result<Vec<Document>, ManifestError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut walk = Walk { text, documents: Vec::new(), document: Building::default() };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let spot = spot(error.marker());
            Fault::NotYaml(error.into()).at(file, spot)
        })?;
        walk.take(event, span).map_err(|(fault, spot)| fault.at(file, spot))?;
    }
    Ok(walk.documents)
}

type Faulty = (Fault, Spot);

struct Walk<'t> {
    text: &'t str,
    documents: Vec<Document>,
    document: Building,
}

/// The document under way.
#[derive(Default)]
struct Building {
    start: usize,
    open: Vec<Open>,
    root: Option<Arc<Node>>,
    anchors: HashMap<usize, Arc<Node>>,
    repeated: usize,
}

/// A list or mapping whose end has not come yet.
struct Open {
    start: Place,
    layout: Layout,
    anchor: usize,
    kind: Kind,
    /// Where its last child ends so far.
    end: usize,
}

enum Kind {
    List(Vec<Child>),
    Map { fields: Fields, key: Option<Key> },
}

/// A key whose value has not come yet.
enum Key {
    Merge,
    Name(String, Place),
}

impl Walk<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Faulty> {
        let place = place(span);
        match event {
            Event::DocumentStart(explicit, _) => {
                self.document =
                    Building { start: if explicit { place.end } else { place.start }, ..Building::default() };
            }
            Event::DocumentEnd => self.finish(place.start),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), place)?,
            Event::SequenceStart(style, anchor, _) => self.open(place, style, anchor, Kind::List(Vec::new()))?,
            Event::MappingStart(style, anchor, _) => {
                self.open(place, style, anchor, Kind::Map { fields: Fields::default(), key: None })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(place)?,
            Event::Alias(anchor) => self.alias(anchor, place)?,
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, end: usize) {
        let Building { start, root, .. } = std::mem::take(&mut self.document);
        if let Some(root) = root.filter(|root| !matches!(root.content, Content::Scalar(serde_json::Value::Null))) {
            self.documents.push(Document { root, start, end });
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        place: Place,
    ) -> Result<(), Faulty> {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let text = if block { self.at_end(text, place) } else { text };
        let place = if block { self.block_scalar(text, place) } else { place };
        let quoting = if style == ScalarStyle::Plain { Quoting::Plain } else { Quoting::Quoted };
        if quoting == Quoting::Plain && tag.is_none() && text == "<<" && self.awaits_key() {
            return self.key(Key::Merge, place);
        }
        let scalar = Scalar::read(text, quoting, tag).map_err(|fault| (fault, place.spot()))?;
        let node = |scalar: Scalar| Arc::new(Node::scalar(place, scalar.value()));
        if self.awaits_key() {
            self.remember(anchor, || node(scalar.clone()));
            let name = scalar.key().map_err(|fault| (fault, place.spot()))?;
            return self.key(Key::Name(name, place), place);
        }
        let node = node(scalar);
        self.remember(anchor, || Arc::clone(&node));
        self.child(Child { node, place, written: Written::Here })
    }

    /// A block scalar at the very end of a text without a last line break does not end in one.
    fn at_end<'s>(&self, text: &'s str, place: Place) -> &'s str {
        let cut = place.end == self.text.len() && !self.text.ends_with(['\n', ' ', '\t']);
        text.strip_suffix('\n').filter(|_| cut).unwrap_or(text)
    }

    /// The place of a block scalar, whose content the parser reports with all that lies between it and the next token:
    /// from its `|` or `>` to the end of its last line.
    fn block_scalar(&self, text: &str, content: Place) -> Place {
        let written = self.text.get(content.start..content.end).unwrap_or_default();
        let kept = if text.ends_with("\n\n") { written.rfind('\n').map(|at| at.saturating_add(1)) } else { None };
        let end = content.start.saturating_add(kept.unwrap_or_else(|| written.trim_end().len()));
        let before = self.text.get(..content.start).unwrap_or_default();
        let above = before.trim_end();
        let line_start = above.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
        let header = above.get(line_start..).unwrap_or_default();
        let Some(at) = header.match_indices(['|', '>']).map(|(at, _)| at).find(|at| is_block_header(header, *at))
        else {
            return Place { end, ..content };
        };
        let breaks = before.get(line_start..).unwrap_or_default().matches('\n').count();
        Place {
            line: content.line.saturating_sub(breaks),
            column: header.get(..at).unwrap_or_default().chars().count(),
            start: line_start.saturating_add(at),
            end,
        }
    }

    fn open(&mut self, start: Place, style: StructureStyle, anchor: usize, kind: Kind) -> Result<(), Faulty> {
        if self.awaits_key() {
            return Err((Fault::KeyNotText("a list or a mapping"), start.spot()));
        }
        let layout = if style == StructureStyle::Flow { Layout::Flow } else { Layout::Block };
        self.document.open.push(Open { start, layout, anchor, kind, end: start.end });
        Ok(())
    }

    fn close(&mut self, end: Place) -> Result<(), Faulty> {
        let Some(open) = self.document.open.pop() else { return Ok(()) };
        let end = if open.layout == Layout::Flow { end.end } else { open.end };
        let place = Place { end, ..open.start };
        let node = match open.kind {
            Kind::List(items) => Node::list(place, open.layout, items),
            Kind::Map { fields, .. } => Node::map(place, open.layout, fields.into_list()),
        };
        let node = Arc::new(node);
        self.remember(open.anchor, || Arc::clone(&node));
        self.child(Child { node, place, written: Written::Here })
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Faulty> {
        let Some(node) = self.document.anchors.get(&anchor).cloned() else {
            return Err((Fault::AliasInItself, place.spot()));
        };
        self.document.repeated = self.document.repeated.saturating_add(node.size);
        if self.document.repeated > ALIAS_MIB << 20 {
            return Err((Fault::TooManyAliases(ALIAS_MIB), place.spot()));
        }
        if !self.awaits_key() {
            return self.child(Child { node, place, written: Written::Alias });
        }
        match &node.content {
            Content::Scalar(serde_json::Value::String(name)) => self.key(Key::Name(name.clone(), place), place),
            _ => Err((Fault::KeyNotText("an alias of something else"), place.spot())),
        }
    }

    fn remember(&mut self, anchor: usize, node: impl FnOnce() -> Arc<Node>) {
        if anchor != 0 {
            self.document.anchors.insert(anchor, node());
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.document.open.last(), Some(Open { kind: Kind::Map { key: None, .. }, .. }))
    }

    fn key(&mut self, name: Key, place: Place) -> Result<(), Faulty> {
        if let Some(Open { kind: Kind::Map { fields, key }, end, .. }) = self.document.open.last_mut() {
            if let Key::Name(name, _) = &name {
                fields.refuse_twice(name).map_err(|fault| (fault, place.spot()))?;
            }
            *key = Some(name);
            *end = place.end;
        }
        Ok(())
    }

    fn child(&mut self, child: Child) -> Result<(), Faulty> {
        if child.node.depth.saturating_add(self.document.open.len()) > MAX_DEPTH {
            return Err((Fault::TooDeep(MAX_DEPTH), child.place.spot()));
        }
        let Some(open) = self.document.open.last_mut() else {
            self.document.root = Some(child.node);
            return Ok(());
        };
        open.end = open.end.max(child.place.end);
        match &mut open.kind {
            Kind::List(items) => items.push(child),
            Kind::Map { fields, key } => match key.take() {
                Some(Key::Name(name, key_place)) => fields.write(Field { key: name, key_place, child }),
                Some(Key::Merge) => fields.merge(&child).map_err(|fault| (fault, child.place.spot()))?,
                None => {}
            },
        }
        Ok(())
    }
}

/// Whether a block scalar's header begins there: nothing but chomping, indentation and a comment follows on its line.
fn is_block_header(line: &str, at: usize) -> bool {
    let rest = line.get(at.saturating_add(1)..).unwrap_or_default();
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
    rest.is_empty() || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')
}

fn place(span: Span) -> Place {
    let Range { start, end } = span.byte_range().unwrap_or_default();
    let Spot { line, column } = spot(&span.start);
    Place { line, column, start, end }
}

fn spot(marker: &Marker) -> Spot {
    Spot { line: marker.line(), column: marker.col() }
}
