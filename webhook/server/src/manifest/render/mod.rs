//! Prints a stream again with some of its objects changed. What was not changed is kept to the byte; a changed YAML
//! document is edited where it stands if that can be done exactly, else written anew; a changed JSON document is
//! written anew. Everything printed is read back and compared before it is given out.

mod block;
mod flow;
mod print;
mod revision;

use std::sync::Arc;

use serde_json::Value;

use super::error::ManifestError;
use super::node::{Content, Document};
use super::stream::{Format, Stream};
use super::{Manifest, yaml};
use print::Style;
use revision::Revision;

/// A stream that can't be printed again.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The text is not what the manifests were read from: it can't be read at all.
    #[error(transparent)]
    Unreadable(#[from] ManifestError),
    /// The text is not what the manifests were read from: it has no such object.
    #[error("the text has no {kind} {name} where {file} had it: print what the manifests were read from")]
    NotFromThisText {
        /// The kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// What the object was read from.
        file: String,
    },
    /// What was printed reads as something else.
    #[error("document {document} of {file} can't be printed so that it reads as what it should be")]
    Unfaithful {
        /// The name of the text.
        file: String,
        /// Which document, counted from 1, empty ones left out.
        document: usize,
    },
}

/// Prints `text` with the objects in `edited` instead of those that were read from it; objects that are not among them
/// stay as they are. A changed YAML document keeps its comments and its order as long as it can be edited in place, and
/// the comments around it in any case. A changed JSON document becomes pretty JSON.
///
/// # Errors
/// When `edited` was not read from `text`, or a document can't be printed so that it reads as wanted.
pub fn render(text: &str, edited: &[Manifest]) -> Result<String, RenderError> {
    let file = edited.first().map_or_else(|| Arc::from(""), |manifest| Arc::clone(&manifest.source));
    let stream = Stream::read(&file, text)?;
    let mut printed = String::with_capacity(text.len());
    let mut kept = 0;
    for (at, (document, wanted)) in stream.documents.iter().zip(wanted(&stream, edited)?).enumerate() {
        let Some(wanted) = wanted else { continue };
        let anew = match stream.format {
            Format::Json => serde_json::to_string_pretty(&wanted).ok(),
            Format::Yaml => yaml_document(text, document, &wanted),
        };
        let document_number = at.saturating_add(1);
        let anew = anew.ok_or_else(|| RenderError::Unfaithful { file: file.to_string(), document: document_number })?;
        printed.push_str(text.get(kept..document.start).unwrap_or_default());
        printed.push_str(&anew);
        kept = document.end;
    }
    printed.push_str(text.get(kept..).unwrap_or_default());
    Ok(printed)
}

/// What each document should become; none for those that stay as they are.
fn wanted(stream: &Stream, edited: &[Manifest]) -> Result<Vec<Option<Value>>, RenderError> {
    let mut wanted: Vec<Option<Value>> = vec![None; stream.documents.len()];
    for manifest in edited {
        let foreign = || RenderError::NotFromThisText {
            kind: manifest.kind().to_owned(),
            name: manifest.name().to_owned(),
            file: manifest.source().to_owned(),
        };
        let at = manifest.origin.document;
        let (document, wanted) = stream.documents.get(at).zip(wanted.get_mut(at)).ok_or_else(foreign)?;
        let path = manifest.origin.path.to_string();
        let value = wanted.get_or_insert_with(|| document.root.value());
        let slot = value.pointer_mut(&path).ok_or_else(foreign)?;
        if *slot != manifest.node.value() {
            return Err(foreign());
        }
        *slot = manifest.value.clone();
    }
    let changed = |(wanted, document): (Option<Value>, &Document)| wanted.filter(|wanted| !document.root.is(wanted));
    Ok(wanted.into_iter().zip(&stream.documents).map(changed).collect())
}

/// The text between the document's markers, made to read as `wanted`: the first way of writing it that does.
fn yaml_document(text: &str, document: &Document, wanted: &Value) -> Option<String> {
    let style = Style::of(text, document);
    let in_place = || Revision::of(text, document, &style, wanted);
    let anew = |tail| written_anew(text, document, &style, wanted, tail);
    in_place()
        .filter(|printed| reads_as(printed, wanted))
        .or_else(|| anew(Tail::Kept).filter(|printed| reads_as(printed, wanted)))
        .or_else(|| anew(Tail::Dropped).filter(|printed| reads_as(printed, wanted)))
        .or_else(|| Some(format!("\n{wanted:#}\n")).filter(|printed| reads_as(printed, wanted)))
}

fn reads_as(printed: &str, wanted: &Value) -> bool {
    yaml::read(&Arc::from(""), printed)
        .is_ok_and(|documents| matches!(documents.as_slice(), [only] if only.root.is(wanted)))
}

/// Whether what follows a document's content, comments most likely, is kept.
#[derive(Clone, Copy)]
enum Tail {
    Kept,
    Dropped,
}

/// The document serialised, with the comments before it.
fn written_anew(text: &str, document: &Document, style: &Style, wanted: &Value, tail: Tail) -> Option<String> {
    let root = document.root.place;
    let mut printed = text.get(document.start..root.start)?.trim_end_matches([' ', '\t']).to_owned();
    // A document may begin on the line of its marker; what is written anew needs lines of its own.
    if text.get(print::line_start(text, root.start)..root.start)?.starts_with("---") {
        printed.push_str(style.newline);
    }
    printed.push_str(&style.document(wanted)?);
    match tail {
        Tail::Kept => printed.push_str(text.get(root.end..document.end)?),
        Tail::Dropped => printed.push_str(style.newline),
    }
    Some(printed)
}
