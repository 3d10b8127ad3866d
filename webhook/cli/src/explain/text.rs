//! A page for the terminal: wrapped to its width, without marks.

use textwrap::{Options, WordSplitter};

use super::document::{Block, Document, Table};

/// Lines longer than this are hard to read, shorter ones than that hold no word.
const WIDEST: usize = 110;
const NARROWEST: usize = 30;

/// How many columns there are, as the environment or the terminal says; 80 where there is no terminal.
pub(super) fn columns() -> usize {
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    given.unwrap_or_else(textwrap::termwidth)
}

/// The whole page, at most so wide; what can't be broken may reach over.
pub(super) fn of(document: &Document, columns: usize) -> String {
    let width = columns.clamp(NARROWEST, WIDEST);
    let mut text = wrapped(&document.title, width, "", "  ");
    for block in &document.blocks {
        text.push('\n');
        text.push_str(&block_text(block, width));
    }
    text
}

fn block_text(block: &Block, width: usize) -> String {
    match block {
        Block::Heading(heading) => format!("{}\n", heading.to_uppercase()),
        Block::Paragraph(text) => wrapped(text, width, "  ", "  "),
        Block::Bullets(texts) => texts.iter().map(|text| wrapped(text, width, "  - ", "    ")).collect(),
        Block::Table(table) => of_table(table, width),
        Block::Example(yaml) => yaml.lines().map(|line| format!("    {line}\n")).collect(),
    }
}

/// Each row as a term with what stands in the middle, and below it what stands last.
fn of_table(table: &Table, width: usize) -> String {
    table.rows.iter().map(|row| of_row(&table.columns, row, width)).collect()
}

fn of_row(columns: &[&str], row: &[String], width: usize) -> String {
    let [term, middle @ .., last] = row else { return String::new() };
    let notes = middle.iter().zip(columns.iter().skip(1)).enumerate().filter(|(_, (note, _))| !note.is_empty());
    // The first note speaks for itself; the others need the name of their column, unless they are words of their own.
    let notes = notes.map(|(at, (note, column))| match at {
        0 => note.clone(),
        _ if note.starts_with('`') => format!("{column} {note}"),
        _ => note.clone(),
    });
    let notes = notes.collect::<Vec<_>>().join(", ");
    let head = if notes.is_empty() { term.clone() } else { format!("{term} ({notes})") };
    wrapped(&head, width, "  ", "      ") + &wrapped(last, width, "      ", "      ")
}

fn wrapped(text: &str, width: usize, first: &str, others: &str) -> String {
    let text = text.replace('`', "");
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(others)
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text.trim(), options).iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(block: Block, columns: usize) -> String {
        of(&Document { title: "t".into(), blocks: vec![block] }, columns)
    }

    #[test]
    fn text_is_wrapped_and_has_no_marks() {
        let text = shown(Block::Paragraph("Set `runAsNonRoot` on every container of the pod.".into()), 30);
        assert_eq!(text, "t\n\n  Set runAsNonRoot on every\n  container of the pod.\n");
    }

    #[test]
    fn a_row_is_a_term_and_its_description() {
        let row = ["`a.b`", "list of text", "`[]`", "What it does."].map(str::to_owned);
        let table =
            Table { columns: vec!["setting", "type", "default", "what"], rows: vec![row.into()], of_pages: false };
        assert_eq!(shown(Block::Table(table), 80), "t\n\n  a.b (list of text, default [])\n      What it does.\n");
    }

    #[test]
    fn an_example_keeps_its_lines() {
        assert_eq!(shown(Block::Example("a:\n  b: 1\n".into()), 30), "t\n\n    a:\n      b: 1\n");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let text = shown(Block::Bullets(vec!["word ".repeat(60)]), 40);
        assert!(text.lines().all(|line| line.len() <= 40), "{text}");
    }
}
